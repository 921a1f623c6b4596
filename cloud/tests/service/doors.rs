//! Who may ask, by which name, and what is answered when the database is gone.

use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN};
use reqwest::{Method, Response};

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, Version, connect, run};
use crate::program::{Program, client, eventually};
use crate::starting::{replica, variables};

const ADMIN: &str = "https://admin.example.com";

async fn preflight(program: &Program, origin: &str) -> Response {
    let asked = client().request(Method::OPTIONS, program.url("/graphql")).header(ORIGIN, origin);
    let asked = asked.header("access-control-request-method", "POST");
    let asked = asked.header("access-control-request-headers", "authorization,content-type");
    asked.send().await.unwrap()
}

#[tokio::test]
async fn pages_of_named_origins_may_read_answers_and_no_others() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let mut variables = variables(&database.url, &issuer.project);
    variables.push(("ROOMTONE_CLOUD_SERVER_ORIGINS", ADMIN));
    variables.push(("ROOMTONE_CLOUD_SERVER_HOSTS", "cloud.example.com"));
    let program = Program::up(&["serve"], &variables).await;
    let allowed = preflight(&program, ADMIN).await;
    assert!(allowed.status().is_success());
    assert_eq!(allowed.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], ADMIN);
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"), "there are no cookies");
    let refused = preflight(&program, "https://evil.example.com").await;
    assert_eq!(refused.status(), 403);
    assert!(!refused.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));

    let named = |host: &'static str| client().get(program.url("/health")).header(HOST, host).send();
    assert_eq!(named("cloud.example.com").await.unwrap().status(), 200);
    assert_eq!(named("evil.example.com").await.unwrap().status(), 421);
    let answer = client().get(program.url("/")).send().await.unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["x-frame-options"], "DENY");
}

#[tokio::test]
async fn nobody_without_an_account_learns_what_the_schema_is() {
    let database = Postgres::start(Version::V16).database().await;
    let issuer = Issuer::publishing(&[&Keys::new("a")]).await;
    let replica = replica(&database, &issuer).await;
    let answer = replica.ask(None, "{ __schema { queryType { name } } }").await;
    assert!(answer["data"].is_null() && answer["errors"].is_array(), "{answer}");
}

#[tokio::test]
async fn while_the_database_is_gone_it_says_so_and_then_goes_on() {
    let postgres = Postgres::start(Version::V16);
    let database = postgres.database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let replica = replica(&database, &issuer).await;
    eventually("it is well", async || replica.health().await.1["status"] == "ok").await;
    let token = keys.sign(&issuer.claims(database.user("a@b.c", None).await));
    let name = database.url.split('?').next().unwrap().rsplit('/').next().unwrap();
    let mut elsewhere = connect(&database.superuser_url.replace(name, "postgres")).await;
    let gone = format!("alter database {name} with allow_connections false");
    run(&mut elsewhere, &gone).await;
    let cut = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    run(&mut elsewhere, &cut).await;
    eventually("it is down", async || replica.health().await.0 == 503).await;
    assert!(replica.knows(&token).await, "who somebody is, it can tell all the same");
    run(&mut elsewhere, &format!("alter database {name} with allow_connections true")).await;
    eventually("it is well again", async || replica.health().await.1["status"] == "ok").await;
}
