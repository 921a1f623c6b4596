//! What a request may cost before anything recursive looks at it.
//!
//! The parser and the validator behind us recurse over the document: a request of 3 KB that nests 1,600 brackets
//! overflows the stack and takes the whole process with it, and a request of 1 KB whose fragments each spread the
//! next one twice keeps a core busy for hours. So one pass over the bytes bounds size, tokens and nesting before the
//! text is parsed, and one memoised pass over the document bounds what it expands to before it is validated.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

/// The bounds of one request. Every one of them is a setting; these are meant for a page that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the document.
    pub bytes: usize,
    /// Names, numbers, strings and punctuation in it.
    pub tokens: usize,
    /// Brackets of any kind inside one another.
    pub nesting: usize,
    /// Selections (fields, fragments) once every fragment is put in its place.
    pub selections: usize,
    /// Selections inside one another once every fragment is put in its place.
    pub depth: usize,
    /// Fields that are renamed, fragments put in their place.
    pub aliases: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: 16 * 1024, tokens: 2_000, nesting: 40, selections: 2_000, depth: 24, aliases: 15 }
    }
}

/// Why a request is not looked at any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// See [`Bounds::bytes`].
    #[error("the query is longer than {0} bytes")]
    Bytes(usize),
    /// See [`Bounds::tokens`].
    #[error("the query has more than {0} tokens")]
    Tokens(usize),
    /// See [`Bounds::nesting`].
    #[error("the query nests brackets deeper than {0}")]
    Nesting(usize),
    /// See [`Bounds::selections`].
    #[error("the query selects more than {0} things")]
    Selections(usize),
    /// See [`Bounds::depth`].
    #[error("the query nests selections deeper than {0}")]
    Depth(usize),
    /// See [`Bounds::aliases`].
    #[error("the query has more than {0} aliases")]
    Aliases(usize),
    /// A fragment that contains itself has no end.
    #[error("a fragment of the query spreads itself")]
    Cycle,
}

impl Bounds {
    /// Looks at the text, once, without recursion.
    ///
    /// # Errors
    /// [`TooMuch`] at the first bound that is crossed.
    pub fn check_text(&self, source: &str) -> Result<(), TooMuch> {
        if source.len() > self.bytes {
            return Err(TooMuch::Bytes(self.bytes));
        }
        let (mut tokens, mut nesting) = (0_usize, 0_usize);
        let mut rest = source.as_bytes();
        while let Some((token, after)) = next_token(rest) {
            rest = after;
            tokens += usize::from(token != Token::Blank);
            match token {
                Token::Open => nesting += 1,
                Token::Close => nesting = nesting.saturating_sub(1),
                Token::Blank | Token::Other => {}
            }
            if tokens > self.tokens {
                return Err(TooMuch::Tokens(self.tokens));
            }
            if nesting > self.nesting {
                return Err(TooMuch::Nesting(self.nesting));
            }
        }
        Ok(())
    }

    /// Looks at the parsed document; every fragment is measured once, however often it is spread.
    ///
    /// # Errors
    /// [`TooMuch`] at the first bound that an operation crosses.
    pub fn check_document(&self, document: &ExecutableDocument) -> Result<(), TooMuch> {
        let mut measure = Measure { document, fragments: HashMap::new() };
        for (_, operation) in document.operations.iter() {
            let extent = measure.selection(&operation.node.selection_set)?;
            self.check_extent(extent)?;
        }
        // The validator walks through fragments that nobody spreads, too.
        for name in document.fragments.keys() {
            let extent = measure.fragment(name)?;
            self.check_extent(extent)?;
        }
        Ok(())
    }

    fn check_extent(&self, extent: Extent) -> Result<(), TooMuch> {
        if extent.selections > self.selections {
            return Err(TooMuch::Selections(self.selections));
        }
        if extent.depth > self.depth {
            return Err(TooMuch::Depth(self.depth));
        }
        if extent.aliases > self.aliases {
            return Err(TooMuch::Aliases(self.aliases));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Blank,
    Other,
}

/// Takes one token, comment or run of ignored bytes off the front. An unfinished string runs to the end of the text:
/// the parser will refuse it, and nothing in it nests.
fn next_token(text: &[u8]) -> Option<(Token, &[u8])> {
    let (&first, after) = text.split_first()?;
    Some(match first {
        b'{' | b'[' | b'(' => (Token::Open, after),
        b'}' | b']' | b')' => (Token::Close, after),
        b' ' | b'\t' | b'\r' | b'\n' | b',' => (Token::Blank, after),
        b'#' => (Token::Blank, after_line(after)),
        b'"' => (Token::Other, text.strip_prefix(b"\"\"\"").map_or_else(|| after_string(after), after_block)),
        _ if is_word(first) => (Token::Other, after_word(after)),
        _ => (Token::Other, after),
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-') || byte >= 0x80
}

fn after_word(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| !is_word(byte)).unwrap_or(text.len())..]
}

fn after_line(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len())..]
}

fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some((&byte, after)) = text.split_first() {
        match byte {
            b'"' | b'\n' | b'\r' => return after,
            b'\\' => text = after.get(1..).unwrap_or_default(),
            _ => text = after,
        }
    }
    text
}

