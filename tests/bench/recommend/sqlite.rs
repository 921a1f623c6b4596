//! Goal 5: the index beside sqlite-vec's best exact search, and that beside the plan's formula as literal SQL.

use std::hint::black_box;
use std::sync::Arc;

use roomtone_hub::store::Store;
use roomtone_schema::id::Id as _;
use roomtone_schema::vector::Axes;
use roomtone_schema::{SystemClock, UnixMillis};
use rusqlite::{Connection, named_params};

use crate::library::{Library, NOW, QUERIES, WINDOW};
use crate::stopwatch::{Time, at_least, race};

const K: usize = 10;

/// What the older plan asks, as SQLite would be asked it: everything heard within the window is 10 farther away.
const LITERAL_EXISTS: &str = "
    select id from songs
    order by vec_distance_cosine(embedding, :query) + case when exists
        (select 1 from songs_playing where song = songs.row and started_at > :since) then 10 else 0 end
    limit 10";

/// The same, with the heard songs looked up once.
const LITERAL_IN: &str = "
    select id from songs
    order by vec_distance_cosine(embedding, :query)
        + 10 * (row in (select song from songs_playing where started_at > :since))
    limit 10";

/// Times the index, sqlite-vec in two layouts and the literal SQL in two wordings over the same library.
pub(crate) fn measure(songs: usize) {
    let library = Library::new(songs);
    let order = library.order();
    let folder = tempfile::tempdir().unwrap();
    // Opening a store makes sqlite-vec known to every connection of this process.
    let (store, _) = Store::open(folder.path(), Arc::new(SystemClock::new())).unwrap();
    let conn = fill(&library);
    assert_same_answers(&library, &conn);
    let query = |call: usize| &library.queries[call % QUERIES];
    let rounds = if songs < 100_000 { 31 } else { 15 };
    let [ours, b2_small, b2_large, exists, list] = race(
        rounds,
        4,
        [
            &mut |call| drop(black_box(order.rank_plan(query(call), K, NOW, WINDOW))),
            &mut |call| drop(black_box(nearest(&conn, "vec_1024", query(call)))),
            &mut |call| drop(black_box(nearest(&conn, "vec_4096", query(call)))),
            &mut |call| drop(black_box(literal(&conn, LITERAL_EXISTS, query(call)))),
            &mut |call| drop(black_box(literal(&conn, LITERAL_IN, query(call)))),
        ],
    );
    let b2 = quicker(b2_small, b2_large);
    let what = format!("rank_plan, {songs} songs, k = {K}");
    at_least("5", &what, ours, ("sqlite-vec, metadata filter", b2), Some(20.0));
    let what = format!("sqlite-vec, {songs} songs, k = {K}");
    at_least("5", &what, b2, ("literal SQL, the quicker wording", quicker(exists, list)), Some(5.0));
    drop(store);
}

fn quicker(a: Time, b: Time) -> Time {
    if a.median <= b.median { a } else { b }
}

/// The songs of the library in a wide table, its plays, and its vectors in two layouts.
fn fill(library: &Library) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(
        "create table songs (row integer primary key, id blob not null unique, title text, artist text, album text,
             sha256 blob, content_type text, duration_ms integer, bpm real, key text, loudness_lufs real,
             embedding blob) strict;
         create table songs_playing (id integer primary key, song integer, started_at integer) strict;
         create index songs_playing_by_song on songs_playing (song, started_at);
         create index songs_playing_by_time on songs_playing (started_at);
         create virtual table vec_1024 using vec0(song_id integer primary key,
             embedding float[5] distance_metric=cosine, last_played integer, chunk_size=1024);
         create virtual table vec_4096 using vec0(song_id integer primary key,
             embedding float[5] distance_metric=cosine, last_played integer, chunk_size=4096);
         begin;",
    )
    .unwrap();
    for (one, row) in library.candidates.iter().zip(1_i64..) {
        let embedding = one.embedding.unwrap().to_bytes();
        let played = one.last_played_at.unwrap_or(UnixMillis(0)).0;
        insert_song(&conn, row, one.song.to_bytes(), &embedding);
        for table in ["vec_1024", "vec_4096"] {
            let sql = format!("insert into {table} values (?1, ?2, ?3)");
            conn.prepare_cached(&sql).unwrap().execute((row, embedding, played)).unwrap();
        }
        if played > 0 {
            let sql = "insert into songs_playing (song, started_at) values (?1, ?2)";
            conn.prepare_cached(sql).unwrap().execute((row, played)).unwrap();
        }
    }
    conn.execute_batch("commit; analyze").unwrap();
    conn
}

fn insert_song(conn: &Connection, row: i64, id: [u8; 16], embedding: &[u8; 20]) {
    conn.prepare_cached(
        "insert into songs values (?1, ?2, 'A title of usual length', 'An artist', 'The album', ?3, 'audio/flac',
             215000, 118.5, 'Am', -14.2, ?4)",
    )
    .unwrap()
    .execute((row, id, [7_u8; 32], embedding))
    .unwrap();
}

/// The best exact search of sqlite-vec: the filter on a metadata column, ties sorted out here.
fn nearest(conn: &Connection, table: &str, query: &Axes) -> Vec<i64> {
    let sql = format!(
        "select song_id, distance from {table} where embedding match :query and k = :k and last_played <= :since"
    );
    let params = named_params! { ":query": bytes(query), ":k": K as i64 + 8, ":since": (NOW - WINDOW).0 };
    let mut found: Vec<(f64, i64)> = conn
        .prepare_cached(&sql)
        .unwrap()
        .query_map(params, |row| Ok((row.get(1)?, row.get(0)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.truncate(K);
    found.into_iter().map(|(_, row)| row).collect()
}

fn literal(conn: &Connection, sql: &str, query: &Axes) -> Vec<[u8; 16]> {
    conn.prepare_cached(sql)
        .unwrap()
        .query_map(named_params! { ":query": bytes(query), ":since": (NOW - WINDOW).0 }, |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn bytes(query: &Axes) -> Vec<u8> {
    query.iter().flat_map(|term| (*term as f32).to_le_bytes()).collect()
}

/// A race between answers to different questions would show nothing. In f32 neighbours may change places, so the
/// sets are compared, less a little.
fn assert_same_answers(library: &Library, conn: &Connection) {
    let order = library.order();
    for query in &library.queries[..4] {
        let ours: Vec<[u8; 16]> =
            order.rank_plan(query, K, NOW, WINDOW).iter().map(|one| one.song.to_bytes()).collect();
        let row_of = |id: &[u8; 16]| library.candidates.iter().position(|one| one.song.to_bytes() == *id);
        let rows: Vec<i64> = ours.iter().filter_map(row_of).map(|at| at as i64 + 1).collect();
        let theirs = nearest(conn, "vec_1024", query);
        let shared = theirs.iter().filter(|row| rows.contains(row)).count();
        assert!(shared + 1 >= K, "sqlite-vec found other songs");
        for sql in [LITERAL_EXISTS, LITERAL_IN] {
            let shared = literal(conn, sql, query).iter().filter(|id| ours.contains(id)).count();
            assert!(shared + 1 >= K, "the literal SQL found other songs");
        }
    }
}
