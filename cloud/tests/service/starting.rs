//! Where the program refuses to serve, and what it says then; how it stops.

use rstest::rstest;

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, TestDatabase, Version, run};
use crate::program::Program;

/// What the program is started with, besides its database.
pub(crate) fn variables<'a>(url: &'a str, project: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("DATABASE_URL", url),
        ("SUPABASE_URL", project),
        ("S3_ENDPOINT", "http://127.0.0.1:9"),
        ("S3_ACCESS_KEY", "access"),
        ("S3_SECRET_KEY", "canary-s3-secret"),
        ("ROOMTONE_CLOUD_SERVER_LISTEN", "127.0.0.1:0"),
    ]
}

/// A replica over a database.
pub(crate) async fn replica(database: &TestDatabase, issuer: &Issuer) -> Program {
    Program::up(&["serve"], &variables(&database.url, &issuer.project)).await
}

/// What it says when it does not start.
async fn refusal(url: &str) -> String {
    let mut program = Program::start(&["serve"], &variables(url, "http://127.0.0.1:9"));
    let status = program.ends().await;
    let said = program.said();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("The cloud did not start"), "{said}");
    said
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop() {
    let database = Postgres::start(Version::V16).database().await;
    let issuer = Issuer::publishing(&[&Keys::new("a")]).await;
    let mut replica = replica(&database, &issuer).await;
    crate::program::eventually("it is well", async || replica.health().await.1["status"] == "ok").await;
    replica.terminate();
    assert!(replica.ends().await.success(), "{}", replica.said());
}

#[tokio::test]
async fn a_superuser_may_not_serve() {
    let database = Postgres::start(Version::V16).database().await;
    let said = refusal(&database.superuser_url).await;
    assert!(said.contains("is a superuser") && said.contains("create role roomtone_app"), "{said}");
}

#[tokio::test]
async fn the_owner_of_the_tables_may_not_serve() {
    let database = Postgres::start(Version::V16).database().await;
    let said = refusal(&database.migrator_url).await;
    assert!(said.contains("bypasses row policies") && said.contains("owns tables"), "{said}");
}

#[tokio::test]
async fn without_migrations_nobody_is_served() {
    let database = Postgres::start(Version::V16).empty().await;
    let said = refusal(&database.url).await;
    assert!(said.contains("roomtone-cloud migrate") || said.contains("extension vector"), "{said}");
}

