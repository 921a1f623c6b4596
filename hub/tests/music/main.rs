//! Music comes into the hub: from a folder of files, and from our own synthesiser.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod demo_songs;
mod import;
