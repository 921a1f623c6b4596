use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use roomtone_schema::rank::{Shelf, rank, rank_plan};
use roomtone_schema::seed::Seeded;
use roomtone_schema::vector::Axes;
use roomtone_schema::vote::Hlc;
use roomtone_schema::{BootId, Embedding, ZoneId};

use super::super::migrate::migrate;
use super::super::tx::{Known, Stamp};
use super::super::{register_vec, zone_plays};
use super::*;
use crate::index::{Index, ZoneOrder};

const HOUR: Duration = Duration::from_hours(1);
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// A hub's songs and plays of the zone under test, in a database in memory.
struct Library {
    conn: Connection,
    zone: ZoneId,
    shelf: Shelf,
    vibe: Axes,
}

impl Library {
    fn new(seed: u64, songs: usize, grid: bool, zones: u64) -> Self {
        register_vec();
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        let mut chance = Seeded::new(seed);
        let zone = ZoneId::from_bytes([1; 16]);
        let mut library = Self {
            conn,
            zone,
            shelf: Shelf { candidates: Vec::new(), window: 2 * HOUR },
            vibe: numbers(&mut chance, grid).map(|number| f64::from(number) / 2.3),
        };
        library.add(&mut chance, songs, grid, zones);
        library
    }

    fn add(&mut self, chance: &mut Seeded, songs: usize, grid: bool, zones: u64) {
        self.conn.execute_batch("begin").unwrap();
        for _ in 0..songs {
            let song = SongId::from_bytes(std::array::from_fn(|_| chance.next_u64() as u8));
            let embedding =
                Embedding::new(numbers(chance, grid)).ok().filter(|_| !chance.next_u64().is_multiple_of(9));
            // Some were analysed by another version: whatever that says, it is not compared.
            let version = if chance.next_u64().is_multiple_of(7) { 2 } else { EmbeddingVersion::CURRENT.0 };
            insert(&self.conn, song, embedding, version);
            let embedding = embedding.filter(|_| version == EmbeddingVersion::CURRENT.0);
            self.shelf.candidates.push(Candidate { song, embedding, last_played_at: None });
        }
        if chance.next_u64().is_multiple_of(2) {
            self.write(|tx| fill(tx, 1_000));
        }
        for at in 0..songs {
            for zone in 1..=zones {
                if chance.next_u64().is_multiple_of(3) {
                    let ago = Duration::from_millis(chance.next_u64() % 20_000 * 1_000);
                    self.play(at, ZoneId::from_bytes([zone as u8; 16]), NOW - ago);
                }
            }
        }
        self.write(|tx| fill(tx, 1_000));
        self.conn.execute_batch("commit").unwrap();
    }

    fn play(&mut self, at: usize, zone: ZoneId, when: UnixMillis) {
        let song = self.shelf.candidates[at].song;
        self.write(|tx| zone_plays::mark(tx, zone, song, when));
        if zone == self.zone {
            let last = &mut self.shelf.candidates[at].last_played_at;
            *last = (*last).max(Some(when));
        }
    }

