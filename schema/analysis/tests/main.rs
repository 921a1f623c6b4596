//! What the analysis says about signals that we made ourselves, and about files that mean it harm.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]
#![expect(clippy::disallowed_methods, reason = "a child that hangs shows on a real clock only")]

mod accuracy;
mod damaged;
mod encoded;
mod signals;
mod worker;
