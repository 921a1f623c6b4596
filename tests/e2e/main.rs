//! The product's walkthrough on the built program, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod backup;
mod clocks;
mod demo;
mod documents;
mod examples;
mod fairness;
mod kills;
mod library;
mod refusals;
mod repeats;
mod rot;
mod staying;
mod walkthrough;
