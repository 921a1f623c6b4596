//! Songs: what a file says about itself.

use serde::{Deserialize, Serialize};

use crate::embedding::{Embedding, EmbeddingVersion};
use crate::id::SongId;
use crate::time::UnixMillis;

/// What the words of a song are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Explicit {
    /// Tagged as clean.
    Clean,
    /// Tagged as explicit.
    Explicit,
    /// The file does not say.
    #[default]
    Unknown,
}

/// What sort of piece it is, where somebody has said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SongKind {
    /// A sound of a place: rain, a street, a forest.
    Soundscape,
    /// Music without words.
    Instrumental,
}

/// Where a song stands on its way to being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SongStatus {
    /// Announced, not yet complete.
    Draft,
    /// Its audio is being looked at.
    Analysing,
    /// May be played.
    Ready,
    /// Could not be analysed.
    Failed,
    /// Taken out of the catalogue; its history stays.
    Withdrawn,
}

/// The sha256 of a media file: its name on disk and in `/media/<sha256>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sha256 is 64 hexadecimal digits")]
pub struct Sha256Error;

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl std::str::FromStr for Sha256 {
    type Err = Sha256Error;
    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(Sha256Error);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or(Sha256Error);
            *byte = (nibble(pair[0])? << 4 | nibble(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = Sha256Error;
    fn try_from(text: String) -> Result<Self, Sha256Error> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(sha256: Sha256) -> Self {
        sha256.to_string()
    }
}

/// What the analysis of a file found: everything about a song but its identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SongFacts {
    /// The tag, or the file's name without its ending.
    pub title: String,
    /// Who made it.
    pub artist: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// International Standard Recording Code, 12 characters.
    pub isrc: Option<String>,
    /// Who published it.
    pub label: Option<String>,
    /// Clean, explicit or unknown.
    pub explicit: Explicit,
    /// Soundscape or instrumental, where tagged.
    pub kind: Option<SongKind>,
    /// Exact length in milliseconds, from the decoded samples.
    pub duration_ms: u32,
    /// Beats per minute: the tag's, else the estimate where the pulse is clear (>= 0.2).
    pub bpm: Option<f32>,
    /// How clear the pulse is, 0 to 1.
    pub pulse_clarity: f32,
    /// Musical key such as `Am` or `D#m`: the tag's, else the estimate where it is strong (>= 0.6).
    pub key: Option<String>,
    /// Correlation of the best key's profile, 0 to 1.
    pub key_strength: f32,
    /// Integrated loudness in LUFS (EBU R128); none for digital silence.
    pub loudness_lufs: Option<f32>,
    /// True peak in dBTP; none for digital silence.
    pub true_peak_dbtp: Option<f32>,
    /// Where the sound begins, in milliseconds from the start.
    pub cue_in_ms: u32,
    /// Where the sound ends, in milliseconds from the start.
    pub cue_out_ms: u32,
    /// The five axes; none where the audio has no direction (silence): such a song is playable, in the last tier.
    pub embedding: Option<Embedding>,
    /// What computed `embedding`.
    pub embedding_version: EmbeddingVersion,
    /// Digest of the whole file.
    pub sha256: Sha256,
    /// Size of the whole file.
    pub bytes: u64,
    /// Container and codec by content, never by the file's name: `audio/mpeg`, `audio/flac`, `audio/ogg`,
    /// `audio/wav`, `audio/mp4`, `audio/aac`.
    pub content_type: String,
}

impl SongFacts {
    /// The embedding, where it may be compared with others and with what people want: one of another version counts as
    /// none, until the song is analysed anew.
    pub fn comparable(&self) -> Option<Embedding> {
        self.embedding.filter(|_| self.embedding_version == EmbeddingVersion::CURRENT)
    }
}

/// A song of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Song {
    /// Made where it was imported.
    pub id: SongId,
    /// Ready, withdrawn, ...
    pub status: SongStatus,
    /// What its file says about itself.
    pub facts: SongFacts,
    /// When it joined the catalogue.
    pub created_at: UnixMillis,
}
