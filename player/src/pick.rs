//! What the hub has decided should play, with all that is needed to play it, also when the hub is gone.

use std::time::Duration;

use roomtone_schema::song::Sha256;
use roomtone_schema::{PickId, SongId};
use serde::{Deserialize, Serialize};

/// One song as the hub hands it out: current, or in the look-ahead plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// Which decision. `None` where the player chose from its own cache.
    pub pick: Option<PickId>,
    /// What plays.
    pub song: SongId,
    /// As people call it.
    pub title: String,
    /// By whom, where the file says.
    pub artist: Option<String>,
    /// The whole file, in milliseconds.
    pub duration_ms: u32,
    /// The file's content: its name in the cache.
    pub sha256: Sha256,
    /// The file's size.
    pub bytes: u64,
    /// Where the hub has it: a path with its permission, such as `/media/ab12...?e=...&s=...`.
    pub media_url: String,
    /// Overlap with the song before, in milliseconds; 0 is gapless.
    pub crossfade_ms: u32,
    /// Where the music starts, in milliseconds.
    pub cue_in_ms: u32,
    /// Where the music ends.
    pub cue_out_ms: u32,
    /// What brings the song to the zone's loudness, in dB.
    pub gain_db: f32,
}

impl Pick {
    /// The whole file.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.duration_ms.into())
    }

    /// From cue to cue.
    pub fn music(&self) -> Duration {
        Duration::from_millis(u64::from(self.cue_out_ms.saturating_sub(self.cue_in_ms)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use roomtone_schema::UnixMillis;
    use roomtone_schema::id::Id as _;

    use super::*;

    /// A song of two minutes.
    pub(crate) fn pick(n: u8) -> Pick {
        Pick {
            pick: Some(PickId::mint(UnixMillis(i64::from(n)), [n; 10])),
            song: SongId::mint(UnixMillis(1), [n; 10]),
            title: format!("Song {n}"),
            artist: None,
            duration_ms: 121_000,
            sha256: Sha256([n; 32]),
            bytes: 1_000,
            media_url: format!("/media/{n}"),
            crossfade_ms: 5_000,
            cue_in_ms: 500,
            cue_out_ms: 120_000,
            gain_db: -3.0,
        }
    }

    #[test]
    fn music_is_what_lies_between_the_cues() {
        assert_eq!(pick(1).music(), Duration::from_millis(119_500));
    }
}
