use std::sync::Arc;

use proptest::prelude::*;
use roomtone_schema::id::Id as _;
use roomtone_schema::rank::{rank, rank_plan};
use roomtone_schema::seed::Seeded;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// A catalogue and its history, as random as a case needs.
struct Case {
    candidates: Vec<Candidate>,
    window: Duration,
    vibe: Axes,
    chance: Seeded,
}

impl Case {
    /// Coordinates on a coarse grid make ties; `played` of 8 songs have been played, some of them long ago.
    fn new(seed: u64, songs: usize, grid: bool, played: u64, tiny_window: bool) -> Self {
        let mut chance = Seeded::new(seed);
        let candidates = (0..songs).map(|_| candidate(&mut chance, grid, played)).collect();
        let window = if tiny_window { Duration::from_millis(90_500) } else { 4 * HOUR };
        let mut vibe = numbers(&mut chance, grid).map(|number| f64::from(number) / 2.3);
        if chance.next_u64().is_multiple_of(8) {
            vibe = [0.0; 5];
        }
        Self { candidates, window, vibe, chance }
    }

    fn order(&self, at: UnixMillis) -> ZoneOrder {
        let songs = self.candidates.iter().map(|one| (one.song, one.embedding));
        let plays = self.candidates.iter().filter_map(|one| Some((one.song, one.last_played_at?)));
        ZoneOrder::new(Arc::new(Index::build(songs)), plays, self.window, at)
    }
}

fn candidate(chance: &mut Seeded, grid: bool, played: u64) -> Candidate {
    let song = random_song(chance);
    let described = !chance.next_u64().is_multiple_of(16);
    let embedding = Embedding::new(numbers(chance, grid)).ok().filter(|_| described);
    let ago = match chance.next_u64() % 4 {
        0 => chance.next_u64() % 100_000,
        1 => 4 * 3_600_000 + chance.next_u64() % 3,
        _ => chance.next_u64() % 36_000_000,
    };
    let last_played_at =
        (chance.next_u64() % 8 < played).then(|| UnixMillis(NOW.0 - ago.cast_signed() / 1_000 * 1_000));
    Candidate { song, embedding, last_played_at }
}

fn random_song(chance: &mut Seeded) -> SongId {
    SongId::from_bytes(std::array::from_fn(|_| chance.next_u64().to_le_bytes()[0]))
}

fn numbers(chance: &mut Seeded, grid: bool) -> [f32; 5] {
    std::array::from_fn(|_| {
        let share = chance.next_share() as f32 * 2.0 - 1.0;
        if grid { share.round() } else { share }
    })
}

fn ids(ranked: &[Ranked]) -> Vec<SongId> {
    ranked.iter().map(|one| one.song).collect()
}

/// Both rules, through the index and by themselves, at three sizes of answer.
fn assert_equals_the_rules(order: &ZoneOrder, case: &Case, now: UnixMillis) {
    let by_rank = rank(&case.vibe, &case.candidates, now, order.rest_window());
    let by_plan = rank_plan(&case.vibe, &case.candidates, now, 4 * HOUR);
    for k in [1, 10, case.candidates.len() + 3] {
        let k_of = |ranked: &[Ranked]| ranked[..k.min(ranked.len())].to_vec();
        assert_eq!(order.rank(&case.vibe, k, now), k_of(&by_rank), "rank, k = {k}");
        let plan = order.rank_plan(&case.vibe, k, now, 4 * HOUR);
        assert_eq!(ids(&plan), ids(&k_of(&by_plan)), "rank_plan, k = {k}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_the_rules_do(
        seed: u64, songs in 0_usize..1_400, grid: bool, played in 0_u64..=8, tiny_window: bool,
    ) {
        let case = Case::new(seed, songs, grid, played, tiny_window);
        assert_equals_the_rules(&case.order(NOW), &case, NOW);
    }

    #[test]
    fn plays_and_passing_time_keep_it_exact(
        seed: u64, songs in 1_usize..600, grid: bool, played in 0_u64..=8, tiny_window: bool,
    ) {
        let mut case = Case::new(seed, songs, grid, played, tiny_window);
        let mut order = case.order(NOW);
        let mut now = NOW;
        for _ in 0..12 {
            now = now + Duration::from_millis(case.chance.next_u64() % 9_000_000);
            let at = (case.chance.next_u64() % songs as u64) as usize;
            case.candidates[at].last_played_at = Some(now);
            order.mark_played(case.candidates[at].song, now);
            if case.chance.next_u64().is_multiple_of(2) {
                order.expire(now);
            }
            let ahead = now + Duration::from_millis(case.chance.next_u64() % 20_000_000);
            let k = 1 + (case.chance.next_u64() % 40) as usize;
            let mut wanted = rank(&case.vibe, &case.candidates, ahead, case.window);
            wanted.truncate(k);
            prop_assert_eq!(order.rank(&case.vibe, k, ahead), wanted);
        }
        assert_equals_the_rules(&order, &case, now);
    }
}

#[test]
fn an_order_asked_for_an_earlier_time_is_exact_as_well() {
    for seed in 0..200 {
        let case = Case::new(seed, 300, seed.is_multiple_of(2), 6, seed.is_multiple_of(3));
        let order = case.order(NOW + 30 * HOUR);
        for before in [1_u32, 29, 31, 4_000] {
            assert_equals_the_rules(&order, &case, NOW + 30 * HOUR - before * HOUR);
        }
    }
}

#[test]
fn a_new_window_and_a_new_catalogue_keep_the_history() {
    let mut case = Case::new(7, 500, false, 5, false);
    let mut order = case.order(NOW);
    order.set_window(HOUR);
    case.window = HOUR;
    assert_equals_the_rules(&order, &case, NOW);
    case.candidates.truncate(250);
    let smaller = Index::build(case.candidates.iter().map(|one| (one.song, one.embedding)));
    assert_equals_the_rules(&order.over(Arc::new(smaller)), &case, NOW);
}

#[test]
fn a_vibe_that_is_no_vibe_still_gets_every_song_in_the_rules_order() {
    let mut case = Case::new(3, 400, false, 4, false);
    for vibe in [[f64::NAN; 5], [f64::INFINITY, 0.0, 0.0, 0.0, 0.0], [1e300; 5], [1e-300; 5], [-0.0; 5]] {
        case.vibe = vibe;
        assert_equals_the_rules(&case.order(NOW), &case, NOW);
    }
}

#[test]
fn an_older_play_than_the_last_changes_nothing() {
    let case = Case::new(11, 40, false, 8, false);
    let mut order = case.order(NOW);
    for candidate in &case.candidates {
        order.mark_played(candidate.song, UnixMillis(0));
    }
    assert_equals_the_rules(&order, &case, NOW);
}

#[test]
fn songs_that_rest_for_no_time_never_rest() {
    let mut case = Case::new(13, 60, false, 8, false);
    case.window = Duration::ZERO;
    assert_equals_the_rules(&case.order(NOW), &case, NOW);
    assert_equals_the_rules(&case.order(NOW), &case, NOW - 9 * HOUR);
}
