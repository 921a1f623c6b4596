//! What a player shows of itself: on the status line, to `roomtone-player status`, and to its hub with each heartbeat.

use roomtone_schema::play::Tier;
use serde::{Deserialize, Serialize};

use roomtone_schema::player::PlayerMode;

/// How it stands with the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum HubState {
    /// It belongs to no hub yet.
    NotPaired,
    /// Nobody has answered yet.
    Searching,
    /// In reach.
    Linked {
        /// Where.
        address: String,
    },
    /// Out of reach: the plan plays, then the cache.
    Away {
        /// Why, in a sentence.
        why: String,
    },
    /// The hub knows this player no more.
    Revoked,
}

/// A player at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// What it is called.
    pub name: String,
    /// The venue, once paired.
    pub venue: Option<String>,
    /// The hub.
    pub hub: HubState,
    /// By order: playing, paused, stopped.
    pub mode: PlayerMode,
    /// What plays.
    pub song: Option<SongView>,
    /// The title of what comes next.
    pub next: Option<String>,
    /// 0 to 1.
    pub volume: f32,
    /// RMS of the output, in dBFS.
    pub level_db: f32,
    /// Unplanned silence since the start, in milliseconds.
    pub silence_ms: u64,
    /// Whether it is silent right now and should not be.
    pub silent_now: bool,
    /// The output, in words.
    pub output: String,
    /// Why it does not play.
    pub output_trouble: Option<String>,
    /// For how long the plan lasts that is on the disk, in milliseconds.
    pub planned_ms: u64,
    /// Songs on the disk.
    pub cached_songs: u64,
    /// Free on the disk, in bytes.
    pub disk_free_bytes: Option<u64>,
    /// Plays that the hub does not know yet.
    pub untold_plays: u64,
    /// Whether the machine's clock can be right.
    pub clock_trusted: bool,
    /// Somebody who claims to be the hub and is not.
    pub rogue: Option<String>,
    /// Times that a song stumbled because the disk or the processor was late.
    pub underruns: u64,
}

/// A song that plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SongView {
    /// What people call it.
    pub title: String,
    /// By whom.
    pub artist: Option<String>,
    /// Where in the file, in milliseconds.
    pub position_ms: u64,
    /// The whole file.
    pub duration_ms: u64,
    /// From which tier.
    pub tier: Tier,
}

/// As people call a song.
pub fn title_of(title: &str, artist: Option<&str>) -> String {
    artist.map_or_else(|| title.to_owned(), |artist| format!("{title} by {artist}"))
}

impl View {
    /// Of a player that has only just begun.
    pub fn beginning(name: String) -> Self {
        Self {
            name,
            venue: None,
            hub: HubState::Searching,
            mode: PlayerMode::Playing,
            song: None,
            next: None,
            volume: 1.0,
            level_db: -120.0,
            silence_ms: 0,
            silent_now: false,
            output: String::new(),
            output_trouble: None,
            planned_ms: 0,
            cached_songs: 0,
            disk_free_bytes: None,
            untold_plays: 0,
            clock_trusted: true,
            rogue: None,
            underruns: 0,
        }
    }
}
