//! Goals 3 and 4: the index beside Postgres with pgvector, by the CPU time of the backend that answers.
//!
//! Two yardsticks: the older plan's function as it stands there, over an indexed history, and the best that pgvector's
//! approximate index can do while it still finds every song that it should (recall 1 against the same oracle).

use std::hint::black_box;

use roomtone_schema::id::Id as _;
use roomtone_schema::vector::Axes;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::library::{Library, NOW, QUERIES, WINDOW};
use crate::stopwatch::{at_least, median_of, race};

const K: usize = 10;

/// The older plan's function, word for word but for where the last play comes from: there nothing ever wrote it.
const SEED: &str = "
    create function recommend_with_penalty(p_vec vector(5), p_limit int, p_penalty_hours int default 4)
    returns setof songs language sql as $$
      select s.* from songs s
      left join lateral (select max(h.played_at) as last_played from songs_playing h where h.song_id = s.id) h on true
      order by (s.embedding <=> p_vec) + (case
        when h.last_played > now() - (p_penalty_hours || ' hours')::interval then 10.0 else 0.0 end) asc
      limit p_limit;
    $$";

const SEED_ASKED: &str = "select id from recommend_with_penalty($1::real[]::vector, 10)";

const NEAREST_ASKED: &str = "
    select id from songs where id not in (select song_id from songs_playing where played_at > now() - interval '4 hours')
    order by embedding <=> $1::real[]::vector limit 10";

/// How widely the approximate index looks; the least of these that loses nothing is the yardstick.
const WIDTHS: [u32; 3] = [40, 100, 400];

/// What a venue of a usual size holds.
const VENUE: usize = 20_000;

/// The rule that plays, in the hub's index and in the cloud's function, over one venue's songs. Reported, without a goal.
pub(crate) fn measure_venue() {
    let Some(server) = crate::server::start() else { return };
    let runtime = Runtime::new().unwrap();
    let library = Library::new(VENUE);
    let order = library.order();
    let mut conn = runtime.block_on(async {
        let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::raw_sql(SHIM).execute(&mut conn).await.unwrap();
        sqlx::raw_sql("create extension if not exists vector with schema extensions")
            .execute(&mut conn)
            .await
            .unwrap();
        roomtone_cloud::migrations::apply(&mut conn).await.unwrap();
        // sqlx looks types up by the path.
        sqlx::raw_sql("set search_path = public, extensions").execute(&mut conn).await.unwrap();
        stock(&mut conn, &library).await;
        conn
    });
    let mut asker =
        Asker { backend: runtime.block_on(backend(&mut conn)), conn: &mut conn, runtime: &runtime };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..15 {
        let query = |call: usize| &library.queries[call % QUERIES];
        let [time] = race(
            1,
            4,
            [&mut |call| {
                drop(black_box(order.rank(query(round * 4 + call), K, NOW)));
            }],
        );
        ours.push(time.median);
        theirs.push(asker.cpu_ns(VENUE_ASKED, query(round)));
    }
    let [ours, theirs] = [ours, theirs].map(median_of);
    at_least(
        "-",
        &format!("rank, one venue of {VENUE} songs, k = {K}"),
        ours,
        ("recommend_for_venue", theirs),
        None,
    );
}

/// What Supabase has before our migrations.
const SHIM: &str = include_str!("../../../cloud/src/dev/shim.sql");

const VENUE_ASKED: &str = "
    select song_id from recommend_for_venue((select id from venues limit 1), $1::real[]::extensions.vector, 10, 4)";

/// One venue with the library's songs, played when they were.
async fn stock(conn: &mut PgConnection, library: &Library) {
    let venue = "with o as (insert into organisations (name) values ('One') returning id)
         insert into venues (organisation_id, slug, name) select id, 'one', 'One' from o";
    sqlx::raw_sql(venue).execute(&mut *conn).await.unwrap();
    for some in library.candidates.chunks(10_000) {
        let ids: Vec<uuid::Uuid> = some.iter().map(|one| one.song.uuid()).collect();
        let vectors: Vec<pgvector::Vector> =
            some.iter().map(|one| pgvector::Vector::from(one.embedding.unwrap().values().to_vec())).collect();
        let ago: Vec<Option<f64>> =
            some.iter().map(|one| Some(NOW.since(one.last_played_at?).as_secs_f64())).collect();
        sqlx::query(
            "with given as (select * from unnest($1::uuid[], $2::extensions.vector[], $3::float8[]) as t(id, vector, ago)),
                  added as (insert into songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes,
                        content_type, duration_ms, embedding, embedding_model_id, status)
                    select g.id, v.organisation_id, 'A title of usual length', 's3://songs/a/key', 'a/key',
                        sha256(g.id::text::bytea), 5000000, 'audio/flac', 215000, g.vector, 1, 'ready'
                    from given g cross join venues v returning id)
             select count(*) from added",
        )
        .bind(&ids)
        .bind(vectors)
        .bind(&ago)
        .execute(&mut *conn)
        .await
        .unwrap();
        sqlx::query(
            "insert into venue_songs (venue_id, song_id, last_played_at)
             select v.id, g.id, now() - make_interval(secs => g.ago)
             from unnest($1::uuid[], $2::float8[]) as g(id, ago) cross join venues v",
        )
        .bind(ids)
        .bind(ago)
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::raw_sql("analyze").execute(conn).await.unwrap();
}