    fn write<T>(&self, work: impl Fn(&Tx<'_>) -> rusqlite::Result<T>) -> T {
        let stamp = Stamp { boot: BootId::from_bytes([7; 16]), mono_ms: 0, wall_ms: 0 };
        let (hlc, last_seq) = (Cell::new(Hlc(0)), Cell::new(0));
        work(&Tx::new(&self.conn, stamp, (&hlc, &last_seq, &Known::default()))).unwrap()
    }

    /// Both engines and the rules, over both rules.
    fn assert_all_agree(&self) {
        let engine = VecEngine::new(&self.conn, self.zone, self.shelf.window).unwrap();
        let songs = self.shelf.candidates.iter();
        let index = Index::build(songs.clone().map(|one| (one.song, one.embedding)));
        let plays = songs.filter_map(|one| Some((one.song, one.last_played_at?)));
        let order = ZoneOrder::new(Arc::new(index), plays, self.shelf.window, NOW);
        let candidates = &self.shelf.candidates;
        for k in [0, 1, 10, candidates.len() + 2] {
            let mut expected = rank(&self.vibe, candidates, NOW, self.shelf.window);
            expected.truncate(k);
            assert_eq!(engine.rank(&self.vibe, k, NOW).unwrap(), expected, "rank, k = {k}");
            assert_eq!(order.rank(&self.vibe, k, NOW), expected, "rank in memory, k = {k}");
            let mut expected = rank_plan(&self.vibe, candidates, NOW, 4 * HOUR);
            expected.truncate(k);
            let plan = engine.rank_plan(&self.vibe, k, NOW, 4 * HOUR).unwrap();
            assert_eq!(plan, expected, "rank_plan, k = {k}");
            assert_eq!(order.rank_plan(&self.vibe, k, NOW, 4 * HOUR), expected, "in memory, k = {k}");
        }
    }
}

fn numbers(chance: &mut Seeded, grid: bool) -> [f32; 5] {
    std::array::from_fn(|_| {
        let share = chance.next_share() as f32 * 2.0 - 1.0;
        if grid { share.round() } else { share }
    })
}

fn insert(conn: &Connection, song: SongId, embedding: Option<Embedding>, version: u16) {
    conn.prepare_cached(
        "insert into songs (id, status, sha256, bytes, content_type, title, explicit, duration_ms, pulse_clarity,
             key_strength, cue_in_ms, cue_out_ms, embedding, embedding_version, created_at)
         values (:id, 'ready', randomblob(32), 1, 'audio/flac', 'a', 'unknown', 200000, 0, 0, 0, 0, :embedding,
             :version, 0)",
    )
    .unwrap()
    .execute(named_params! {
        ":id": song.to_bytes(), ":embedding": embedding.map(|embedding| embedding.to_bytes()),
        ":version": version,
    })
    .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_as_the_rules_do(seed: u64, songs in 0_usize..160, grid: bool, zones in 0_u64..3) {
        Library::new(seed, songs, grid, zones).assert_all_agree();
    }
}

#[test]
fn thousands_of_equal_songs_are_told_apart_by_id() {
    let mut library = Library::new(1, 0, false, 0);
    let embedding = Embedding::new([0.5, 0.25, 0.0, 0.0, 1.0]).unwrap();
    library.conn.execute_batch("begin").unwrap();
    let mut chance = Seeded::new(2);
    for _ in 0..5_000 {
        let song = SongId::from_bytes(std::array::from_fn(|_| chance.next_u64() as u8));
        insert(&library.conn, song, Some(embedding), 1);
        library.shelf.candidates.push(Candidate { song, embedding: Some(embedding), last_played_at: None });
    }
    library.write(|tx| fill(tx, 10_000));
    library.conn.execute_batch("commit").unwrap();
    library.assert_all_agree();
}

#[test]
fn a_vibe_without_a_direction_gets_the_rules_order_too() {
    for vibe in [[0.0; 5], [f64::NAN; 5], [1e-9, 0.0, 0.0, 0.0, 0.0], [f64::INFINITY, 1.0, 0.0, 0.0, 0.0]] {
        let mut library = Library::new(5, 80, false, 2);
        library.vibe = vibe;
        library.assert_all_agree();
    }
}

#[test]
fn filling_goes_on_where_it_stopped_and_says_when_it_is_done() {
    let library = Library::new(3, 0, false, 0);
    assert!(is_filled(&library.conn).unwrap());
    for number in 0..25 {
        insert(&library.conn, SongId::from_bytes([number; 16]), Embedding::new([1.0; 5]).ok(), 1);
    }
    assert!(!is_filled(&library.conn).unwrap());
    assert_eq!([library.write(|tx| fill(tx, 10)), library.write(|tx| fill(tx, 10))], [10, 10]);
    assert!(!is_filled(&library.conn).unwrap());
    assert_eq!([library.write(|tx| fill(tx, 10)), library.write(|tx| fill(tx, 10))], [5, 0]);
    assert!(is_filled(&library.conn).unwrap());
    let filled: i64 = library.conn.query_row("select count(*) from song_vec", [], |row| row.get(0)).unwrap();
    assert_eq!(filled, 25);
}

#[test]
fn a_withdrawn_song_leaves_both_engines_and_comes_back() {
    let mut library = Library::new(4, 30, false, 1);
    let withdrawn = library.shelf.candidates.remove(11);
    let set_status = |status: &str| {
        library
            .conn
            .execute("update songs set status = ?1 where id = ?2", (status, withdrawn.song.to_bytes()))
            .unwrap();
        library.write(|tx| refresh(tx, withdrawn.song));
    };
    set_status("withdrawn");
    library.assert_all_agree();
    set_status("ready");
    library.shelf.candidates.push(withdrawn);
    library.assert_all_agree();
}
