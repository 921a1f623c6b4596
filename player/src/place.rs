//! Where the player is: written every few seconds, so that one that was killed goes on at the same place.
//!
//! The file is replaced by a rename and not flushed: it outlives the program always and a power cut mostly, and the
//! card of a small box is not worn out by it. One that cannot be read is as good as none.

use std::io;
use std::path::Path;
use std::time::Duration;

use roomtone_schema::PlayId;
use roomtone_schema::play::Tier;
use roomtone_schema::player::PlayerMode;
use serde::{Deserialize, Serialize};

use crate::kept;
use crate::pick::Pick;
use crate::stamp::Stamp;

/// The file's name in the data folder.
const NAME: &str = "place.json";

/// A song that was left longer ago than this is not taken up again: who comes back after a break wants the next one.
pub const STALE: Duration = Duration::from_mins(10);

/// Where the player is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What it was doing, by order.
    pub mode: PlayerMode,
    /// How loud, 0 to 1.
    pub volume: f32,
    /// The song, where there is one.
    pub song: Option<SongPlace>,
    /// When this was written.
    pub at: Stamp,
}

/// Where in which song.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SongPlace {
    /// The play that goes on.
    pub play: PlayId,
    /// What.
    pub pick: Pick,
    /// From which tier.
    pub tier: Tier,
    /// Where in the file.
    pub position_ms: u64,
    /// Heard of this play so far.
    pub heard_ms: u64,
}

impl Place {
    /// The place that was written last; `None` where there is none or it cannot be read.
    pub fn load(data: &Path) -> Option<Self> {
        kept::load(data, NAME)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// Where the disk says no.
    pub fn save(&self, data: &Path) -> io::Result<()> {
        kept::save(data, NAME, self)
    }

    /// The song to take up again, where it was left not too long ago and has something left to hear.
    pub fn to_take_up(&self, now: &Stamp) -> Option<&SongPlace> {
        let song = self.song.as_ref()?;
        let has_more = song.position_ms + u64::from(song.pick.crossfade_ms) < u64::from(song.pick.cue_out_ms);
        (has_more && self.at.ago(now) < STALE).then_some(song)
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::UnixMillis;
    use roomtone_schema::id::Id as _;
    use rstest::rstest;

    use super::*;
    use crate::pick::tests::pick;

    fn at(ms: i64) -> Stamp {
        Stamp { boot: "a".to_owned(), since_boot_ms: ms, wall: UnixMillis(ms) }
    }

    fn place(position_ms: u64) -> Place {
        let play = PlayId::mint(UnixMillis(1), [1; 10]);
        let song = SongPlace { play, pick: pick(1), tier: Tier::Hub, position_ms, heard_ms: 3 };
        Place { mode: PlayerMode::Playing, volume: 0.5, song: Some(song), at: at(0) }
    }

    #[test]
    fn what_was_saved_is_found_and_what_is_torn_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Place::load(folder.path()), None);
        place(5).save(folder.path()).unwrap();
        assert_eq!(Place::load(folder.path()), Some(place(5)));
        std::fs::write(folder.path().join(NAME), b"{\"mode\":\"pla").unwrap();
        assert_eq!(Place::load(folder.path()), None);
    }

    #[rstest]
    #[case::in_the_middle(30_000, 1_000, true)]
    #[case::too_long_ago(30_000, 600_000, false)]
    #[case::in_the_fade_at_its_end(115_001, 1_000, false)]
    fn a_song_is_taken_up_while_it_is_still_the_same_evening(
        #[case] position_ms: u64,
        #[case] later: i64,
        #[case] taken_up: bool,
    ) {
        assert_eq!(place(position_ms).to_take_up(&at(later)).is_some(), taken_up);
    }
}
