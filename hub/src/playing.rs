//! What players do: claim the next song, say what they play, take orders.

use std::sync::Arc;

use roomtone_schema::player::Player;

use crate::refusal::{Refusal, RefusalCode};
use crate::store::StoreError;
use crate::view::PickView;

/// The next song and what to do should the hub be gone after it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Play this.
    pub pick: Arc<PickView>,
    /// And then these, hours of them.
    pub plan: Vec<Arc<PickView>>,
}

/// A new player and the secret it shows from now on.
#[derive(Debug, Clone)]
pub struct AddedPlayer {
    /// Its record.
    pub player: Player,
    /// Shown this once.
    pub token: String,
}

/// Why there is no song for a player.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Not one of ours (any more).
    #[error("this player is not known here; add it with `roomtone-hub player add NAME`")]
    UnknownPlayer,
    /// The catalogue is empty, or no file of it is here.
    #[error("no music yet: run `roomtone-hub import DIR`")]
    NoMusic,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the pick could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for ClaimError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::Forbidden),
            Self::NoMusic => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not one of ours (any more).
    #[error("this player is not known here; add it with `roomtone-hub player add NAME`")]
    UnknownPlayer,
    /// Never heard of it.
    #[error("this song or pick is not of this venue")]
    UnknownSong,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the report could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for ReportError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::Forbidden),
            Self::UnknownSong => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }
}

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Not one of ours (any more).
    #[error("this venue has no such player")]
    UnknownPlayer,
    /// A volume outside 0 to 1, or none where one is needed.
    #[error("a volume is a number from 0 to 1")]
    BadVolume,
    /// Ours.
    #[error("the order could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for CommandError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::NotFound),
            Self::BadVolume => Some(RefusalCode::Invalid),
            Self::Store(_) => None,
        }
    }
}

/// Why a player was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddPlayerError {
    /// Empty, too long, or with control characters.
    #[error("a player's name has 1 to 60 characters, all of them printable")]
    BadName,
    /// Another player has this tag.
    #[error("another player has this tag already; give each its own")]
    TagTaken,
    /// There is no such zone.
    #[error("this venue has no such zone")]
    UnknownZone,
    /// Ours.
    #[error("the player could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for AddPlayerError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::BadName => Some(RefusalCode::Invalid),
            Self::TagTaken => Some(RefusalCode::Conflict),
            Self::UnknownZone => Some(RefusalCode::NotFound),
            Self::Store(_) => None,
        }
    }
}
