//! What a venue's licence allows: the listeners' view of what comes next, skips, how often one album or artist is heard,
//! and whether songs may be kept.
//!
//! The hub holds to it by itself, with or without the cloud. The default is music that the venue owns or that is free of
//! royalties: everything is allowed.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::song::Song;
use crate::time::UnixMillis;

/// The stretch of time that the performance complement counts in.
pub const COMPLEMENT_WINDOW: Duration = Duration::from_hours(3);

/// Songs of one album in that time, and in a row (17 U.S.C. 114(j)(13)(A)).
pub const OF_AN_ALBUM: (usize, usize) = (3, 2);

/// Songs of one artist in that time, and in a row (17 U.S.C. 114(j)(13)(B)).
pub const OF_AN_ARTIST: (usize, usize) = (4, 3);

/// The most skips an hour that a licence can name: a song a minute.
pub const MOST_SKIPS: u32 = 60;

/// What may lie ready where songs may not be kept: music for this long, so that an outage is not heard.
pub const READY: Duration = Duration::from_hours(1);

/// A venue's licence profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Licence {
    /// Whether listeners may see what comes next, in zones that show it.
    pub show_up_next: bool,
    /// How often an hour a zone may be skipped, by whomever (0 to 60); left out = as often as people like.
    pub skips_per_hour: Option<u32>,
    /// Whether the performance complement is kept: within 3 hours at most 3 songs of an album (2 in a row) and 4 of an
    /// artist (3 in a row).
    pub performance_complement: bool,
    /// Whether songs may be kept on hubs and players beyond what is needed to play on.
    ///
    /// Where they may not be, a player holds what sounds and the plan, which then covers [`READY`] and no more; a hub holds
    /// of what came from a cloud what its plans of that time need and as much again for each zone to choose from. What
    /// was heard goes as soon as what is needed next has come. Songs that were imported at the hub are the venue's own and
    /// stay there. Silence is worse than all that: while nothing new comes, music for [`READY`] stays, is heard
    /// again, and is counted ([`let_go`]).
    pub offline_storage: bool,
}

impl Default for Licence {
    fn default() -> Self {
        Self {
            show_up_next: true,
            skips_per_hour: None,
            performance_complement: false,
            offline_storage: true,
        }
    }
}

impl Licence {
    /// Whether a player may be handed a song that begins so long after the first of its plan.
    pub fn lets_lie_ready(&self, ahead: Duration) -> bool {
        self.offline_storage || ahead < READY
    }

    /// When the next skip may be: `None` is now. `skips` are the zone's of the last hour, in any order.
    pub fn next_skip_at(&self, skips: &[UnixMillis], now: UnixMillis) -> Option<UnixMillis> {
        const HOUR: Duration = Duration::from_hours(1);
        let most = usize::try_from(self.skips_per_hour?).ok()?;
        if most == 0 {
            // Never: told as an hour from now, so that whoever asks again is told so again.
            return Some(now + HOUR);
        }
        let mut lately: Vec<UnixMillis> = skips.iter().copied().filter(|at| now.since(*at) < HOUR).collect();
        lately.sort_unstable();
        let oldest_that_counts = lately.len().checked_sub(most)?;
        Some(lately[oldest_that_counts] + HOUR)
    }
}

/// Which of the songs that nobody needs any more go where songs may not be kept. `spare` has them with their lengths,
/// the first to go first; `needed` is the music that is here and stays anyway. What is left, with it, is music for
/// `least`, or all there is.
pub fn let_go<T>(needed: Duration, spare: Vec<(T, Duration)>, least: Duration) -> Vec<T> {
    let mut left = needed.saturating_add(spare.iter().map(|(_, music)| *music).sum());
    let goes = |(_, music): &(T, Duration)| {
        left = left.saturating_sub(*music);
        least <= left
    };
    spare.into_iter().take_while(goes).map(|(song, _)| song).collect()
}

/// What was heard in the last hours, oldest first, as the performance complement asks for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeardLog(VecDeque<Heard>);

#[derive(Debug, Clone, PartialEq)]
struct Heard {
    at: UnixMillis,
    artist: Option<String>,
    album: Option<String>,
}

impl HeardLog {
    /// Counts a song as heard. A clock that steps back brings nothing out of order.
    pub fn hear(&mut self, song: &Song, at: UnixMillis) {
        let at = self.0.back().map_or(at, |last| at.max(last.at));
        while self.0.front().is_some_and(|first| at.since(first.at) >= COMPLEMENT_WINDOW) {
            self.0.pop_front();
        }
        let (artist, album) = names(song);
        self.0.push_back(Heard { at, artist, album });
    }

    /// Whether the complement would be broken if the song were heard now.
    pub fn would_break(&self, song: &Song, now: UnixMillis) -> bool {
        let (artist, album) = names(song);
        let broken =
            |name: Option<&String>, of: fn(&Heard) -> Option<&String>, (all, in_a_row): (usize, usize)| {
                let is_same = |heard: &&Heard| name.is_some() && of(heard) == name;
                let lately = self.0.iter().filter(|heard| now.since(heard.at) < COMPLEMENT_WINDOW);
                lately.filter(is_same).count() >= all
                    || self.0.iter().rev().take_while(is_same).count() >= in_a_row
            };
        broken(album.as_ref(), |heard| heard.album.as_ref(), OF_AN_ALBUM)
            || broken(artist.as_ref(), |heard| heard.artist.as_ref(), OF_AN_ARTIST)
    }
}

/// The artist and the album as they are compared: upper and lower case and stray blanks make no other one. Two albums of
/// one title count as one: a licence is kept too well rather than not well enough.
fn names(song: &Song) -> (Option<String>, Option<String>) {
    let name = |text: Option<&String>| {
        let text = text?.trim().to_lowercase();
        (!text.is_empty()).then_some(text)
    };
    (name(song.facts.artist.as_ref()), name(song.facts.album.as_ref()))
}
