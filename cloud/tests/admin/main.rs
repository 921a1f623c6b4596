//! The managers' API, executed as schema over a real Postgres: what each change does, what is refused, who sees what.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../support/postgres.rs"]
mod postgres;

mod catalogue;
mod counting;
mod exporting;
mod fleet;
mod matrix;
mod people;
mod place;
mod reading;
mod watching;
