//! What to play next: the shared vectors on Postgres, and what the older plan's function got wrong.

use pgvector::Vector;
use roomtone_schema::VenueId;
use rstest::rstest;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};

/// As in schema/vectors.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    now: i64,
    window_ms: i64,
    vibe: Vec<f32>,
    songs: Vec<Song>,
    expect: Vec<Place>,
}

#[derive(Debug, Deserialize)]
struct Song {
    id: Uuid,
    embedding: Option<Vec<f32>>,
    last_played_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Place {
    id: Uuid,
    standing: String,
    score: f64,
}

/// A venue whose catalogue a test fills.
struct Shelf {
    conn: PgConnection,
    venue: VenueId,
}

impl Shelf {
    async fn new(database: &TestDatabase) -> Self {
        let owner = database.user("owner@example.com", None).await;
        Self { venue: database.venue(owner).await, conn: database.superuser().await }
    }
}

/// Puts a song on a venue's list; `age_ms` is how long ago it was played.
async fn shelve(conn: &mut PgConnection, venue: VenueId, song: &Song, age_ms: Option<i64>, duration_ms: i32) {
    sqlx::query(
        "with s as (
           insert into public.songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes,
                                     content_type, duration_ms, status, embedding, embedding_model_id, last_played)
           select $1, organisation_id, 'Song', 's3://songs/' || $1, $1::text, sha256($1::text::bytea), 1, 'audio/flac',
                  $5, 'ready', $2, case when $2 is not null then 1 end, now() - $3 * interval '1 millisecond'
           from public.venues where id = $4 returning id)
         select id from s",
    )
    .bind(song.id)
    .bind(song.embedding.clone().map(Vector::from))
    .bind(age_ms)
    .bind(venue.0)
    .bind(duration_ms)
    .execute(&mut *conn)
    .await
    .expect("a song");
    sqlx::query(
        "insert into public.venue_songs (venue_id, song_id, last_played_at)
         values ($1, $2, now() - $3 * interval '1 millisecond')",
    )
    .bind(venue.0)
    .bind(song.id)
    .bind(age_ms)
    .execute(conn)
    .await
    .expect("a song of the venue");
}

/// A song with this direction, its id ending in `n`.
fn song(n: u128, embedding: [f32; 5]) -> Song {
    Song {
        id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n),
        embedding: Some(embedding.to_vec()),
        last_played_at: None,
    }
}

const EAST: [f32; 5] = [1.0, 0.0, 0.0, 0.0, 0.0];

async fn check(version: Version, vectors: &str, sql: &'static str) {
    let database = Postgres::start(version).database().await;
    let mut shelf = Shelf::new(&database).await;
    let cases: Vec<Case> = serde_json::from_str(vectors).expect("the shared vectors");
    assert!(cases.len() >= 20, "some of the vectors are missing");
    for case in cases {
        // One transaction: in it, now() stands still.
        let mut work = shelf.conn.begin().await.expect("the database answers");
        for song in &case.songs {
            let age = song.last_played_at.map(|at| case.now - at);
            shelve(&mut work, shelf.venue, song, age, 240_000).await;
        }
        let rows = sqlx::query(sql)
            .bind(shelf.venue.0)
            .bind(Vector::from(case.vibe))
            .bind(case.window_ms)
            .fetch_all(&mut *work)
            .await
            .expect("the database answers");
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let expected: Vec<Uuid> = case.expect.iter().map(|place| place.id).collect();
        assert_eq!(ids, expected, "{}", case.name);
        for (row, place) in rows.iter().zip(&case.expect) {
            if let Some(standing) = row.get::<Option<String>, _>(1) {
                assert_eq!(standing, place.standing, "{}: {}", case.name, place.id);
            }
            let score: f64 = row.get(2);
            assert!((score - place.score).abs() < 1e-6, "{}: {score} is not {}", case.name, place.score);
        }
        work.rollback().await.expect("the database answers");
    }
}

#[rstest]
#[tokio::test]
async fn rank_is_the_shared_rule(#[values(Version::V16, Version::V18)] version: Version) {
    check(
        version,
        include_str!("../../../schema/vectors/rank.json"),
        "select song_id, standing, score from private.rank($1, $2, $3 * interval '1 millisecond', 1000)",
    )
    .await;
}

#[rstest]
#[tokio::test]
async fn rank_plan_is_the_shared_rule(#[values(Version::V16, Version::V18)] version: Version) {
    check(
        version,
        include_str!("../../../schema/vectors/rank_plan.json"),
        "select id, null::text, -coalesce(nullif(embedding operator(extensions.<=>)
                  case when extensions.vector_norm($2) > 1e-6 then $2 end, 'NaN'), 1.0)
         from private.rank_plan($2, $3 * interval '1 millisecond', 1000) where $1::uuid is not null",
    )
    .await;
}

