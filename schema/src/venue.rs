//! Venues and their zones.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::embedding::AXES;
use crate::id::{VenueId, ZoneId};
use crate::schedule::Schedule;
use crate::song::SongKind;

/// One café, spa, gallery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Venue {
    /// Made when the hub was first started.
    pub id: VenueId,
    /// What people call it.
    pub name: String,
    /// IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// A part of a venue with its own players and vibe; every venue has one named `main`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// Made when the zone first appeared in the configuration.
    pub id: ZoneId,
    /// `main`, `terrace`, ...
    pub name: String,
    /// How it behaves.
    pub settings: ZoneSettings,
}

/// How a zone behaves. Defaults are those of the product; each is a setting of the hub's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZoneSettings {
    /// What the zone sounds like when nobody is there, and the prior of every taste: five numbers in [-1, 1].
    pub profile: Option<[f32; AXES]>,
    /// How many people the profile counts as while somebody is there (0 to 20; 0 = it stands in for nobody only).
    pub profile_weight: f64,
    /// 0 = plain mean of tastes, 1 = strict turns.
    pub fairness: f64,
    /// How long a song rests after it was played, in hours (1 to 48).
    pub penalty_hours: u32,
    /// Overlap of two songs, in milliseconds (0 to 20,000; 0 = gapless).
    pub crossfade_ms: u32,
    /// The loudness that every song is brought to, in LUFS (-40 to -5).
    pub loudness_lufs: f32,
    /// Whether songs tagged explicit are played. Unknown counts as clean.
    pub allow_explicit: bool,
    /// For how long the same artist is not repeated, in minutes, best effort (0 to 240).
    pub artist_separation_min: u32,
    /// The share of the people in the room that must want a skip (0.1 to 1).
    pub skip_share: f64,
    /// However small the room: never fewer than this many people skip a song.
    pub skip_min: u32,
    /// Whether listeners see what comes next.
    pub show_up_next: bool,
    /// Whether check-in asks for the rotating code, so that a photo of the poster is not enough.
    pub require_rotating_code: bool,
    /// Which kinds of songs are played; empty = all, also those of no known kind.
    pub kinds: Vec<SongKind>,
    /// How loud the zone's players are, in percent; left out = as somebody has set each of them.
    pub volume_percent: Option<u8>,
    /// When it is open, and what it sounds like when.
    pub schedule: Schedule,
}

impl Default for ZoneSettings {
    fn default() -> Self {
        Self {
            profile: None,
            profile_weight: 0.0,
            fairness: 0.5,
            penalty_hours: 4,
            crossfade_ms: 5_000,
            loudness_lufs: -16.0,
            allow_explicit: false,
            artist_separation_min: 60,
            skip_share: 0.5,
            skip_min: 2,
            show_up_next: true,
            require_rotating_code: false,
            kinds: Vec::new(),
            volume_percent: None,
            schedule: Schedule::default(),
        }
    }
}

impl ZoneSettings {
    /// The penalty as a duration.
    pub fn penalty(&self) -> Duration {
        Duration::from_secs(u64::from(self.penalty_hours) * 3_600)
    }
}
