//! The exact in-memory index: the hot path of every recommendation.
//!
//! It answers both ranking rules of the schema with the same songs in the same order as the rules themselves, in
//! about the time it takes to read five numbers per song once. The vectors are shared ([`Index`]); each zone keeps
//! its own order of them ([`ZoneOrder`]), because rest is per zone.
//!
//! How it stays exact: directions lie in five f32 columns (plus one for what the last play costs), the rested songs
//! before the resting ones, so that leaving the resting out costs nothing. A scan in blocks finds the k-th best
//! score in f32; everything that comes near it is scored again in f64 by the rule itself, and sorted by
//! (score, id). What is absent: approximation, and any state that the store does not have.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use roomtone_schema::rank::{Candidate, Ranked, Ranking};
use roomtone_schema::replay::Remembering;
use roomtone_schema::vector::{Axes, centroid};
use roomtone_schema::{Embedding, SongId, UnixMillis};

mod order;
mod scan;

pub use order::ZoneOrder;

/// The catalogue's playable songs and their five numbers, shared by all zones. Never changes: a new catalogue is a
/// new index.
#[derive(Debug, Default)]
pub struct Index {
    /// Sorted, so that a lower slot is a lower id and ties need no look-up.
    songs: Vec<SongId>,
    /// By slot.
    embeddings: Vec<Option<Embedding>>,
    slots: HashMap<SongId, u32>,
    centroid: Option<Axes>,
}

impl Index {
    /// Takes all playable songs, in any order; of a song that comes twice the last counts.
    pub fn build(songs: impl IntoIterator<Item = (SongId, Option<Embedding>)>) -> Self {
        let mut all: Vec<(SongId, Option<Embedding>)> = songs.into_iter().collect();
        all.sort_by_key(|(song, _)| *song);
        all.reverse();
        all.dedup_by_key(|(song, _)| *song);
        all.reverse();
        let (songs, embeddings): (Vec<SongId>, Vec<Option<Embedding>>) = all.into_iter().unzip();
        let slots = songs.iter().zip(0..).map(|(song, slot)| (*song, slot)).collect();
        let units: Vec<Axes> = embeddings.iter().flatten().map(Embedding::unit).collect();
        Self { songs, embeddings, slots, centroid: centroid(&units) }
    }

    /// How many songs it holds.
    pub fn len(&self) -> usize {
        self.songs.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.songs.is_empty()
    }

    /// The middle of the catalogue: what an empty room without a profile hears.
    pub fn centroid(&self) -> Option<Axes> {
        self.centroid
    }

    fn candidate(&self, slot: u32, last_played_at: Option<UnixMillis>) -> Candidate {
        let at = slot as usize;
        Candidate { song: self.songs[at], embedding: self.embeddings[at], last_played_at }
    }
}

impl Ranking for ZoneOrder {
    type Error = Infallible;

    fn window(&self) -> Duration {
        self.rest_window()
    }

    fn top(&self, vibe: &Axes, k: usize, now: UnixMillis) -> Result<Vec<Ranked>, Infallible> {
        Ok(self.rank(vibe, k, now))
    }
}

impl Remembering for ZoneOrder {
    fn hear(&mut self, song: SongId, at: UnixMillis) {
        self.expire(at);
        self.mark_played(song, at);
    }

    fn rest_for(&mut self, window: Duration) {
        self.set_window(window);
    }

    fn ranks(&self, song: SongId) -> bool {
        self.index().slots.contains_key(&song)
    }
}

#[cfg(test)]
mod tests;
