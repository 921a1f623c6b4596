//! The built program: how it is started, whom it believes, and what it does when something goes wrong.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod help;
