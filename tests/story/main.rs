//! A venue and its cloud, both of the built programs: what one knows the other learns, whatever happens between them.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod evening;
mod kills;
mod ledger;
mod pair;
