//! The stream of what moves: server-sent events without data of their own.

use std::fmt;
use std::time::Duration;

use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::NoAnswer;
use super::line::Line;
use crate::wire::Scope;

/// The cloud says something each 10 s; who hears nothing for this long hears nothing any more.
const SILENCE: Duration = Duration::from_secs(22);

/// No event is longer.
const MOST_EVENT: usize = 64 * 1024;

/// Something moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poke {
    /// Where.
    pub scope: Scope,
    /// Up to which number.
    #[serde(alias = "seq")]
    pub head: i64,
}

/// An open stream.
pub struct Live {
    line: Line,
    body: Incoming,
    unread: Vec<u8>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl Live {
    pub(super) fn new(line: Line, body: Incoming) -> Self {
        Self { line, body, unread: Vec::new() }
    }

    /// The next poke.
    ///
    /// # Errors
    /// When the stream has ended.
    pub async fn next(&mut self) -> Result<Poke, NoAnswer> {
        loop {
            if let Some(poke) = take_poke(&mut self.unread) {
                return Ok(poke);
            }
            if self.unread.len() > MOST_EVENT {
                return Err(NoAnswer::Line("an event without an end".to_owned()));
            }
            let piece = timeout(SILENCE, self.line.piece(&mut self.body)).await;
            let piece = piece
                .map_err(|_elapsed| NoAnswer::Silent("the stream of news has fallen silent".to_owned()))?;
            match piece.map_err(NoAnswer::line)? {
                Some(piece) => self.unread.extend_from_slice(&piece),
                None => return Err(NoAnswer::Line("the stream has ended".to_owned())),
            }
        }
    }
}

/// Takes lines until one is a poke. Comments and fields that are not known are skipped.
fn take_poke(unread: &mut Vec<u8>) -> Option<Poke> {
    while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = unread.drain(..=end).collect();
        let data = line.trim_ascii().strip_prefix(b"data:");
        if let Some(poke) = data.and_then(|data| serde_json::from_slice(data.trim_ascii()).ok()) {
            return Some(poke);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pokes_are_read_between_comments_and_across_pieces() {
        let scope = "venue:00000000-0000-0000-0000-000000000007";
        let mut unread =
            format!(": still here\n\ndata: {{\"scope\":\"{scope}\",\"head\":7}}\n\nda").into_bytes();
        assert_eq!(take_poke(&mut unread), Some(Poke { scope: scope.parse().unwrap(), head: 7 }));
        assert_eq!(take_poke(&mut unread), None);
        unread.extend_from_slice(format!("ta: {{\"scope\":\"{scope}\",\"seq\":8}}\n").as_bytes());
        assert_eq!(take_poke(&mut unread).map(|poke| poke.head), Some(8));
    }
}
