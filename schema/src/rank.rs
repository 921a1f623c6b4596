//! Two named ranking rules. Both are total: whatever the vectors, every song has one place.
//!
//! - [`rank_plan`] is the older plan's formula made total: what `recommend_with_penalty` answers in Postgres.
//! - [`rank`] is what Roomtone plays by.
//!
//! Both sort rested songs first, those without a direction behind the others, then resting songs by oldest play.
//! A rested song without a direction stands before every resting one: better an unknown song than the same again.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::embedding::Embedding;
use crate::id::SongId;
use crate::rest::{is_resting, penalty};
use crate::time::UnixMillis;
use crate::vector::{Axes, dot, unit};

/// A song that could be played, as far as ranking cares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub song: SongId,
    /// Its five numbers, where it has them.
    pub embedding: Option<Embedding>,
    /// When the zone last heard it.
    pub last_played_at: Option<UnixMillis>,
}

/// The group a song is ranked in; earlier ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Has rested and has a direction.
    Rested,
    /// Has rested and has no direction, so that nothing is known of how it fits.
    Unknown,
    /// Was played too recently.
    Resting,
}

/// A song with its place's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which.
    pub song: SongId,
    /// Its group.
    pub standing: Standing,
    /// In `rank`: dot of vibe and direction. In `rank_plan`: cosine. 0 without a direction.
    pub similarity: f64,
    /// What its last play costs it; 0 in `rank_plan`.
    pub penalty: f64,
    /// What it is sorted by within its group, highest first.
    pub score: f64,
    /// When the zone last heard it.
    pub last_played_at: Option<UnixMillis>,
}

impl Ranked {
    /// The order of both rules: group; among resting songs the oldest play; score; id.
    pub fn order(&self, other: &Self) -> Ordering {
        let oldest_first = || match self.standing {
            Standing::Resting => self.last_played_at.cmp(&other.last_played_at),
            _ => Ordering::Equal,
        };
        self.standing
            .cmp(&other.standing)
            .then_with(oldest_first)
            .then_with(|| other.score.total_cmp(&self.score))
            .then_with(|| self.song.cmp(&other.song))
    }
}

/// Something that can name the best songs for a vibe by the rule [`rank`]: a slice, an index, a database.
pub trait Ranking {
    /// Why it may fail to.
    type Error;

    /// How long songs rest here.
    fn window(&self) -> Duration;

    /// The best `k` songs at `now`, best first; fewer only where there are no more.
    ///
    /// # Errors
    /// Where the engine behind it fails.
    fn top(&self, vibe: &Axes, k: usize, now: UnixMillis) -> Result<Vec<Ranked>, Self::Error>;
}

/// The rule itself over songs in memory: the oracle that every other engine must equal.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// All playable songs.
    pub candidates: Vec<Candidate>,
    /// From [`crate::rest::window`].
    pub window: Duration,
}

impl Ranking for Shelf {
    type Error = std::convert::Infallible;

    fn window(&self) -> Duration {
        self.window
    }

    fn top(&self, vibe: &Axes, k: usize, now: UnixMillis) -> Result<Vec<Ranked>, Self::Error> {
        let mut ranked = rank(vibe, &self.candidates, now, self.window);
        ranked.truncate(k);
        Ok(ranked)
    }
}

/// What Roomtone plays by: `dot(vibe, direction) - exp(-age / window)`, window from [`crate::rest::window`].
pub fn rank(vibe: &Axes, candidates: &[Candidate], now: UnixMillis, window: Duration) -> Vec<Ranked> {
    sorted(candidates.iter().map(|candidate| place(vibe, candidate, now, window)))
}

/// The place of one song by the rule [`rank`].
pub fn place(vibe: &Axes, candidate: &Candidate, now: UnixMillis, window: Duration) -> Ranked {
    let similarity = candidate.embedding.map_or(0.0, |embedding| similarity(vibe, &embedding));
    let penalty = penalty(now, candidate.last_played_at, window);
    Ranked {
        song: candidate.song,
        standing: standing(candidate, now, window),
        similarity,
        penalty,
        score: similarity - penalty,
        last_played_at: candidate.last_played_at,
    }
}

/// The older plan's formula made total; its window is the zone's penalty, whatever the library's length.
pub fn rank_plan(query: &Axes, candidates: &[Candidate], now: UnixMillis, window: Duration) -> Vec<Ranked> {
    let query = unit(query);
    sorted(candidates.iter().map(|candidate| place_plan(query.as_ref(), candidate, now, window)))
}

/// The place of one song by the rule [`rank_plan`]; `query` has length 1, or is `None` where it has no direction.
///
/// The score is minus the cosine distance; no direction on either side is a distance of 1.
pub fn place_plan(query: Option<&Axes>, candidate: &Candidate, now: UnixMillis, window: Duration) -> Ranked {
    let cosine = match (query, candidate.embedding) {
        (Some(query), Some(embedding)) => similarity(query, &embedding),
        _ => 0.0,
    };
    Ranked {
        song: candidate.song,
        standing: standing(candidate, now, window),
        similarity: cosine,
        penalty: 0.0,
        score: cosine - 1.0,
        last_played_at: candidate.last_played_at,
    }
}

/// Dot of a vibe and a song's direction; a vibe that is not finite counts as none.
pub fn similarity(vibe: &Axes, embedding: &Embedding) -> f64 {
    let dot = dot(vibe, &embedding.unit());
    if dot.is_finite() { dot } else { 0.0 }
}

fn standing(candidate: &Candidate, now: UnixMillis, window: Duration) -> Standing {
    if is_resting(now, candidate.last_played_at, window) {
        Standing::Resting
    } else if candidate.embedding.is_none() {
        Standing::Unknown
    } else {
        Standing::Rested
    }
}

fn sorted(places: impl Iterator<Item = Ranked>) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = places.collect();
    ranked.sort_unstable_by(Ranked::order);
    ranked
}
