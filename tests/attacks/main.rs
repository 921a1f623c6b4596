//! Attacks on the built program, each with what it must come to: documents that would eat the hub, pages elsewhere that
//! would speak through a guest's browser, clients that hold on and never let go, and questions that are not theirs.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod canaries;
mod connections;
mod cost;
mod documents;
mod doors;
mod questions;
mod scanner;
mod sockets;
mod wire;
