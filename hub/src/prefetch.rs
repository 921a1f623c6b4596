//! Which files a hub fetches, in which order, and which may give way to them. Pure: values in, a plan out.
//!
//! What plays and what comes within the hour stands first and never gives way. Then the rest of the plan, then what the
//! zone would like best. A file that is here stays a good deal longer than its rank alone would have it, so that a room
//! that changes its mind does not carry files back and forth. What the cloud has not verified is nowhere else: it stays
//! whatever its rank, and is counted. Where the venue's licence lets no song be kept, far less is fetched, and what was heard
//! goes at once ([`plan_needed`]).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use roomtone_schema::SongId;

pub use crate::store::media_sync::Origin;
pub use needed::plan_needed;

mod needed;

/// A song, as far as fetching cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Whose.
    pub song: SongId,
    /// How long it is.
    pub bytes: u64,
    /// Whether it is here.
    pub here: bool,
    /// Whether the cloud has it, verified: only then can it be fetched, and only then may it give way.
    pub stored: bool,
    /// Whether this venue plays it. What it does not is not fetched, and gives way first.
    pub wanted: bool,
    /// Where it came from: a licence that lets nobody keep songs speaks of the cloud's.
    pub origin: Origin,
    /// How long it plays.
    pub music: Duration,
}

impl File {
    fn is_own(&self) -> bool {
        self.origin == Origin::Here
    }
}

/// What the zones want, each list in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What plays, and what comes within the next hour.
    pub soon: Vec<SongId>,
    /// What is planned after that.
    pub planned: Vec<SongId>,
    /// For each zone its songs, best first.
    pub ranked: Vec<Vec<SongId>>,
    /// What no zone should hear again so soon.
    pub resting: HashSet<SongId>,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// To fetch, in this order.
    pub fetch: Vec<SongId>,
    /// What may give way, in this order, and only as far as it must.
    pub spare: Vec<SongId>,
    /// To remove now: the licence lets nobody keep them.
    pub gone: Vec<SongId>,
    /// Here beyond the licence, as nothing else has come yet, and silence is worse: each play of one is counted.
    pub over: Vec<SongId>,
    /// Files that stay because they are nowhere else.
    pub pinned: usize,
    /// What these weigh.
    pub pinned_bytes: u64,
}

/// Decides within `budget` bytes for all files together.
pub fn plan(files: &[File], wishes: &Wishes, budget: u64) -> Plan {
    let by_song: HashMap<SongId, &File> = files.iter().map(|file| (file.song, file)).collect();
    let pinned: Vec<&File> = files.iter().filter(|file| file.here && !file.stored).collect();
    let mut keep: HashSet<SongId> = pinned.iter().map(|file| file.song).collect();
    let pinned_bytes = pinned.iter().map(|file| file.bytes).sum();
    let mut used: u64 = pinned_bytes;
    let is_here = |song: &SongId| by_song.get(song).is_some_and(|file| file.here);
    // The next hour is not weighed against anything.
    for song in wishes.soon.iter().filter(|song| is_here(song)) {
        if keep.insert(*song) {
            used += by_song[song].bytes;
        }
    }
    let order = order(wishes, &is_here);
    let mut fetch = Vec::new();
    for song in &order {
        let Some(file) = by_song.get(song) else { continue };
        if keep.contains(song) || !file.wanted || !(file.here || file.stored) || budget < used + file.bytes {
            continue;
        }
        keep.insert(*song);
        used += file.bytes;
        if !file.here {
            fetch.push(*song);
        }
    }
    let spare = spare(files, &order, &keep);
    Plan { fetch, spare, pinned: pinned.len(), pinned_bytes, ..Plan::default() }
}

/// Which of the spare files give way so that `coming` more bytes fit beside `held` ones; all that is spare where even that
/// is not enough.
pub fn giving_way(spare: &[File], held: u64, coming: u64, budget: u64) -> Vec<SongId> {
    let mut excess = (held + coming).saturating_sub(budget);
    let mut gone = Vec::new();
    for file in spare {
        if excess == 0 {
            break;
        }
        excess = excess.saturating_sub(file.bytes);
        gone.push(file.song);
    }
    gone
}

/// All wishes as one list, without repetitions.
fn order(wishes: &Wishes, is_here: &impl Fn(&SongId) -> bool) -> Vec<SongId> {
    let mut seen = HashSet::new();
    let ranked: Vec<_> = wishes.ranked.iter().map(|zone| sticky(zone, is_here)).collect();
    let liked = in_turn(&ranked);
    let all = wishes.soon.iter().chain(&wishes.planned).copied().chain(liked);
    all.filter(|song| seen.insert(*song)).collect()
}

/// A ranking in which what is here stands a quarter of the list further up: another file must be clearly better.
fn sticky(ranked: &[SongId], is_here: &impl Fn(&SongId) -> bool) -> Vec<SongId> {
    let ahead = ranked.len() / 4;
    let mut placed: Vec<(usize, bool, usize, SongId)> = ranked
        .iter()
        .enumerate()
        .map(|(place, song)| {
            if is_here(song) {
                (place.saturating_sub(ahead), false, place, *song)
            } else {
                (place, true, place, *song)
            }
        })
        .collect();
    placed.sort_unstable();
    placed.into_iter().map(|(.., song)| song).collect()
}

/// One of each list in turn: no zone waits for another.
fn in_turn(lists: &[Vec<SongId>]) -> Vec<SongId> {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|place| lists.iter().filter_map(move |list| list.get(place).copied())).collect()
}

/// What is here and not kept, the least wanted first.
fn spare(files: &[File], order: &[SongId], keep: &HashSet<SongId>) -> Vec<SongId> {
    let places: HashMap<SongId, usize> =
        order.iter().enumerate().map(|(place, song)| (*song, place)).collect();
    let mut spare: Vec<&File> =
        files.iter().filter(|file| file.here && file.stored && !keep.contains(&file.song)).collect();
    let rank =
        |file: &File| (file.wanted, std::cmp::Reverse(places.get(&file.song).copied().unwrap_or(usize::MAX)));
    spare.sort_unstable_by_key(|file| (rank(file), file.song));
    spare.into_iter().map(|file| file.song).collect()
}

#[cfg(test)]
mod tests;
