//! Documents that were parsed before.
//!
//! A room full of phones asks the same few documents, and parsing one takes longer than answering it. So the last ones
//! are kept, parsed; what is asked with them (variables, the operation's name) is looked at each time, and so are the
//! guard's bounds on the document and the engine's validation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;

use crate::guard::Bounds;
use crate::operation::Refused;

/// Bytes of text in a generation. Parsed, a byte takes some 150 at most (fields of one letter); there are two
/// generations, so whoever fills them on purpose makes us hold 10 MB.
const GENERATION: usize = 32 * 1024;

/// Bytes of the longest document that is kept: what a page sends is shorter.
const LONGEST: usize = 4 * 1024;

/// The last documents by their text. All of them have passed the same bounds.
#[derive(Debug, Default)]
pub struct Documents(Mutex<Generations>);

/// When the young are full, they become the old, and the old are forgotten, except for those that are asked again
/// before that. So nobody who asks much can push out what everybody asks, for longer than one parsing takes.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, Arc<ExecutableDocument>>,
    old: HashMap<Box<str>, Arc<ExecutableDocument>>,
    young_bytes: usize,
}

impl Documents {
    /// Parses a text that is within the bounds, or remembers having done so.
    ///
    /// # Errors
    /// [`Refused`], where the text is beyond them or no document.
    pub(crate) fn parse(&self, text: &str, bounds: &Bounds) -> Result<ExecutableDocument, Refused> {
        if let Some(known) = self.find(text) {
            return Ok(ExecutableDocument::clone(&known));
        }
        bounds.check_text(text)?;
        let document = parse_query(text).map_err(|error| Refused::syntax(&error))?;
        if text.len() <= LONGEST {
            let kept = Arc::new(document.clone());
            self.generations(|generations| generations.keep(text, kept));
        }
        Ok(document)
    }

    fn find(&self, text: &str) -> Option<Arc<ExecutableDocument>> {
        self.generations(|generations| {
            if let Some(known) = generations.young.get(text) {
                return Some(Arc::clone(known));
            }
            let (text, known) = generations.old.remove_entry(text)?;
            generations.keep(&text, Arc::clone(&known));
            Some(known)
        })
    }

    fn generations<T>(&self, work: impl FnOnce(&mut Generations) -> T) -> T {
        // What a panic could leave half done here is a document too few.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    fn keep(&mut self, text: &str, document: Arc<ExecutableDocument>) {
        if self.young_bytes + text.len() > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(text.into(), document).is_none() {
            self.young_bytes += text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(documents: &Documents, text: &str) -> Result<ExecutableDocument, Refused> {
        documents.parse(text, &Bounds::default())
    }

    fn kept(documents: &Documents) -> (usize, usize) {
        documents.generations(|kept| {
            let bytes = kept.young.keys().chain(kept.old.keys()).map(|text| text.len()).sum();
            (kept.young.len() + kept.old.len(), bytes)
        })
    }

    #[test]
    fn what_was_parsed_before_is_the_same_document() {
        let documents = Documents::default();
        let text = "query Q($n: Int) { a(first: $n) { ...F } } fragment F on A { b @include(if: true) }";
        let (first, second) = (parse(&documents, text).unwrap(), parse(&documents, text).unwrap());
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(kept(&documents).0, 1);
    }

    #[test]
    fn what_is_refused_is_refused_again_and_not_kept() {
        let documents = Documents::default();
        let nested = format!("{{ a(b: {}", "[".repeat(100));
        for _ in 0..2 {
            assert!(matches!(parse(&documents, "{ a"), Err(Refused::Syntax { .. })));
            assert!(matches!(parse(&documents, &nested), Err(Refused::TooMuch(_))));
        }
        assert_eq!(kept(&documents), (0, 0));
    }

    #[test]
    fn thousands_of_documents_are_not_held() {
        let documents = Documents::default();
        for number in 0..5_000 {
            parse(&documents, &format!("{{ field_number_{number} }}")).unwrap();
        }
        let (_, bytes) = kept(&documents);
        assert!(bytes <= 2 * GENERATION, "{bytes} bytes");
    }

    #[test]
    fn what_everybody_asks_outlives_what_one_asks_much() {
        let documents = Documents::default();
        parse(&documents, "{ everybody }").unwrap();
        for number in 0..5_000 {
            parse(&documents, &format!("{{ field_number_{number} }}")).unwrap();
            if number % 100 == 0 {
                assert!(documents.find("{ everybody }").is_some(), "after {number}");
            }
        }
    }
}
