//! What an operator is told when something cannot be done: what happened, what it means for the music, what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A failure in three sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What happened.
    pub what: String,
    /// What it means for the music.
    pub meaning: String,
    /// What to do.
    pub remedy: String,
}

impl Trouble {
    /// The three sentences.
    pub fn new(what: impl Into<String>, meaning: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), meaning: meaning.into(), remedy: remedy.into() }
    }

    /// An order that was not carried out while the music goes on as before.
    pub fn harmless(what: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self::new(sentence(&what.to_string()), "The music is as it was.", remedy)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences = [&self.what, &self.meaning, &self.remedy].map(String::as_str);
        let said: Vec<&str> = sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect();
        // Where something of several lines is quoted, what follows begins on a line of its own.
        f.write_str(&said.join(if self.what.contains('\n') { "\n" } else { " " }))
    }
}

impl std::error::Error for Trouble {}

/// The first `most` characters of what somebody else said, fit for a log and a terminal: without what moves a cursor or
/// turns a line around.
pub fn harmless(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_odd(c) { ' ' } else { c }).collect()
}

/// Whether a character does something to a terminal instead of standing there.
pub fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The words as a sentence: a capital letter in front, a full stop at the end.
pub fn sentence(words: &str) -> String {
    let mut letters = words.trim().chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let mut sentence: String = first.chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_sentence() {
        assert_eq!(sentence("no music yet"), "No music yet.");
        assert_eq!(sentence("Done!"), "Done!");
    }

    #[test]
    fn what_others_say_moves_no_cursor_and_turns_no_line() {
        assert_eq!(harmless("no\u{1b}[2J\u{202e}on Hüb \u{2615}", 99), "no [2J on Hüb \u{2615}");
        assert_eq!(harmless("abcdef", 3), "abc");
    }

    #[test]
    fn what_does_not_matter_is_not_said() {
        assert_eq!(Trouble::new("It broke.", "", "Mend it.").to_string(), "It broke. Mend it.");
        assert_eq!(Trouble::harmless("no", "Go on.").to_string(), "No. The music is as it was. Go on.");
    }
}
