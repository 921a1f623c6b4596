//! Voting: likes and dislikes.

use roomtone_schema::vote::{Vote, VoteValue};
use roomtone_schema::{AXES, IdempotencyKey, SongId};

use crate::check_in::NoViewer;
use crate::refusal::{Refusal, RefusalCode};
use crate::store::StoreError;

/// A like or dislike to count.
#[derive(Debug, Clone, Copy)]
pub struct VoteInput {
    /// Makes a retry the same vote.
    pub key: IdempotencyKey,
    /// For what.
    pub song: SongId,
    /// Like or dislike.
    pub value: VoteValue,
}

/// Counted, and durable.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Voted {
    /// The listener's effective vote for the song.
    pub vote: Vote,
    /// Their taste after it, where it has a direction.
    pub taste: Option<[f64; AXES]>,
}

/// Why a vote was not counted.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// Not here (any more).
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// Never heard of it.
    #[error("this song is not in the venue's catalogue; reload the page")]
    UnknownSong,
    /// It was there once.
    #[error("this song was taken out of the catalogue; vote for another")]
    WithdrawnSong,
    /// The 11th in a minute.
    #[error("that is a lot of votes; try again in {retry_s} seconds")]
    TooOften {
        /// When to try again.
        retry_s: u64,
    },
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the vote could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for VoteError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::UnknownSong | Self::WithdrawnSong => Some(RefusalCode::NotFound),
            Self::TooOften { .. } => Some(RefusalCode::RateLimited),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::UnknownSong | Self::WithdrawnSong => Some(&["input", "songId"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            Self::NotHere(_) | Self::TooOften { .. } | Self::Store(_) => None,
        }
    }
}
