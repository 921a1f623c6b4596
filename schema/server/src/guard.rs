//! What a request may cost before anything recursive looks at it.
//!
//! The parser and the validator behind us recurse over the document: a request of 3 KB that nests 1,600 brackets
//! overflows the stack and takes the whole process with it, a request of 1 KB whose fragments each spread the next one
//! twice keeps a core busy for hours, and one whose fields contradict each other is answered with a gigabyte of
//! errors. So one pass over the bytes bounds size, tokens and nesting before the text is parsed ([`Bounds::check_text`]);
//! one memoised pass over the document bounds what it expands to, and one over what is then known to be small looks
//! for fields that repeat or contradict each other ([`Bounds::check_document`]), before it is validated.

use async_graphql::parser::types::ExecutableDocument;
use serde_json::{Map, Value};

mod measure;
mod merge;
mod text;

/// The bounds of one request. Every one of them is a setting; these are meant for a page that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the document.
    pub bytes: usize,
    /// Names, numbers, strings and punctuation in it.
    pub tokens: usize,
    /// Bytes of one name or number: names come back in error messages, many times over.
    pub word: usize,
    /// Brackets of any kind inside one another, and selections once every fragment is in its place.
    pub nesting: usize,
    /// Operations in one document.
    pub operations: usize,
    /// Selections (fields, fragments) once every fragment is put in its place.
    pub selections: usize,
    /// Fields inside one another once every fragment is put in its place; introspection is not counted.
    pub depth: usize,
    /// Fields that are renamed or asked for again, fragments put in their place.
    pub aliases: usize,
    /// Directives in one place.
    pub directives: usize,
    /// Directives in all, fragments put in their place.
    pub directives_in_all: usize,
    /// Arguments of one field.
    pub arguments: usize,
    /// Values in arguments once every fragment and variable is in its place; long texts count as several.
    pub values: usize,
    /// Fields in the answer, lists counted at the length that was asked for. The engine counts them, by what the schema
    /// says of each field.
    pub complexity: usize,
    /// What introspection is reckoned to answer, in fields.
    pub introspection: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024,
            tokens: 2_000,
            word: 128,
            nesting: 40,
            operations: 20,
            selections: 2_000,
            depth: 10,
            aliases: 15,
            directives: 5,
            directives_in_all: 50,
            arguments: 20,
            values: 5_000,
            complexity: 5_000,
            introspection: 250_000,
        }
    }
}

/// Why a request is not looked at any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// See [`Bounds::bytes`].
    #[error("the query is longer than {0} bytes")]
    Bytes(usize),
    /// See [`Bounds::tokens`].
    #[error("the query has more than {0} tokens")]
    Tokens(usize),
    /// See [`Bounds::word`].
    #[error("a name or number of the query is longer than {0} bytes")]
    Word(usize),
    /// See [`Bounds::nesting`].
    #[error("the query nests brackets or fragments deeper than {0}")]
    Nesting(usize),
    /// See [`Bounds::operations`].
    #[error("the document holds more than {0} operations")]
    Operations(usize),
    /// See [`Bounds::selections`].
    #[error("the query selects more than {0} things")]
    Selections(usize),
    /// See [`Bounds::depth`].
    #[error("the query nests fields deeper than {0}")]
    Depth(usize),
    /// See [`Bounds::aliases`].
    #[error("the query renames or repeats more than {0} fields")]
    Aliases(usize),
    /// See [`Bounds::directives`].
    #[error("the query has more than {0} directives in one place")]
    Directives(usize),
    /// See [`Bounds::directives_in_all`].
    #[error("the query has more than {0} directives")]
    DirectivesInAll(usize),
    /// See [`Bounds::arguments`].
    #[error("a field of the query has more than {0} arguments")]
    Arguments(usize),
    /// See [`Bounds::values`].
    #[error("the query's arguments and variables hold more than {0} values")]
    Values(usize),
    /// See [`Bounds::introspection`].
    #[error("the query asks too much about the schema at once: more than {0} fields")]
    Introspection(usize),
    /// A fragment that contains itself has no end.
    #[error("a fragment of the query spreads itself")]
    Cycle,
    /// One operation is one intent: a list of a thousand votes is not.
    #[error("a mutation may ask for each field once, and this one repeats {0:?}")]
    Again(String),
    /// Two fields that would stand under the same name in the answer.
    #[error("two different fields of the query go by the name {0:?}; give one of them an alias")]
    Conflict(String),
    /// A block string without its end: where it ends is a matter of opinion, and brackets could hide in it.
    #[error("a text that begins with \"\"\" does not end")]
    Unfinished,
}

/// What was found on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// It asks about the schema (`__schema` or `__type`).
    pub introspects: bool,
}

impl Bounds {
    /// Looks at the text, once, without recursion.
    ///
    /// # Errors
    /// [`TooMuch`] at the first bound that is crossed.
    pub fn check_text(&self, source: &str) -> Result<(), TooMuch> {
        text::check(self, source)
    }

    /// Looks at the parsed document with its variables; every fragment is measured once, however often it is spread.
    ///
    /// # Errors
    /// [`TooMuch`] at the first bound that the document crosses.
    pub fn check_document(
        &self,
        document: &ExecutableDocument,
        variables: &Map<String, Value>,
    ) -> Result<Survey, TooMuch> {
        let survey = measure::check(self, document, variables)?;
        merge::check(self, document)?;
        Ok(survey)
    }
}

/// Stops at the first thing that is more than its bound.
fn at_most(bound: usize, found: usize, too_much: fn(usize) -> TooMuch) -> Result<(), TooMuch> {
    if found > bound { Err(too_much(bound)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
