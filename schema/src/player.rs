//! Players: boxes with a loudspeaker.

use serde::{Deserialize, Serialize};

use crate::id::{PlayerId, SongId, ZoneId};
use crate::time::UnixMillis;

/// What a player is doing, in the older plan's three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayerStatus {
    /// Playing.
    Active,
    /// There, not playing.
    Idle,
    /// Not heard of.
    #[default]
    Offline,
}

/// A player and its last sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Player {
    /// Made when it was added.
    pub id: PlayerId,
    /// What people call it.
    pub name: String,
    /// Its NFC tag, if it has one: a name, never a secret.
    pub tag: Option<String>,
    /// Where it stands.
    pub zone: ZoneId,
    /// Active, idle, offline.
    pub status: PlayerStatus,
    /// What it plays right now.
    pub current_song: Option<SongId>,
    /// Its heartbeat.
    pub last_seen_at: Option<UnixMillis>,
    /// 0 to 1.
    pub volume: f32,
    /// Unplanned silence that it has reported since it was added, in milliseconds.
    pub silence_ms: u64,
    /// When it was added.
    pub created_at: UnixMillis,
}
