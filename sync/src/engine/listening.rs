//! Hearing of what moves: a stream of pokes, or polls where streams do not last here. Neither is needed for what is right;
//! both are only sooner than the next hello.

use std::time::Duration;

use super::{Done, Engine, Lane, Step, millis};
use crate::backoff::SHORTEST;
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
                for poke in &pokes {
                    self.poked(poke.scope, poke.head);
                }
                // A poll that is answered at once, again and again, must not become a loop.
                if !pokes.is_empty() && !self.is_open {
                    self.pace(Lane::Live).not_before = now + millis(SHORTEST);
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

    /// A feed that ends before where it was read to belongs to a cloud that was put back: that is for the next hello.
    fn poked(&mut self, scope: Scope, head: i64) {
        if self.cursors.get(&scope).is_some_and(|cursor| cursor.seq > head) {
            self.hello_at = 0;
        }
        self.note_head(scope, head);
    }

    fn known_heads(&self) -> Vec<(Scope, i64)> {
        self.heads.iter().map(|(scope, head)| (*scope, *head)).collect()
    }
}
