//! The hub's front, from the outside: bytes on a socket in, bytes out. The hub behind it is the real one.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod graphql;
mod http;
mod influence;
mod matrix;
mod media;
mod pages;
mod pin;
mod refusals;
mod secure;
mod socket;
mod terminal;
mod venue;
mod watching;
