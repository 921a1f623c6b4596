//! Applying the migrations: by whom, how often, and beside the Supabase CLI.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use roomtone_cloud::migrations::{self, Applied, Drift, MigrationError};
use rstest::rstest;
use sqlx::Row as _;

use crate::postgres::{Postgres, SHIM, TestDatabase, Version, connect, run};

/// The migrations as files: what the CLI reads.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/supabase/migrations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the CLI's folder of migrations")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a migration"))
        })
        .collect();
    files.sort();
    files
}

async fn plain(version: Version) -> TestDatabase {
    let database = Postgres::start(version).empty().await;
    run(&mut database.superuser().await, SHIM).await;
    database
}

#[rstest]
#[tokio::test]
async fn applying_twice_does_nothing(#[values(Version::V16, Version::V18)] version: Version) {
    let database = plain(version).await;
    let count = files().len();
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::Here(count));
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::Here(0));
    let mut work = database.open().as_service().await.unwrap();
    assert_eq!(migrations::drift(&mut work).await.unwrap(), Drift::default());
}

/// Debian's own, where somebody has put pgvector beside it.
#[tokio::test]
async fn they_apply_on_15_too() {
    let Some(postgres) = Postgres::find(Version::V15) else {
        skip("database::migrating::they_apply_on_15_too", "there is no Postgres 15 with pgvector here");
        return;
    };
    let database = postgres.database().await;
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::Here(0));
}

