//! Where files are fetched, and where they are put.

use roomtone_schema::SongId;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

/// Asks where the files of some songs are; at most 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadsAsk {
    /// Of the hub's catalogue.
    pub songs: Vec<SongId>,
}

/// Where they are. A song that has no verified file is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloads {
    /// One for each song.
    pub files: Vec<MediaFile>,
    /// For how long the addresses hold.
    pub valid_ms: u64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFile {
    /// Whose.
    pub song: SongId,
    /// A signed address that knows Range.
    pub url: String,
    /// The sum of its bytes.
    pub sha256: ByteArray<32>,
    /// How long it is.
    pub bytes: u64,
}

/// A hub has the file of a song that was born there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadAsk {
    /// As the hub named it in its fact.
    pub song: SongId,
    /// The sum of the bytes.
    pub sha256: ByteArray<32>,
    /// How long it is.
    pub bytes: u64,
    /// What it is.
    pub content_type: String,
}

/// What to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum UploadAnswer {
    /// These very bytes are in the catalogue, verified: nothing to send.
    Have,
    /// The fact about this song has not arrived; push first.
    Unknown,
    /// Put the bytes there, with these headers, then say so.
    Put {
        /// A signed address.
        url: String,
        /// What was signed with it.
        headers: Vec<(String, String)>,
    },
}

/// The bytes are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedAsk {
    /// As in [`UploadAsk`].
    pub song: SongId,
    /// As in [`UploadAsk`].
    pub sha256: ByteArray<32>,
}

/// What became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadedAnswer {
    /// In a word.
    pub state: UploadedState,
    /// Why they were refused, for a person.
    #[serde(default)]
    pub reason: Option<String>,
}

/// See [`UploadedAnswer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadedState {
    /// In the catalogue: the hub may evict its file.
    Verified,
    /// Being read; ask again.
    Verifying,
    /// Not what was announced; put them again.
    Refused,
}
