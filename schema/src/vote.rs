//! Votes: a listener's like or dislike of a song.

use serde::{Deserialize, Serialize};

use crate::id::{ListenerId, SessionId, SongId, VoteId};
use crate::time::UnixMillis;

/// Like (+1) or dislike (-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoteValue {
    /// More of this.
    Like,
    /// Less of this.
    Dislike,
}

/// Hybrid logical clock: 48 bits of milliseconds, 16 bits of counter. Decides ties between votes, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The next reading after `self`, not before `now`.
    #[must_use]
    pub fn tick(self, now: UnixMillis) -> Self {
        let physical = now.0.max(0).cast_unsigned() << 16;
        Self(physical.max(self.0.saturating_add(1)))
    }
}

/// One vote as it was cast; a later one by the same listener for the same song replaces its effect, not its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Made where it was cast.
    pub id: VoteId,
    /// Who.
    pub listener: ListenerId,
    /// In which presence.
    pub session: SessionId,
    /// For what.
    pub song: SongId,
    /// Like or dislike.
    pub value: VoteValue,
    /// Orders votes of one listener for one song; ties by id.
    pub hlc: Hlc,
    /// When, by the hub's steady clock.
    pub cast_at: UnixMillis,
}
