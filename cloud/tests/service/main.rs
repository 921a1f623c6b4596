//! The built program: how it is started, whom it believes, and what it does when something goes wrong.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../support/postgres.rs"]
mod postgres;

mod doors;
mod fleet;
mod help;
mod issuer;
mod pooler;
mod program;
mod replicas;
mod skip;
mod starting;
mod staying;
mod sync;
mod tokens;
mod trial;
