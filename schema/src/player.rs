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

/// What a manager ordered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlayerMode {
    /// Play.
    #[default]
    Playing,
    /// Hold, and go on from there.
    Paused,
    /// Play nothing.
    Stopped,
}

/// How a player says that it is. What it cannot say it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlayerHealth {
    /// How loud its output is right now, in dB below full scale.
    pub level_db: Option<f64>,
    /// Whether nothing is heard though something should be.
    pub silent: bool,
    /// Room on its disk.
    pub disk_free_bytes: Option<u64>,
    /// Songs that it holds.
    pub cached_songs: Option<u32>,
    /// For how long it could play on without the hub.
    pub planned_ms: Option<u64>,
    /// Whether it believes its clock.
    pub clock_trusted: Option<bool>,
    /// What it plays on.
    pub output: Option<String>,
    /// What is wrong with that.
    pub output_trouble: Option<String>,
    /// Its program's version.
    pub version: Option<String>,
    /// Somebody on the network who says to be its hub and is not.
    pub rogue: Option<String>,
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
    /// Whether it was paired, so that its secret counts over TLS only.
    #[serde(default)]
    pub paired: bool,
    /// When its secret was made, where it was paired.
    #[serde(default)]
    pub secret_made_at: Option<UnixMillis>,
    /// What a manager ordered last.
    #[serde(default)]
    pub mode: PlayerMode,
}
