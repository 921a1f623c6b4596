//! A player that belongs to no hub asks for the code in its own terminal, so that whoever starts it needs no second one.
//!
//! Nothing waits for an answer: a service has nobody at its terminal, and plays on without one.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{pair, say};
use crate::identity::Identity;
use crate::player::Setup;

/// How often it is looked whether something was typed, or the player was paired in another way.
const LOOK: Duration = Duration::from_millis(300);

/// More than any code has; a longer line is none, and is read past.
const LONGEST_LINE: usize = 1_024;

/// Takes codes until the player is paired, or nobody can type any more.
pub(super) async fn until_paired(setup: &Setup) {
    let mut typed = Typed::default();
    while !matches!(Identity::load(&setup.data), Ok(Some(_))) {
        match typed.line() {
            Line::Over => return,
            Line::NotYet => tokio::time::sleep(LOOK).await,
            Line::Whole(line) if line.trim().is_empty() => {}
            Line::Whole(line) => {
                if let Err(trouble) = pair(setup, line.trim()).await {
                    say(format!("{trouble}\nType the code again."));
                }
            }
        }
    }
}

/// What was typed and is not yet a line.
#[derive(Debug, Default)]
struct Typed {
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(String),
    NotYet,
    /// Standard input has ended, or cannot be read.
    Over,
}

impl Typed {
    fn line(&mut self) -> Line {
        if let Some(line) = self.take() {
            return line;
        }
        if !is_ready() {
            return Line::NotYet;
        }
        let mut piece = [0; 256];
        match rustix::io::read(io::stdin(), &mut piece) {
            Ok(read @ 1..) => {
                self.bytes.extend_from_slice(&piece[..read]);
                self.take().unwrap_or(Line::NotYet)
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Line::NotYet,
            Ok(_) | Err(_) => Line::Over,
        }
    }

    fn take(&mut self) -> Option<Line> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            // Of a line that is too long its beginning is enough to be told that it is no code.
            self.bytes.truncate(LONGEST_LINE);
            return None;
        };
        let line = self.bytes.drain(..=end).collect::<Vec<u8>>();
        Some(Line::Whole(String::from_utf8_lossy(&line).into_owned()))
    }
}

/// Whether something can be read without waiting for it. A program in the background of a terminal would be stopped by
/// reading from it, and the music with it.
fn is_ready() -> bool {
    let stdin = io::stdin();
    let is_elsewhere = || rustix::termios::tcgetpgrp(&stdin) != Ok(rustix::process::getpgrp());
    if stdin.is_terminal() && is_elsewhere() {
        return false;
    }
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut typed = Typed { bytes: b"1234 56".to_vec() };
        assert_eq!(typed.take(), None);
        typed.bytes.extend_from_slice(b"78\r\n\nroom");
        assert_eq!(typed.take(), Some(Line::Whole("1234 5678\r\n".to_owned())));
        assert_eq!(typed.take(), Some(Line::Whole("\n".to_owned())));
        assert_eq!(typed.take(), None);
        typed.bytes.extend_from_slice(&[b'x'; 5_000]);
        assert_eq!((typed.take(), typed.bytes.len()), (None, LONGEST_LINE));
    }
}
