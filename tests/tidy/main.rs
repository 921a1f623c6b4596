//! Keeps the house in order: the doors between crates, the shape of files, what may be depended on, and documents that
//! speak of things that exist. Reads `cargo metadata` and the source; needs no network.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod dependencies;
mod documents;
mod doors;
mod shape;
mod source;
