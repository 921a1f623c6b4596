//! A venue and its cloud, both of the built programs: what one knows the other learns, whatever happens between them.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]
#![expect(clippy::print_stdout, reason = "how long each took is part of the story")]

mod evening;
mod guests;
mod kills;
mod ledger;
mod pair;
mod players;
mod power;
mod week;