fn after_block(mut text: &[u8]) -> &[u8] {
    while !text.is_empty() {
        if let Some(after) = text.strip_prefix(b"\\\"\"\"") {
            text = after;
        } else if let Some(after) = text.strip_prefix(b"\"\"\"") {
            return after;
        } else {
            text = &text[1..];
        }
    }
    text
}

/// How large something is with every fragment in its place; sums saturate, so that a bomb is only a large number.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    selections: usize,
    depth: usize,
    aliases: usize,
}

impl Extent {
    fn beside(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
        }
    }

    /// What holds this as its selection set.
    fn around(self, aliased: bool) -> Self {
        Self {
            selections: self.selections.saturating_add(1),
            depth: self.depth + 1,
            aliases: self.aliases.saturating_add(usize::from(aliased)),
        }
    }
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being measured: meeting it then is a cycle.
    fragments: HashMap<&'a Name, Option<Extent>>,
}

impl<'a> Measure<'a> {
    /// Recursion ends: the text's nesting is bounded, and a fragment is entered once.
    fn selection(&mut self, set: &'a Positioned<SelectionSet>) -> Result<Extent, TooMuch> {
        let mut extent = Extent::default();
        for item in &set.node.items {
            let one = match &item.node {
                Selection::Field(field) => {
                    self.selection(&field.node.selection_set)?.around(field.node.alias.is_some())
                }
                Selection::InlineFragment(inline) => {
                    self.selection(&inline.node.selection_set)?.around(false)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            };
            extent = extent.beside(one);
        }
        Ok(extent)
    }

    /// A fragment that is not there is left to the validator, which names it; the spread itself counts all the same.
    fn fragment(&mut self, name: &'a Name) -> Result<Extent, TooMuch> {
        match self.fragments.get(name) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(TooMuch::Cycle),
            None => {}
        }
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Extent::default().around(false));
        };
        self.fragments.insert(name, None);
        let extent = self.selection(&fragment.node.selection_set)?.around(false);
        self.fragments.insert(name, Some(extent));
        Ok(extent)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use async_graphql::parser::parse_query;

    use super::*;

    fn check(source: &str) -> Result<(), TooMuch> {
        let bounds = Bounds::default();
        bounds.check_text(source)?;
        bounds.check_document(&parse_query(source).unwrap())
    }

    #[test]
    fn an_ordinary_query_passes() {
        assert_eq!(
            check("query Q($n: Int!) { a(first: $n) { ...F } } fragment F on A { b c { d } }"),
            Ok(())
        );
    }

    #[test]
    fn brackets_that_would_overflow_the_parser_are_refused_before_it() {
        let bomb = format!("{{ a(b:{}{}) }}", "[".repeat(1_600), "]".repeat(1_600));
        assert_eq!(check(&bomb), Err(TooMuch::Nesting(40)));
    }

    #[test]
    fn brackets_in_strings_and_comments_nest_nothing() {
        let harmless = format!("{{ a(b: \"{0}\", c: \"\"\"{0}\\\"\"\" \"\"\") }} # {0}", "[{(".repeat(100));
        assert_eq!(check(&harmless), Ok(()));
    }

    #[test]
    fn a_string_that_seems_closed_by_an_escape_hides_no_brackets() {
        let sly = format!("{{ a(b: \"\\\\\", c: {}", "[".repeat(50));
        assert_eq!(Bounds::default().check_text(&sly), Err(TooMuch::Nesting(40)));
    }

    #[test]
    fn fragments_that_double_thirty_times_are_answered_at_once() {
        let mut bomb = "{ ...f0 }".to_owned();
        for level in 0..30 {
            let _ = write!(bomb, " fragment f{level} on A {{ ...f{0} ...f{0} }}", level + 1);
        }
        bomb += " fragment f30 on A { a }";
        assert_eq!(check(&bomb), Err(TooMuch::Selections(2_000)));
    }

    #[test]
    fn fragments_that_double_and_end_in_nothing_count_as_well() {
        let mut bomb = "{ ...f0 }".to_owned();
        for level in 0..30 {
            let _ = write!(bomb, " fragment f{level} on A {{ ...f{0} ...f{0} }}", level + 1);
        }
        assert_eq!(check(&bomb), Err(TooMuch::Selections(2_000)));
    }

    #[test]
    fn fragments_that_nobody_spreads_count_as_well() {
        let mut bomb = "{ a }".to_owned();
        for level in 0..30 {
            let _ = write!(bomb, " fragment f{level} on A {{ ...f{0} ...f{0} }}", level + 1);
        }
        bomb += " fragment f30 on A { a }";
        assert!(check(&bomb).is_err());
    }

    #[test]
    fn fragments_in_a_circle_are_refused() {
        let circle = "{ ...a } fragment a on A { x { ...b } } fragment b on A { y { ...a } }";
        assert_eq!(check(circle), Err(TooMuch::Cycle));
    }

    #[test]
    fn a_thousand_renamed_votes_in_one_request_are_refused() {
        let votes = (0..100).map(|n| format!("v{n}: vote")).collect::<Vec<_>>().join(" ");
        assert_eq!(check(&format!("mutation {{ {votes} }}")), Err(TooMuch::Aliases(15)));
    }
}