#[rstest]
#[tokio::test]
async fn nobody_of_ours_is_more_than_they_should_be(#[values(Version::V16, Version::V18)] version: Version) {
    let database = Postgres::start(version).database().await;
    let mut conn = database.superuser().await;
    let rows = sqlx::query(
        "select rolname::text, rolsuper or rolreplication, rolbypassrls, rolcanlogin, rolinherit from pg_roles
         where rolname like 'roomtone_%' order by 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let found: Vec<(String, [bool; 4])> =
        rows.iter().map(|row| (row.get(0), [row.get(1), row.get(2), row.get(3), row.get(4)])).collect();
    let expected = [
        ("roomtone_app", [false, false, true, false]),
        ("roomtone_cloud", [false, false, false, false]),
        ("roomtone_guest", [false, false, false, true]),
        ("roomtone_hub", [false, false, false, true]),
        // As Supabase's own `postgres` is.
        ("roomtone_migrator", [false, true, true, true]),
    ];
    assert_eq!(found, expected.map(|(name, is)| (name.to_owned(), is)));
    // By itself the login can do nothing.
    let mut login = connect(&database.url).await;
    for sql in ["select from public.venues", "select private.stray_facts()", "select from auth.users"] {
        let error = sqlx::query(sql).execute(&mut login).await.unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{sql}: {error}");
    }
    let owners: Vec<String> = sqlx::query_scalar(
        "select distinct relowner::regrole::text from pg_class where relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'partitions'::regnamespace)
           and relname not like 'pg_%'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(owners, ["roomtone_migrator"]);
}

#[tokio::test]
async fn where_the_cli_keeps_the_list_ours_only_compares() {
    let database = plain(Version::V16).await;
    let mut conn = connect(&database.migrator_url).await;
    run(&mut conn, "create schema supabase_migrations;
        create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)").await;
    let files = files();
    match migrations::run(&database.migrator_url).await {
        Err(MigrationError::LeftToTheCli(missing)) => assert_eq!(missing.len(), files.len()),
        other => panic!("{other:?}"),
    }
    for (name, sql) in &files {
        run(&mut conn, sql).await;
        let (version, name) = name.split_once('_').expect("a version and a name");
        sqlx::query("insert into supabase_migrations.schema_migrations (version, name) values ($1, $2)")
            .bind(version)
            .bind(name.trim_end_matches(".sql"))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    run(&mut conn, "insert into supabase_migrations.schema_migrations (version) values ('20990101000000')")
        .await;
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::ByTheCli);
    let mut work = database.open().as_service().await.unwrap();
    assert_eq!(migrations::drift(&mut work).await.unwrap(), Drift::default());
}

/// And where ours was first, it goes on.
#[tokio::test]
async fn who_began_with_ours_stays_with_it() {
    let database = Postgres::start(Version::V18).database().await;
    run(
        &mut connect(&database.migrator_url).await,
        "create schema supabase_migrations;
        create table supabase_migrations.schema_migrations (version text primary key);
        insert into supabase_migrations.schema_migrations (version) values ('20200101000000')",
    )
    .await;
    assert_eq!(migrations::run(&database.migrator_url).await.unwrap(), Applied::Here(0));
    let mut work = database.open().as_service().await.unwrap();
    assert_eq!(migrations::drift(&mut work).await.unwrap(), Drift::default());
}

/// The CLI takes fourteen digits, a line below and a name; whatever else lies there it does not see.
#[test]
fn their_names_are_the_clis() {
    let files = files();
    assert!(files.len() >= 5, "{files:?}");
    for (name, sql) in files {
        let (version, rest) = name.split_once('_').unwrap_or_default();
        assert!(version.len() == 14 && version.chars().all(|digit| digit.is_ascii_digit()), "{name}");
        assert!(Path::new(rest).extension().is_some_and(|extension| extension == "sql"), "{name}");
        assert!(sql.contains("set lock_timeout"), "{name} would wait for a lock for ever");
    }
}

#[tokio::test]
async fn drift_is_said() {
    let database = Postgres::start(Version::V18).database().await;
    let mut conn = database.superuser().await;
    run(
        &mut conn,
        "delete from private._sqlx_migrations where version = 20261130000003;
        insert into private._sqlx_migrations (version, description, success, checksum, execution_time)
        values (20990101000000, 'of a newer program', true, '', 0)",
    )
    .await;
    let mut work = database.open().as_service().await.unwrap();
    let drift = migrations::drift(&mut work).await.unwrap();
    assert_eq!(drift, Drift { missing: vec![20_261_130_000_003], unknown: vec![20_990_101_000_000] });
    assert!(!drift.is_none());
    assert!(matches!(migrations::run(&database.migrator_url).await, Err(MigrationError::Failed(_))));
}

#[tokio::test]
async fn a_migration_that_was_edited_later_is_refused() {
    let database = Postgres::start(Version::V18).database().await;
    run(
        &mut database.superuser().await,
        "update private._sqlx_migrations set checksum = 'x' where version = 20261130000002",
    )
    .await;
    let error = migrations::run(&database.migrator_url).await.unwrap_err();
    assert!(error.to_string().contains("20261130000002"), "{error}");
}

/// Whatever is wrong with ours: people can sign up, and their profile is made when they first come.
#[rstest]
#[tokio::test]
async fn nothing_of_ours_keeps_anybody_from_signing_up(
    #[values(Version::V16, Version::V18)] version: Version,
) {
    let database = Postgres::start(version).database().await;
    let mut conn = database.superuser().await;
    run(
        &mut conn,
        "alter table public.profiles add constraint broken check (email <> 'unlucky@example.com')",
    )
    .await;
    let mut admin = database.superuser().await;
    run(&mut admin, "set role supabase_auth_admin;
        insert into auth.users (id, email) values ('00000000-0000-7000-8000-000000000001', 'unlucky@example.com');
        insert into auth.users (id, email, raw_user_meta_data)
        values ('00000000-0000-7000-8000-000000000002', 'lucky@example.com', jsonb_build_object('display_name', repeat('x', 500)))").await;
    let profiles = "select count(*) from public.profiles";
    assert_eq!(sqlx::query_scalar::<_, i64>(profiles).fetch_one(&mut conn).await.unwrap(), 1);
    run(&mut conn, "alter table public.profiles drop constraint broken").await;
    let user = roomtone_schema::UserId("00000000-0000-7000-8000-000000000001".parse().unwrap());
    for _ in 0..2 {
        let mut work = database.open().as_user(user).await.unwrap();
        sqlx::query("select private.ensure_profile()").execute(&mut *work).await.unwrap();
        work.commit().await.unwrap();
    }
    assert_eq!(sqlx::query_scalar::<_, i64>(profiles).fetch_one(&mut conn).await.unwrap(), 2);
}

/// Says loudly that a test could not run here; `tests/run` counts it.
fn skip(test: &str, why: &str) {
    let line = format!("{test}: {why}\n");
    std::io::stderr().write_all(format!("SKIPPED: {line}").as_bytes()).expect("standard error");
    let Some(list) = std::env::var_os("TESTS_SKIPPED_FILE") else { return };
    let list = fs::OpenOptions::new().create(true).append(true).open(list);
    list.expect("the list of skipped tests").write_all(line.as_bytes()).expect("the list of skipped tests");
}
