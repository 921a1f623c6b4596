//! The player's line to its hub, against a server that speaks real TLS and misbehaves on demand.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod asking;
mod fetching;
mod handshakes;
mod hub;
mod orders;
mod pairing;
