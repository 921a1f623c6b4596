//! Goal 2: the index names the same songs in the same order as the rule itself in f64, in every random case.

use std::sync::Arc;
use std::time::Duration;

use roomtone_hub::index::{Index, ZoneOrder};
use roomtone_schema::id::Id as _;
use roomtone_schema::rank::{Candidate, Ranked, rank, rank_plan};
use roomtone_schema::seed::Seeded;
use roomtone_schema::vector::Axes;
use roomtone_schema::{Embedding, SongId, UnixMillis};

use crate::library::{NOW, WINDOW};

/// Runs `cases` random cases of both rules and prints how many came out identical.
pub(crate) fn check(cases: u64) {
    let identical = (0..cases).filter(|seed| Case::new(*seed).is_identical()).count() as u64;
    let verdict = if identical == cases { "ok" } else { "MISSED" };
    println!(
        "BENCH | 2 | identical ids, both rules, random cases (ties, zero vibes, all resting, k > n) | {identical} | \
         f64 rule {cases} | {:.2} % | 100 % | {verdict}",
        identical as f64 / cases as f64 * 100.0
    );
}

struct Case {
    candidates: Vec<Candidate>,
    vibe: Axes,
    k: usize,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut chance = Seeded::new(seed);
        let songs = match chance.next_u64() % 4 {
            0 => chance.next_u64() % 8,
            1 => chance.next_u64() % 2_000,
            _ => chance.next_u64() % 300,
        } as usize;
        let on_a_grid = chance.next_u64().is_multiple_of(2);
        let share_heard = chance.next_u64() % 9;
        let candidates = (0..songs).map(|_| candidate(&mut chance, on_a_grid, share_heard)).collect();
        let is_zero = chance.next_u64().is_multiple_of(6);
        let vibe = numbers(&mut chance, on_a_grid).map(|value| f64::from(value) / 2.3);
        let k = [1, 10, songs + 5, 3][(chance.next_u64() % 4) as usize];
        Self { candidates, vibe: if is_zero { [0.0; 5] } else { vibe }, k }
    }

    fn is_identical(&self) -> bool {
        let songs = self.candidates.iter().map(|one| (one.song, one.embedding));
        let plays = self.candidates.iter().filter_map(|one| Some((one.song, one.last_played_at?)));
        let order = ZoneOrder::new(Arc::new(Index::build(songs)), plays, WINDOW, NOW);
        let by_plan = rank_plan(&self.vibe, &self.candidates, NOW, WINDOW);
        let by_rank = rank(&self.vibe, &self.candidates, NOW, WINDOW);
        self.same(&order.rank_plan(&self.vibe, self.k, NOW, WINDOW), &by_plan)
            && self.same(&order.rank(&self.vibe, self.k, NOW), &by_rank)
    }

    fn same(&self, found: &[Ranked], all: &[Ranked]) -> bool {
        let expected = &all[..self.k.min(all.len())];
        found.iter().map(|one| one.song).eq(expected.iter().map(|one| one.song))
    }
}

fn candidate(chance: &mut Seeded, on_a_grid: bool, share_heard: u64) -> Candidate {
    let song = SongId::from_bytes(std::array::from_fn(|_| chance.next_u64() as u8));
    let embedding = Embedding::new(numbers(chance, on_a_grid)).ok();
    let ago = Duration::from_secs(chance.next_u64() % if share_heard == 8 { 14_400 } else { 60_000 });
    let last_played_at: Option<UnixMillis> = (chance.next_u64() % 8 < share_heard).then(|| NOW - ago);
    Candidate { song, embedding, last_played_at }
}

fn numbers(chance: &mut Seeded, on_a_grid: bool) -> [f32; 5] {
    std::array::from_fn(|_| {
        let value = chance.next_share() as f32 * 2.0 - 1.0;
        if on_a_grid { value.round() } else { value }
    })
}
