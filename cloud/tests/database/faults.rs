//! The faults of the older plan's SQL, by their numbers in the list of 24 that was made of them: each is gone.
//!
//! Those of ranking (6 to 10, 24) are in `ranking`, those of access (1, 2, 4) in `tenants`, `hidden` and `advisor` too.

use std::ops::{Deref, DerefMut};

use pgvector::Vector;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version, run};
use crate::tenants::settle;

/// A connection to two tenants' database, which is there as long as somebody may ask it.
struct Tenants {
    conn: PgConnection,
    _database: TestDatabase,
}

impl Deref for Tenants {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Tenants {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

async fn tenants() -> Tenants {
    let database = Postgres::start(Version::V18).database().await;
    Tenants { conn: settle(&database).await, _database: database }
}

async fn one<T>(conn: &mut PgConnection, sql: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let answer = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await;
    answer.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The code that a statement fails with; "00000" where it does not.
async fn code(conn: &mut PgConnection, sql: &str) -> String {
    let mut work = conn.begin().await.expect("a transaction");
    let answer = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *work).await;
    work.rollback().await.expect("nothing is kept");
    match answer {
        Ok(_) => "00000".to_owned(),
        Err(error) => {
            error.as_database_error().and_then(|error| error.code().map(String::from)).unwrap_or_default()
        }
    }
}

#[tokio::test]
async fn fault_01_every_table_has_row_level_security() {
    let mut conn = tenants().await;
    let without: i64 = one(
        &mut conn,
        "select count(*) from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and not relrowsecurity",
    )
    .await;
    assert_eq!(without, 0);
    run(&mut conn, "set role anon").await;
    for attack in [
        "select token from public.players",
        "insert into public.roles (user_id, role) values ('00000000-0000-7000-8000-000000010001', 'admin')",
        "update public.songs set file_url = 's3://evil/x' where true",
        "delete from public.preferences where true",
    ] {
        assert_eq!(code(&mut conn, attack).await, "42501", "{attack}");
    }
}

#[tokio::test]
async fn fault_02_a_token_is_a_hash() {
    let mut conn = tenants().await;
    assert_eq!(code(&mut conn, "update public.players set token = 'secret' where true").await, "23514");
}

#[tokio::test]
async fn fault_03_the_function_is_stable_invokers_and_not_everybodys() {
    let mut conn = tenants().await;
    let is: String = one(
        &mut conn,
        "select concat(provolatile, proparallel, prosecdef, ' ', proconfig, ' ', has_function_privilege('anon', oid, 'execute'))
         from pg_proc where proname = 'recommend_with_penalty'",
    )
    .await;
    assert_eq!(is, r#"ssf {"search_path=\"\""} f"#);
}

#[tokio::test]
async fn fault_04_vector_is_not_in_public() {
    let mut conn = tenants().await;
    let schema: String =
        one(&mut conn, "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'")
            .await;
    assert_eq!(schema, "extensions");
}

/// Postgres forgets the 5 of an argument; what is stored has it, and a wrong argument is an error and not a result.
#[tokio::test]
async fn fault_05_vectors_have_five_numbers() {
    let mut conn = tenants().await;
    assert_eq!(code(&mut conn, "update public.songs set embedding = '[1,2,3]' where true").await, "22000");
    assert_eq!(code(&mut conn, "select public.recommend_with_penalty('[1,2,3]', 1)").await, "22000");
}

#[tokio::test]
async fn fault_06_no_query_vector_falls_back_to_what_rested_longest() {
    let mut conn = tenants().await;
    run(&mut conn, "update public.songs set last_played = now() where id::text like '%10050'").await;
    let next: Uuid = one(&mut conn, "select id from public.recommend_with_penalty(null, 1)").await;
    assert!(next.to_string().ends_with("20050"), "{next}");
}

#[tokio::test]
async fn fault_07_no_embedding_is_null_or_points_somewhere() {
    let mut conn = tenants().await;
    assert_eq!(
        code(&mut conn, "update public.songs set embedding = '[0,0,0,0,0]' where true").await,
        "23514"
    );
    assert_eq!(code(&mut conn, "update public.songs set embedding = null where true").await, "23514");
    // Silence: playable, before what was just played.
    run(
        &mut conn,
        "update public.songs set embedding = null, embedding_model_id = null where id::text like '%10050';
         update public.songs set last_played = now() where id::text like '%20050'",
    )
    .await;
    let next: Uuid = one(&mut conn, "select id from public.recommend_with_penalty('[1,0,0,0,0]', 1)").await;
    assert!(next.to_string().ends_with("10050"), "{next}");
}

#[tokio::test]
async fn fault_08_a_limit_is_a_limit() {
    let mut conn = tenants().await;
    for (limit, rows) in [("null", 1), ("-5", 0), ("0", 0), ("2147483647", 2)] {
        let found: i64 = one(
            &mut conn,
            &format!("select count(*) from public.recommend_with_penalty('[1,0,0,0,0]', {limit})"),
        )
        .await;
        assert_eq!(found, rows, "{limit}");
    }
}

#[tokio::test]
async fn fault_09_ties_have_an_order() {
    let mut conn = tenants().await;
    // The same direction, written again so that the heap has them the other way round.
    run(&mut conn, "update public.songs set title = 'again' where id::text like '%10050'").await;
    let first: Uuid = one(&mut conn, "select id from public.recommend_with_penalty('[1,0,0,0,0]', 1)").await;
    assert!(first.to_string().ends_with("10050"), "{first}");
}

#[tokio::test]
async fn fault_10_when_all_rest_the_oldest_play_comes_first() {
    let mut conn = tenants().await;
    run(
        &mut conn,
        "update public.songs set last_played = now() - interval '1 hour', embedding = '[-1,0,0,0,0]' where id::text like '%10050';
         update public.songs set last_played = now() - interval '1 minute' where id::text like '%20050'",
    )
    .await;
    let next: Uuid = one(&mut conn, "select id from public.recommend_with_penalty('[1,0,0,0,0]', 1)").await;
    assert!(next.to_string().ends_with("10050"), "{next}");
}

#[tokio::test]
async fn fault_11_plays_are_noted_per_venue() {
    let mut conn = tenants().await;
    let noted = "select count(*) from public.venue_songs where last_played_at is not null";
    assert_eq!(one::<i64>(&mut conn, noted).await, 2, "tenants.sql plays a song in each venue");
    let older = "insert into public.songs_playing (id, venue_id, song_id, played_at)
                 select private.uuid7(), venue_id, song_id, now() - interval '1 day' from public.songs_playing";
    let before: String =
        one(&mut conn, "select string_agg(last_played_at::text, ' ') from public.venue_songs").await;
    run(&mut conn, older).await;
    let after: String =
        one(&mut conn, "select string_agg(last_played_at::text, ' ') from public.venue_songs").await;
    assert_eq!(after, before, "what comes late does not turn back the time");
}

/// Five dimensions and a few thousand songs per venue: an exact scan. What must not be there is an index that is
/// kept for nothing.
#[tokio::test]
async fn fault_12_no_approximate_index_is_kept_that_nothing_uses() {
    let mut conn = tenants().await;
    let approximate: i64 = one(
        &mut conn,
        "select count(*) from pg_class c join pg_am a on a.oid = c.relam where a.amname in ('hnsw', 'ivfflat')",
    )
    .await;
    assert_eq!(approximate, 0);
}

#[tokio::test]
async fn fault_13_the_new_function_answers_named_columns() {
    let mut conn = tenants().await;
    let columns: Vec<String> =
        one(&mut conn, "select proargnames[5:] from pg_proc where proname = 'recommend_for_venue'").await;
    assert_eq!(columns, ["song_id", "standing", "similarity", "penalty", "score", "last_played_at"]);
}

#[tokio::test]
async fn fault_14_songs_and_players_with_a_history_can_go() {
    let mut conn = tenants().await;
    run(&mut conn, "update public.players set current_song_id = (select id from public.songs where object_key = '1') where true").await;
    run(&mut conn, "delete from public.songs where object_key = '1'; delete from public.players where true")
        .await;
    assert_eq!(
        one::<i64>(&mut conn, "select count(*) from public.songs_playing").await,
        2,
        "the history stays"
    );
}

#[tokio::test]
async fn fault_15_votes_outlive_their_voters() {
    let mut conn = tenants().await;
    run(
        &mut conn,
        "insert into auth.users (id) values ('00000000-0000-7000-8000-000000000099');
         update public.votes set user_id = '00000000-0000-7000-8000-000000000099' where true;
         delete from auth.users where id = '00000000-0000-7000-8000-000000000099'",
    )
    .await;
    assert_eq!(one::<i64>(&mut conn, "select count(*) from public.votes where user_id is null").await, 2);
}

#[rstest]
#[case("update public.players set status = 'banana' where true")]
#[case("update public.sessions set status = 'banana' where true")]
#[case("update public.roles set role = null where true")]
#[case("update public.roles set role = 'king' where true")]
#[case("update public.votes set vote_value = 999 where true")]
#[case("update public.votes set vote_value = 0 where true")]
#[tokio::test]
async fn fault_16_nonsense_is_refused(#[case] nonsense: &str) {
    let mut conn = tenants().await;
    let code = code(&mut conn, nonsense).await;
    assert!(code == "23514" || code == "23502", "{nonsense}: {code}");
}

#[tokio::test]
async fn fault_17_a_retry_meets_its_first_try_and_every_presence_ends() {
    let mut conn = tenants().await;
    assert_eq!(code(&mut conn, "insert into public.votes select * from public.votes").await, "23505");
    assert_eq!(code(&mut conn, "update public.sessions set expires_at = null where true").await, "23502");
    assert_eq!(
        code(&mut conn, "update public.sessions set expires_at = checked_in_at where true").await,
        "23514"
    );
}

#[tokio::test]
async fn fault_18_every_foreign_key_has_its_index() {
    // Deleting a venue looks into each of these tables by its venue.
    let mut conn = tenants().await;
    let plan = "select count(*) from pg_constraint c where contype = 'f' and connamespace = 'public'::regnamespace
                and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])";
    assert_eq!(one::<i64>(&mut conn, plan).await, 0);
}

/// Each venue has its own room: nothing is averaged or played across them.
#[tokio::test]
async fn fault_19_what_is_played_is_a_venues_own() {
    let mut conn = tenants().await;
    for tenant in ["1", "2"] {
        let venue = format!("00000000-0000-7000-8000-0000000{tenant}0020");
        let sql = format!(
            "select string_agg(song_id::text, ' ') from public.recommend_for_venue('{venue}', '[1,0,0,0,0]', 9)"
        );
        let songs: String = one(&mut conn, &sql).await;
        assert_eq!(songs, format!("00000000-0000-7000-8000-0000000{tenant}0050"));
    }
    let without: i64 = one(
        &mut conn,
        "select count(*) from unnest(array['players', 'sessions', 'votes', 'songs_playing', 'venue_songs', 'guests']) t
         where not exists (select from pg_attribute where attrelid = ('public.' || t)::regclass and attname = 'venue_id' and attnotnull)",
    )
    .await;
    assert_eq!(without, 0);
}

#[tokio::test]
async fn fault_20_changes_and_removals_leave_a_trace() {
    let mut conn = tenants().await;
    for (table, change) in [
        ("venues", "name = 'New'"),
        ("songs", "title = 'New'"),
        ("venue_songs", "removed_at = now()"),
        ("players", "name = 'New'"),
        ("zones", "name = 'New'"),
    ] {
        run(&mut conn, &format!("update public.{table} set updated_at = '2020-01-01' where true")).await;
        run(&mut conn, &format!("update public.{table} set {change} where true")).await;
        let old: i64 = one(
            &mut conn,
            &format!("select count(*) from public.{table} where updated_at < now() - interval '1 day'"),
        )
        .await;
        assert_eq!(old, 0, "{table}");
    }
    // A play is no change of the song.
    run(&mut conn, "alter table public.songs disable trigger songs_stamp; update public.songs set updated_at = '2020-01-01' where true;
        alter table public.songs enable trigger songs_stamp; update public.songs set last_played = now() where true").await;
    assert_eq!(
        one::<i64>(&mut conn, "select count(*) from public.songs where updated_at < '2021-01-01'").await,
        2
    );
}

#[tokio::test]
async fn fault_21_ids_are_uuid7_and_say_when() {
    let mut conn = tenants().await;
    let apart: f64 = one(
        &mut conn,
        "select max(abs(extract(epoch from private.uuid7_time(private.uuid7(at)) - at)))::float8
         from generate_series('1990-01-01'::timestamptz, '2090-01-01', '1 year') at",
    )
    .await;
    assert!(apart < 0.0011, "{apart}");
    let wrong: i64 = one(
        &mut conn,
        "select count(*) from generate_series(1, 1000) n, lateral (select private.uuid7() as id, n) u
         where u.id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-' or u.id < private.uuid7_floor(private.uuid7_time(u.id))",
    )
    .await;
    assert_eq!(wrong, 0);
}

#[tokio::test]
async fn fault_22_profiles_follow_their_users_and_columns_are_checked() {
    let mut conn = tenants().await;
    run(
        &mut conn,
        "update auth.users set email = 'new@example.com' where id = '00000000-0000-7000-8000-000000010001'",
    )
    .await;
    let email: String =
        one(&mut conn, "select email from public.profiles where id = '00000000-0000-7000-8000-000000010001'")
            .await;
    assert_eq!(email, "new@example.com");
    for nonsense in [
        "bpm = 0",
        "bpm = 1000",
        "duration = 0",
        "duration_ms = -1",
        "file_url = 'https://evil'",
        "content_bytes = 0",
        "content_sha256 = 'x'",
        "created_at = null",
        "key = 'as long as a novel'",
    ] {
        let code = code(&mut conn, &format!("update public.songs set {nonsense} where true")).await;
        assert!(code == "23514" || code == "23502", "{nonsense}: {code}");
    }
}

#[tokio::test]
async fn fault_23_an_embedding_says_whose_it_is() {
    let mut conn = tenants().await;
    assert_eq!(
        code(&mut conn, "update public.songs set embedding_model_id = null where true").await,
        "23514"
    );
    assert_eq!(code(&mut conn, "update public.songs set embedding_model_id = 99 where true").await, "23503");
    assert_eq!(
        code(&mut conn, "update public.preferences set embedding_model_id = null where true").await,
        "23502"
    );
    // That they are not mixed: ranking::models_are_not_mixed.
}

#[tokio::test]
async fn fault_24_a_penalty_that_is_null_or_negative_is_one() {
    let mut conn = tenants().await;
    run(
        &mut conn,
        "update public.songs set last_played = case object_key when '1' then now() - interval '3 hours' end where true",
    )
    .await;
    for (hours, first) in [("null", "20050"), ("4", "20050"), ("2", "10050"), ("0", "10050"), ("-9", "10050")]
    {
        let next: Uuid = sqlx::query_scalar(AssertSqlSafe(format!(
            "select id from public.recommend_with_penalty($1, 1, {hours})"
        )))
        .bind(Vector::from(vec![1.0, 0.0, 0.0, 0.0, 0.0]))
        .fetch_one(&mut *conn)
        .await
        .unwrap();
        assert!(next.to_string().ends_with(first), "{hours}: {next}");
    }
}
