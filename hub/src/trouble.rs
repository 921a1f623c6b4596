//! What an operator is told when something cannot be done: what happened, what it means for the music, what to do.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, DEFAULT_PORT};
use crate::store::OpenError;

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

    /// The address cannot be listened on.
    pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> Self {
        let (what, remedy) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                format!("Port {} is taken by another program, perhaps another hub.", address.port()),
                format!(
                    "Stop that one, or choose another port: --listen {}:{}.",
                    written(address),
                    other_port(address)
                ),
            ),
            io::ErrorKind::AddrNotAvailable => (
                format!("This machine has no address {}.", address.ip()),
                "Listen on one it has, or on all: --listen [::]:4700.".to_owned(),
            ),
            io::ErrorKind::PermissionDenied => (
                format!("This user may not listen on port {}.", address.port()),
                format!("Choose a port above 1023: --listen {}:{DEFAULT_PORT}.", written(address)),
            ),
            _ => (
                format!("The hub cannot listen on {address}: {error}."),
                "Choose another address with --listen.".to_owned(),
            ),
        };
        Self::new(what, "This hub did not start; nobody can reach it, and it plays nothing.", remedy)
    }

    /// A file of the hub's own could not be read or written.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            format!("The hub could not {doing} {}: {error}.", path.display()),
            "Without it the hub does not start.",
            "Check that the folder exists and belongs to this user, or choose another with --data DIR.",
        )
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

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        let what = format!("The configuration cannot be used: {error}");
        Self::new(
            if what.contains('\n') { what } else { sentence(&what) },
            "The hub did not start.",
            "Mend the setting; hub.example.toml shows them all, and --print-config what holds now.",
        )
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        // The store's own words say what to do where the folder is the matter.
        let remedy = match &error {
            OpenError::Newer { .. } => "Or bring back a backup of this version: roomtone-hub restore FILE.",
            OpenError::Damaged { .. } => "Make room beside it, then start again.",
            OpenError::Io(_) | OpenError::Sqlite(_) => {
                "Check the disk and the folder's owner, then start again."
            }
            _ => "",
        };
        Self::new(sentence(&error.to_string()), "The hub did not start, so it plays nothing.", remedy)
    }
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

fn written(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

fn other_port(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(DEFAULT_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_says_what_to_type_instead() {
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let told = Trouble::cannot_listen("[::]:4700".parse().unwrap(), &taken).to_string();
        assert!(told.starts_with("Port 4700 is taken") && told.ends_with("--listen [::]:4701."), "{told}");
    }

    #[test]
    fn words_become_a_sentence() {
        assert_eq!(sentence("no music yet"), "No music yet.");
        assert_eq!(sentence("Done!"), "Done!");
    }
}
