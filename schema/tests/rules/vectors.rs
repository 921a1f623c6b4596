//! The shared test vectors, on the Rust rules. They are written by `vectors/generate.py`, which knows the rules only
//! from their description; the cloud's SQL and the hub's SQLite answer to the same files.

use std::time::Duration;

use roomtone_schema::fairness::{Debt, misery};
use roomtone_schema::rank::{Candidate, Ranked, Standing, rank, rank_plan};
use roomtone_schema::taste::{TasteState, fixed_unit, taste};
use roomtone_schema::vector::Axes;
use roomtone_schema::vibe::{Presence, presence_weight, vibe};
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{Embedding, SongId, UnixMillis, rest};
use serde::Deserialize;

/// Engines may differ in the last bits of a score (each has its own `exp`), never in the order.
const SAME_SCORE: f64 = 1e-12;

#[derive(Deserialize)]
struct RankCase {
    name: String,
    now: UnixMillis,
    window_ms: u64,
    vibe: Axes,
    songs: Vec<Song>,
    expect: Vec<Place>,
}

#[derive(Deserialize)]
struct Song {
    id: SongId,
    embedding: Option<Embedding>,
    last_played_at: Option<UnixMillis>,
}

#[derive(Deserialize)]
struct Place {
    id: SongId,
    standing: Standing,
    score: f64,
}

type Rule = fn(&Axes, &[Candidate], UnixMillis, Duration) -> Vec<Ranked>;

#[test]
fn rank_orders_the_shared_vectors() {
    check_ranking(include_str!("../../vectors/rank.json"), rank);
}

#[test]
fn rank_plan_orders_the_shared_vectors() {
    check_ranking(include_str!("../../vectors/rank_plan.json"), rank_plan);
}

fn check_ranking(file: &str, rule: Rule) {
    let cases: Vec<RankCase> = serde_json::from_str(file).expect("the file is of this shape");
    assert!(cases.len() >= 15, "the file has lost its cases");
    for case in cases {
        let candidates: Vec<Candidate> = case.songs.iter().map(Song::candidate).collect();
        let ranked = rule(&case.vibe, &candidates, case.now, Duration::from_millis(case.window_ms));
        assert_eq!(ranked.len(), case.expect.len(), "{}", case.name);
        for (found, expected) in ranked.iter().zip(&case.expect) {
            assert_eq!((found.song, found.standing), (expected.id, expected.standing), "{}", case.name);
            assert_near(found.score, expected.score, &case.name);
        }
    }
}

impl Song {
    fn candidate(&self) -> Candidate {
        Candidate { song: self.id, embedding: self.embedding, last_played_at: self.last_played_at }
    }
}

#[derive(Deserialize)]
struct TasteCase {
    name: String,
    votes: Vec<CastVote>,
    prior: Option<Axes>,
    state: TasteState,
    taste: Option<Axes>,
}

#[derive(Deserialize)]
struct CastVote {
    value: VoteValue,
    embedding: Embedding,
}

#[test]
fn votes_fold_into_the_shared_tastes_to_the_last_bit() {
    let cases: Vec<TasteCase> =
        serde_json::from_str(include_str!("../../vectors/taste.json")).expect("the file is of this shape");
    for case in cases {
        let mut state = TasteState::default();
        for vote in &case.votes {
            state.add(vote.value, &fixed_unit(&vote.embedding));
        }
        assert_eq!(state, case.state, "{}", case.name);
        assert_eq!(taste(&state, case.prior), case.taste, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct VibeFile {
    rooms: Vec<RoomCase>,
    presences: Vec<PresenceCase>,
}

#[derive(Deserialize)]
struct RoomCase {
    name: String,
    room: Vec<Presence>,
    vibe: Option<roomtone_schema::vibe::Vibe>,
}

#[derive(Deserialize)]
struct PresenceCase {
    now: UnixMillis,
    last_seen_at: UnixMillis,
    expires_at: UnixMillis,
    weight: f64,
}

#[test]
fn rooms_have_the_shared_vibes() {
    let file: VibeFile =
        serde_json::from_str(include_str!("../../vectors/vibe.json")).expect("the file is of this shape");
    for case in file.rooms {
        let found = vibe(&case.room);
        assert_eq!(found.is_some(), case.vibe.is_some(), "{}", case.name);
        if let (Some(found), Some(expected)) = (found, case.vibe) {
            assert_near(found.consensus, expected.consensus, &case.name);
            found.axes.iter().zip(expected.axes).for_each(|(a, b)| assert_near(*a, b, &case.name));
        }
    }
    for case in file.presences {
        let weight = presence_weight(case.now, case.last_seen_at, case.expires_at);
        assert_near(weight, case.weight, "presence");
    }
}

#[derive(Deserialize)]
struct FairnessFile {
    debts: Vec<DebtCase>,
    misery: Vec<MiseryCase>,
}

#[derive(Deserialize)]
struct DebtCase {
    name: String,
    fairness: f64,
    heard: Vec<(f64, f64)>,
    owed: f64,
    factor: f64,
    drought: u32,
    longest_drought: u32,
}

#[derive(Deserialize)]
struct MiseryCase {
    fairness: f64,
    tastes: Vec<Axes>,
    song: Axes,
    misery: f64,
}

#[test]
fn debts_weigh_as_in_the_shared_vectors() {
    let file: FairnessFile =
        serde_json::from_str(include_str!("../../vectors/fairness.json")).expect("the file is of this shape");
    for case in file.debts {
        let mut debt = Debt::default();
        case.heard.iter().for_each(|(cosine, mean)| debt.hear(*cosine, *mean));
        assert_near(debt.owed, case.owed, &case.name);
        assert_near(debt.factor(case.fairness), case.factor, &case.name);
        assert_eq!(
            (debt.drought, debt.longest_drought),
            (case.drought, case.longest_drought),
            "{}",
            case.name
        );
    }
    for case in file.misery {
        assert_near(misery(case.fairness, &case.tastes, &case.song), case.misery, "misery");
    }
}

#[derive(Deserialize)]
struct RestFile {
    now: UnixMillis,
    windows: Vec<WindowCase>,
    songs: Vec<RestCase>,
}

#[derive(Deserialize)]
struct WindowCase {
    #[serde(rename = "penalty_ms")]
    penalty: u64,
    #[serde(rename = "library_ms")]
    library: u64,
    #[serde(rename = "window_ms")]
    window: u64,
}

#[derive(Deserialize)]
struct RestCase {
    ago_ms: i64,
    window_ms: u64,
    resting: bool,
    penalty: f64,
}

#[test]
fn songs_rest_as_in_the_shared_vectors() {
    let file: RestFile =
        serde_json::from_str(include_str!("../../vectors/rest.json")).expect("the file is of this shape");
    let ms = Duration::from_millis;
    for case in file.windows {
        assert_eq!(rest::window(ms(case.penalty), ms(case.library)), ms(case.window));
    }
    for case in file.songs {
        let played_at = Some(UnixMillis(file.now.0 - case.ago_ms));
        let window = ms(case.window_ms);
        assert_eq!(rest::is_resting(file.now, played_at, window), case.resting, "{} ms", case.ago_ms);
        assert_eq!(rest::rests_until(file.now, played_at, window).is_some(), case.resting);
        assert_near(rest::penalty(file.now, played_at, window), case.penalty, "penalty");
    }
}

fn assert_near(found: f64, expected: f64, name: &str) {
    assert!((found - expected).abs() <= SAME_SCORE, "{name}: {found} instead of {expected}");
}
