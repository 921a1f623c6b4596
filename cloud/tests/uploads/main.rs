//! Songs come into the catalogue: straight into a real S3 that verifies signatures, and from there, looked at in a
//! child process, into a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod analysing;
mod desk;
mod graph;
mod hostile;
mod hubs;
mod media;
mod parts;
#[path = "../support/postgres.rs"]
mod postgres;
mod store;
mod uploading;
