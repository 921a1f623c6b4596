//! Who was heard lately, so that an artist is not repeated too soon.

use std::collections::HashMap;
use std::time::Duration;

use crate::song::Song;
use crate::time::UnixMillis;

/// When each artist was last heard in a zone. Songs without an artist are nobody's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArtistLog(HashMap<String, UnixMillis>);

impl ArtistLog {
    /// Counts a song as heard.
    pub fn hear(&mut self, song: &Song, at: UnixMillis) {
        if let Some(artist) = key(song) {
            let last = self.0.entry(artist).or_insert(at);
            *last = at.max(*last);
        }
    }

    /// Forgets what is older than `separation`, so that the log stays as small as the zone's last hour.
    pub fn forget_before(&mut self, now: UnixMillis, separation: Duration) {
        self.0.retain(|_, at| now.since(*at) < separation);
    }

    /// Whether the song's artist was heard less than `separation` ago.
    pub fn heard_within(&self, song: &Song, now: UnixMillis, separation: Duration) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let heard_at = key(song).and_then(|artist| self.0.get(&artist));
        heard_at.is_some_and(|at| now.since(*at) < separation)
    }
}

/// Upper and lower case and stray blanks make no other artist.
fn key(song: &Song) -> Option<String> {
    let artist = song.facts.artist.as_ref()?.trim().to_lowercase();
    (!artist.is_empty()).then_some(artist)
}
