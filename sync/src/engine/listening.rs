//! Hearing of what moves: a stream of pokes, or polls where streams do not last here. Neither is needed for what is right;
//! both are only sooner than the next hello.

use std::time::Duration;

use super::{Done, Engine, Step, millis};
use crate::wire::Scope;

/// A stream that ends before this did not last.
const SHORT: Duration = Duration::from_secs(10);

/// After so many of them in a row, something between here and the cloud does not let streams pass.
const MOST_SHORT: u32 = 3;

/// For so long it is polled, then a stream is tried again.
const POLLS: Duration = Duration::from_mins(10);

impl Engine {
    pub(super) fn listen(&mut self, now: u64) -> Option<Step> {
        if !self.is_heard() {
            return None;
        }
        if self.is_open {
            return Some(Step::Listen);
        }
        Some(if now < self.poll_until {
            Step::Poll(self.known_heads())
        } else {
            Step::Open(self.known_heads())
        })
    }

    pub(super) fn heard(&mut self, done: Done, now: u64) {
        match done {
            Done::Opened => {
                self.is_open = true;
                self.opened_at = now;
            }
            Done::Pokes(pokes) => {
                for poke in pokes {
                    self.note_head(poke.scope, poke.head);
                }
            }
            _ => {}
        }
    }

    pub(super) fn unheard(&mut self, now: u64) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        if now.saturating_sub(self.opened_at) >= millis(SHORT) {
            self.short_lives = 0;
            return;
        }
        self.short_lives += 1;
        if self.short_lives >= MOST_SHORT {
            self.short_lives = 0;
            self.poll_until = now + millis(POLLS);
        }
    }

    fn known_heads(&self) -> Vec<(Scope, i64)> {
        self.heads.iter().map(|(scope, head)| (*scope, *head)).collect()
    }
}