/// Asks the index and Postgres the same, taking turns.
pub(crate) fn measure(songs: usize) {
    let Some(server) = crate::server::start() else { return };
    let runtime = Runtime::new().unwrap();
    let library = Library::new(songs);
    let order = library.order();
    let mut conn = runtime.block_on(async {
        let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
        fill(&mut conn, &library).await;
        conn
    });
    let mut asker =
        Asker { backend: runtime.block_on(backend(&mut conn)), conn: &mut conn, runtime: &runtime };
    let width = WIDTHS.into_iter().find(|width| asker.finds_all(*width, &library));
    let rounds = if songs < 100_000 { 7 } else { 15 };
    let (mut ours, mut seed, mut nearest) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let query = |call: usize| &library.queries[call % QUERIES];
        let [time] = race(
            1,
            4,
            [&mut |call| {
                drop(black_box(order.rank_plan(query(round * 4 + call), K, NOW, WINDOW)));
            }],
        );
        ours.push(time.median);
        seed.push(asker.cpu_ns(SEED_ASKED, query(round)));
        nearest.push(asker.cpu_ns(NEAREST_ASKED, query(round)));
    }
    let [ours, seed, nearest] = [ours, seed, nearest].map(median_of);
    let what = format!("rank_plan, {songs} songs, k = {K}");
    at_least("3", &what, ours, ("Postgres, the plan's function", seed), Some(500.0));
    match width {
        Some(width) => {
            let name = format!("pgvector HNSW, ef {width}, recall 1");
            at_least("4", &what, ours, (&name, nearest), Some(10.0));
        }
        None => {
            println!("pgvector's index lost songs at every width tried: goal 4 has no yardstick in this run");
        }
    }
}

struct Asker<'a> {
    conn: &'a mut PgConnection,
    runtime: &'a Runtime,
    backend: i32,
}

impl Asker<'_> {
    fn ask(&mut self, sql: &'static str, query: &Axes) -> Vec<uuid::Uuid> {
        let query: Vec<f32> = query.iter().map(|term| *term as f32).collect();
        self.runtime
            .block_on(async { sqlx::query_scalar(sql).bind(query).fetch_all(&mut *self.conn).await.unwrap() })
    }

    fn cpu_ns(&mut self, sql: &'static str, query: &Axes) -> f64 {
        let before = schedstat(self.backend);
        black_box(self.ask(sql, query));
        schedstat(self.backend) - before
    }

    /// Whether the approximate index finds what the exact rule finds, for every question. In f32 the last two may
    /// change places.
    fn finds_all(&mut self, width: u32, library: &Library) -> bool {
        let set = format!("set hnsw.iterative_scan = strict_order; set hnsw.ef_search = {width}");
        self.runtime
            .block_on(async { sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *self.conn).await.unwrap() });
        let order = library.order();
        library.queries.iter().all(|query| {
            let wanted = order.rank_plan(query, K, NOW, WINDOW);
            let found = self.ask(NEAREST_ASKED, query);
            let shared = wanted.iter().filter(|one| found.contains(&one.song.uuid())).count();
            shared + 1 >= K.min(wanted.len())
        })
    }
}

async fn backend(conn: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(conn).await.unwrap()
}

/// Nanoseconds for which a process has computed.
fn schedstat(process: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The songs of the library with everything that a row of them holds, and their plays, as long ago as they are there.
async fn fill(conn: &mut PgConnection, library: &Library) {
    let schema = format!(
        "create extension if not exists vector;
         create table songs (id uuid primary key, title text, artist text, file_url text, bpm int, duration int, key text,
             type text, embedding vector(5), created_at timestamptz default now(), last_played timestamptz);
         create table songs_playing (id bigserial primary key, song_id uuid, played_at timestamptz);
         {SEED}"
    );
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(&mut *conn).await.unwrap();
    for some in library.candidates.chunks(10_000) {
        let ids: Vec<uuid::Uuid> = some.iter().map(|one| one.song.uuid()).collect();
        let vectors: Vec<pgvector::Vector> =
            some.iter().map(|one| pgvector::Vector::from(one.embedding.unwrap().values().to_vec())).collect();
        sqlx::query(
            "insert into songs (id, title, artist, file_url, bpm, duration, key, embedding)
             select id, 'A title of usual length', 'An artist', 's3://songs/a/key/of/usual/length', 118, 215, 'Am', vector
             from unnest($1::uuid[], $2::vector[]) as given(id, vector)",
        )
        .bind(ids)
        .bind(vectors)
        .execute(&mut *conn)
        .await
        .unwrap();
        let played: Vec<(uuid::Uuid, f64)> = some
            .iter()
            .filter_map(|one| Some((one.song.uuid(), NOW.since(one.last_played_at?).as_secs_f64())))
            .collect();
        let (ids, ago): (Vec<_>, Vec<_>) = played.into_iter().unzip();
        sqlx::query(
            "insert into songs_playing (song_id, played_at)
             select id, now() - make_interval(secs => ago) from unnest($1::uuid[], $2::float8[]) as given(id, ago)",
        )
        .bind(ids)
        .bind(ago)
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    let indexes = "create index on songs_playing (song_id, played_at);
         create index on songs_playing (played_at);
         create index on songs using hnsw (embedding vector_cosine_ops) with (m = 16, ef_construction = 64);
         analyze";
    sqlx::raw_sql(indexes).execute(conn).await.unwrap();
}