#[tokio::test]
async fn a_whole_library_rests_for_sixty_percent_of_its_length_at_most() {
    let database = Postgres::start(Version::V18).database().await;
    let mut shelf = Shelf::new(&database).await;
    for n in 1..=10 {
        shelve(&mut shelf.conn, shelf.venue, &song(n, EAST), None, 90_000).await;
    }
    let window = |hours: Option<i32>| {
        sqlx::query_scalar::<_, f64>("select extract(epoch from private.rest_window($1, $2))::float8")
            .bind(shelf.venue.0)
            .bind(hours)
    };
    // Fifteen minutes of music: nine of them.
    assert_eq!(window(None).fetch_one(&mut shelf.conn).await.unwrap().to_bits(), 540.0_f64.to_bits());
    assert_eq!(window(Some(0)).fetch_one(&mut shelf.conn).await.unwrap().to_bits(), 0.0_f64.to_bits());
    run(&mut shelf.conn, "update public.songs set duration_ms = 7200000").await;
    // Twenty hours: the venue's own four, or what was asked for.
    assert_eq!(window(None).fetch_one(&mut shelf.conn).await.unwrap().to_bits(), 14_400.0_f64.to_bits());
    assert_eq!(window(Some(9)).fetch_one(&mut shelf.conn).await.unwrap().to_bits(), 32_400.0_f64.to_bits());
}

#[tokio::test]
async fn odd_arguments_have_answers() {
    let database = Postgres::start(Version::V16).database().await;
    let mut shelf = Shelf::new(&database).await;
    for n in 1..=120 {
        shelve(&mut shelf.conn, shelf.venue, &song(n, EAST), None, 240_000).await;
    }
    let count = "select count(*) from public.recommend_with_penalty($1, $2, $3)";
    for (vec, limit, hours, rows) in [
        (Some(EAST), Some(3), Some(4), 3),
        (None, Some(3), Some(4), 3),
        (Some([0.0; 5]), Some(3), None, 3),
        (Some(EAST), None, Some(4), 1),
        (Some(EAST), Some(-1), Some(4), 0),
        (Some(EAST), Some(0), Some(-7), 0),
        (Some(EAST), Some(i32::MAX), Some(4), 100),
    ] {
        let found: i64 = sqlx::query_scalar(count)
            .bind(vec.map(|vec| Vector::from(vec.to_vec())))
            .bind(limit)
            .bind(hours)
            .fetch_one(&mut shelf.conn)
            .await
            .unwrap();
        assert_eq!(found, rows, "{vec:?} {limit:?} {hours:?}");
    }
    let wrong = sqlx::query(count).bind(Vector::from(vec![1.0, 2.0, 3.0])).bind(1).bind(4);
    let error = wrong.execute(&mut shelf.conn).await.unwrap_err().to_string();
    assert!(error.contains("dimensions"), "{error}");
}

/// The plan's own formula repeated one song for ever once all of a short catalogue was penalised.
#[tokio::test]
async fn a_short_catalogue_goes_round() {
    let database = Postgres::start(Version::V18).database().await;
    let mut shelf = Shelf::new(&database).await;
    for n in 1..=6_u8 {
        shelve(
            &mut shelf.conn,
            shelf.venue,
            &song(n.into(), [1.0, f32::from(n), 0.0, 0.0, 0.0]),
            None,
            240_000,
        )
        .await;
    }
    let mut heard: Vec<Uuid> = Vec::new();
    for minute in (0..30).rev() {
        let next: Uuid = sqlx::query_scalar("select id from public.recommend_with_penalty($1, 1)")
            .bind(Vector::from(EAST.to_vec()))
            .fetch_one(&mut shelf.conn)
            .await
            .unwrap();
        sqlx::query(
            "update public.songs set last_played = now() - make_interval(mins => $2 + 1) where id = $1",
        )
        .bind(next)
        .bind(minute)
        .execute(&mut shelf.conn)
        .await
        .unwrap();
        heard.push(next);
    }
    for (at, window) in heard.windows(6).enumerate() {
        let different: std::collections::BTreeSet<_> = window.iter().collect();
        assert_eq!(different.len(), 6, "after song {at}: {window:?}");
    }
}

/// Songs of another embedding model are playable, and compared with nothing.
#[tokio::test]
async fn models_are_not_mixed() {
    let database = Postgres::start(Version::V16).database().await;
    let mut shelf = Shelf::new(&database).await;
    shelve(&mut shelf.conn, shelf.venue, &song(1, EAST), None, 240_000).await;
    shelve(&mut shelf.conn, shelf.venue, &song(2, [-1.0, 0.0, 0.0, 0.0, 0.0]), None, 240_000).await;
    run(
        &mut shelf.conn,
        "insert into public.embedding_models (id, name, version) values (2, 'other', '1');
        update public.songs set embedding_model_id = 2 where id = '01900000-0000-7000-8000-000000000001'",
    )
    .await;
    let standings: Vec<(Uuid, String)> =
        sqlx::query_as("select song_id, standing from public.recommend_for_venue($1, $2, 10)")
            .bind(shelf.venue.0)
            .bind(Vector::from(EAST.to_vec()))
            .fetch_all(&mut shelf.conn)
            .await
            .unwrap();
    let expected = [(song(2, EAST).id, "rested".to_owned()), (song(1, EAST).id, "unknown".to_owned())];
    assert_eq!(standings, expected);
}
