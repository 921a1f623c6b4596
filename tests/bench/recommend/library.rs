//! The workload: songs in every direction, of which the 500 nearest to the room's vibe were heard within the window.

use std::sync::Arc;
use std::time::Duration;

use roomtone_hub::index::{Index, ZoneOrder};
use roomtone_schema::id::Id as _;
use roomtone_schema::rank::Candidate;
use roomtone_schema::seed::Seeded;
use roomtone_schema::vector::{Axes, dot, unit};
use roomtone_schema::{Embedding, SongId, UnixMillis};

pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
pub(crate) const WINDOW: Duration = Duration::from_hours(4);

/// Songs that rest: those that were recommended, which is what makes it hard.
pub(crate) const RESTING: usize = 500;

/// Different questions, drifting around the room's vibe.
pub(crate) const QUERIES: usize = 64;

/// Candidates, in the order of their rows in a database, and the questions.
pub(crate) struct Library {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) queries: Vec<Axes>,
}

impl Library {
    pub(crate) fn new(songs: usize) -> Self {
        let mut chance = Seeded::new(songs as u64);
        let vibe = direction(&mut chance);
        let mut candidates: Vec<Candidate> = (0..songs).map(|_| candidate(&mut chance)).collect();
        let mut by_nearness: Vec<usize> = (0..songs).collect();
        let nearness =
            |at: &usize| candidates[*at].embedding.map_or(-1.0, |embedding| dot(&vibe, &embedding.unit()));
        by_nearness.sort_by(|a, b| nearness(b).total_cmp(&nearness(a)));
        for (at, nth) in by_nearness.into_iter().zip(0_u32..) {
            // The nearest within the window; one in twenty of the others some days ago.
            let ago = match nth as usize {
                ..RESTING => Some(Duration::from_secs(u64::from(nth) * 28)),
                _ if nth.is_multiple_of(20) => Some(WINDOW + Duration::from_secs(u64::from(nth) % 600_000)),
                _ => None,
            };
            candidates[at].last_played_at = ago.map(|ago| NOW - ago);
        }
        let drift = |_| {
            let off = direction(&mut chance);
            unit(&std::array::from_fn(|axis| vibe[axis] + 0.3 * off[axis])).unwrap()
        };
        let queries = (0..QUERIES).map(drift).collect();
        Self { candidates, queries }
    }

    pub(crate) fn order(&self) -> ZoneOrder {
        let songs = self.candidates.iter().map(|one| (one.song, one.embedding));
        let plays = self.candidates.iter().filter_map(|one| Some((one.song, one.last_played_at?)));
        ZoneOrder::new(Arc::new(Index::build(songs)), plays, WINDOW, NOW)
    }
}

fn candidate(chance: &mut Seeded) -> Candidate {
    let random = std::array::from_fn(|_| chance.next_u64() as u8);
    let embedding = Embedding::new(direction(chance).map(|value| value as f32)).ok();
    Candidate { song: SongId::mint(NOW, random), embedding, last_played_at: None }
}

/// Any direction, evenly: a sum of three even numbers is near enough to a normal one.
pub(crate) fn direction(chance: &mut Seeded) -> Axes {
    loop {
        let numbers: Axes = std::array::from_fn(|_| (0..3).map(|_| chance.next_share() - 0.5).sum());
        if let Some(direction) = unit(&numbers) {
            return direction;
        }
    }
}
