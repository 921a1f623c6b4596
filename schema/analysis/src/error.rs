//! Why a file did not become a song.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file that could not be analysed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct AnalysisError {
    /// The file as it was named to us.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a file. Crosses the process boundary as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The operating system would not let us read it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// A folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Zero bytes, or a container with no sound in it.
    #[error("it is empty: there is no sound in it")]
    Empty,
    /// Its content is no audio we know of, whatever its name says.
    #[error("it is not audio{}", .0.as_ref().map(|what| format!(": it looks like {what}")).unwrap_or_default())]
    NotAudio(Option<String>),
    /// Audio, but of a kind that we cannot decode.
    #[error("{0} is not supported (MP3, FLAC, Ogg Vorbis, WAV and AAC are)")]
    Unsupported(String),
    /// Its container promises more sound than is there.
    #[error("it is cut short{}", missing(*.decoded_ms, *.declared_ms))]
    Truncated {
        /// What could be decoded.
        decoded_ms: u64,
        /// What the container says, where that part of it is still there.
        declared_ms: Option<u64>,
    },
    /// Longer than any song.
    #[error("it is longer than {0} hours")]
    TooLong(u64),
    /// Larger than any song.
    #[error("it is larger than {} MB", .0 / 1_000_000)]
    TooBig(u64),
    /// Its bytes contradict each other.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Decoding it took more processor time than its length allows, or stood still.
    #[error("looking at it took too long")]
    TimedOut,
    /// Decoding it wanted more memory than a song may.
    #[error("looking at it took too much memory")]
    OutOfMemory,
    /// Decoding it ended the child process.
    #[error("looking at it crashed the decoder: {0}")]
    Crashed(String),
    /// The child process could not be started: nothing is known about the file.
    #[error("the analysis could not be started: {0}")]
    NotStarted(String),
}

impl Reason {
    /// Whether the fault lies with the file, so that trying again is no use.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Unreadable(_) | Self::NotStarted(_))
    }
}

fn missing(decoded_ms: u64, declared_ms: Option<u64>) -> String {
    let of = |declared| format!(": only {} of {} are there", seconds(decoded_ms), seconds(declared));
    declared_ms.map_or_else(|| ": its end is missing".to_owned(), of)
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
