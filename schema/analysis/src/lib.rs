//! An audio file becomes a song: tags, exact length, loudness, cue points, tempo, key and the five axes.
//!
//! [`analyse`] looks at a file in this process; it is for tests and for the child process. Everybody else uses a
//! [`Worker`], which decodes each file in a child process of its own with limits on time and memory, because
//! decoders meet hostile files: whatever a file does to the child, the caller gets a typed [`AnalysisError`] that
//! names the file and the reason, and goes on.
//!
//! A program that uses a [`Worker`] on itself calls [`run_child_if_asked`] first thing in `main`.
//!
//! What is absent on purpose: async, a database, a clock, and any opinion on where files live.

mod analyse;
mod axes;
mod child;
mod cue;
mod decode;
mod error;
mod key;
mod limits;
mod loudness;
mod mpeg;
mod onsets;
mod resample;
mod sniff;
mod spectrum;
mod stft;
mod tags;
mod tempo;
mod worker;

pub use analyse::analyse;
pub use child::{CHILD_COMMAND, run_child_if_asked};
pub use error::{AnalysisError, Reason};
pub use limits::Limits;
pub use sniff::{Container, Sniffed, sniff, sniff_file};
pub use worker::Worker;