#[tokio::test]
async fn a_migration_that_is_missing_is_named() {
    let database = Postgres::start(Version::V16).database().await;
    let mut conn = database.superuser().await;
    let newest: i64 = sqlx::query_scalar(
        "delete from private._sqlx_migrations
         where version = (select max(version) from private._sqlx_migrations) returning version",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let said = refusal(&database.url).await;
    assert!(said.contains(&newest.to_string()) && said.contains("roomtone-cloud migrate"), "{said}");
}

#[tokio::test]
async fn a_table_without_policies_is_named() {
    let database = Postgres::start(Version::V16).database().await;
    run(&mut database.superuser().await, "alter table public.venues disable row level security").await;
    let said = refusal(&database.url).await;
    assert!(said.contains("venues") && said.contains("row level security"), "{said}");
}

#[tokio::test]
async fn a_login_without_its_roles_is_told_what_to_grant() {
    let database = Postgres::start(Version::V16).database().await;
    run(
        &mut database.superuser().await,
        "do $$ begin if not exists (select from pg_roles where rolname = 'stranger') then create role stranger login; end if; end $$",
    )
    .await;
    let said = refusal(&database.url.replace("roomtone_app@", "stranger@")).await;
    assert!(said.contains("grant roomtone_cloud to"), "{said}");
}

#[rstest]
#[case::pooler("postgres://a:canary-password@127.0.0.1:6543/x", "5432")]
#[case::nobody("postgres://a:canary-password@127.0.0.1:9/x?sslmode=disable", "cannot be reached")]
#[case::no_address("canary-password", "postgres://LOGIN:PASSWORD@HOST")]
#[tokio::test]
async fn an_address_that_cannot_do_is_refused_without_showing_it(#[case] url: &str, #[case] names: &str) {
    let said = refusal(url).await;
    assert!(said.contains(names) && !said.contains("canary"), "{said}");
}

#[tokio::test]
async fn the_doctor_tells_all_of_it_with_evidence() {
    let database = Postgres::start(Version::V16).database().await;
    let variables = variables(&database.superuser_url, "http://127.0.0.1:9");
    let mut doctor = Program::start(&["doctor", "--json"], &variables);
    assert_eq!(doctor.ends().await.code(), Some(4), "{}", doctor.said());
    let findings: Vec<serde_json::Value> = serde_json::from_str(&doctor.output()).unwrap();
    let of =
        |code: &str| findings.iter().find(|finding| finding["code"] == code).cloned().unwrap_or_default();
    for (code, severity) in [
        ("login_too_mighty", "serious"),
        ("issuer_unreachable", "serious"),
        ("media_unreachable", "serious"),
        ("postgres", "well"),
        ("session_connection", "well"),
        ("clock", "well"),
        ("roles", "well"),
        ("pgvector", "well"),
        ("schema", "well"),
        ("policies", "well"),
        ("connection_budget", "well"),
    ] {
        assert_eq!(of(code)["severity"], severity, "{code} in {findings:#?}");
    }
    assert_eq!(findings[0]["severity"], "serious", "the worst comes first");
}

#[tokio::test]
async fn the_doctor_sees_that_replicas_want_too_many_connections() {
    let database = Postgres::start(Version::V16).database().await;
    let mut variables = variables(&database.url, "http://127.0.0.1:9");
    variables.push(("ROOMTONE_CLOUD_DATABASE_REPLICAS", "50"));
    let mut doctor = Program::start(&["doctor"], &variables);
    doctor.ends().await;
    let said = doctor.output();
    assert!(said.contains("warning: All replicas together may take more than 60 %"), "{said}");
    assert!(said.contains("50 replicas of 10 connections and one to listen are 550"), "{said}");
}

#[tokio::test]
async fn it_migrates_once_and_makes_the_first_admin() {
    let database = Postgres::start(Version::V18).database().await;
    let user = database.user("ana@cafe.example", None).await;
    let variables = [("DATABASE_URL", database.url.as_str()), ("DATABASE_OWNER_URL", &database.migrator_url)];
    let mut migrate = Program::start(&["migrate"], &variables);
    assert!(migrate.ends().await.success(), "{}", migrate.said());
    assert!(migrate.output().contains("up to date"), "{}", migrate.said());
    let mut nobody = Program::start(&["admin", "grant", "nobody@cafe.example"], &variables);
    assert_eq!(nobody.ends().await.code(), Some(1));
    assert!(nobody.said().contains("Nobody has signed up as"), "{}", nobody.said());
    let as_owner = [("DATABASE_OWNER_URL", database.migrator_url.as_str())];
    for variables in [&variables[..], &variables[..], &as_owner[..]] {
        let mut grant = Program::start(&["admin", "grant", "Ana@cafe.example"], variables);
        assert!(grant.ends().await.success(), "{}", grant.said());
    }
    let roles: i64 =
        sqlx::query_scalar("select count(*) from public.roles where user_id = $1 and role = 'admin'")
            .bind(user.0)
            .fetch_one(&mut database.superuser().await)
            .await
            .unwrap();
    assert_eq!(roles, 1);
}

/// What must not be seen is looked for in everything that the program writes when it is asked to write everything.
#[tokio::test]
async fn no_secret_reaches_the_log() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let url = database.url.replace("roomtone_app@", "roomtone_app:canary-password@");
    let mut variables = variables(&url, &issuer.project);
    variables.extend([
        ("JWT_SECRET", "canary-jwt-secret-that-is-long-enough"),
        ("DATABASE_OWNER_URL", "postgres://x:canary-owner@127.0.0.1:9/x"),
        ("ROOMTONE_LOG", "trace"),
    ]);
    let mut replica = Program::up(&["serve"], &variables).await;
    let user = database.user("a@b.c", None).await;
    let token = keys.sign(&issuer.claims(user));
    assert!(replica.knows(&token).await);
    assert!(!replica.knows("canary-token").await);
    let mut socket = replica.socket(&token).await;
    assert_eq!(socket.hears().await["type"], "connection_ack");
    let mut socket = replica.socket("canary-token").await;
    socket.closed().await;
    replica.terminate();
    replica.ends().await;
    let said = replica.said();
    assert!(said.contains("TRACE") && said.contains("JWT_SECRET is set"), "the log is there");
    let signature = token.rsplit_once('.').unwrap().1;
    for secret in ["canary", signature] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} stands in the log");
    }
}
