//! Plays: one song played on one player, and how it ended.

use serde::{Deserialize, Serialize};

use crate::id::{PickId, PlayId, PlayerId, SongId, ZoneId};
use crate::time::UnixMillis;

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayEnd {
    /// Heard to its end.
    Finished,
    /// The room voted it away, or a manager skipped it.
    Skipped,
    /// Could not be played.
    Failed,
    /// The player was stopped, or has not been heard of.
    Stopped,
}

/// Where the music comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The hub picked it just now.
    #[default]
    Hub,
    /// The hub is out of reach; the player follows its look-ahead plan.
    Plan,
    /// The plan has run out; the player plays from its cache.
    Cache,
}

/// One song on one player: a row of `songs_playing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Play {
    /// Made when the player began.
    pub id: PlayId,
    /// On which player.
    pub player: PlayerId,
    /// In which zone.
    pub zone: ZoneId,
    /// Which song.
    pub song: SongId,
    /// By which decision, where there was one.
    pub pick: Option<PickId>,
    /// When it began.
    pub started_at: UnixMillis,
    /// When it ended.
    pub ended_at: Option<UnixMillis>,
    /// How it ended.
    pub ended: Option<PlayEnd>,
    /// Milliseconds that were really heard, as the player reports.
    pub heard_ms: Option<u32>,
    /// Hub, plan or cache.
    pub tier: Tier,
}
