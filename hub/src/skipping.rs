//! Voting to skip: a share of the room decides, never one phone.

use crate::check_in::NoViewer;
use crate::refusal::{Refusal, RefusalCode};
use crate::store::StoreError;

/// Why a wish to skip was not counted.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Not here (any more).
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// Silence cannot be skipped.
    #[error("nothing plays that could be skipped")]
    NothingPlays,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the vote to skip could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for SkipError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::NothingPlays => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        matches!(self, Self::KeyUsed).then_some(&["input", "idempotencyKey"])
    }
}
