//! For how long somebody may stay on a connection that stays open.

use roomtone_cloud::bus::Topic;
use serde_json::json;

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, TestDatabase, Version};
use crate::starting::replica;

/// Says it as a replica would.
pub(crate) async fn notify(database: &TestDatabase, topic: Topic) {
    let payload = json!(["another replica", topic.to_string()]).to_string();
    let mut conn = database.superuser().await;
    sqlx::query("select pg_notify('roomtone', $1)").bind(payload).execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let replica = replica(&database, &issuer).await;
    let user = database.user("a@b.c", None).await;
    assert!(replica.knows(&keys.sign(&issuer.claims(user))).await, "the keys are there");
    let mut short = replica.socket(&keys.sign(&issuer.claims_for(user, 4))).await;
    let mut long = replica.socket(&keys.sign(&issuer.claims(user))).await;
    assert_eq!(short.hears().await["type"], "connection_ack");
    assert_eq!(long.hears().await["type"], "connection_ack");
    assert_eq!(short.closed().await, 4403);
    long.say(json!({ "type": "ping" })).await;
    assert_eq!(long.hears().await["type"], "pong");
}

#[tokio::test]
async fn an_account_that_is_deleted_is_let_go_at_once_and_others_stay() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let replica = replica(&database, &issuer).await;
    let (one, two) = (database.user("one@b.c", None).await, database.user("two@b.c", None).await);
    let token = |user| keys.sign(&issuer.claims(user));
    assert!(replica.knows(&token(one)).await && replica.knows(&token(two)).await);
    let mut ones = replica.socket(&token(one)).await;
    let mut twos = replica.socket(&token(two)).await;
    assert_eq!(ones.hears().await["type"], "connection_ack");
    assert_eq!(twos.hears().await["type"], "connection_ack");
    let mut conn = database.superuser().await;
    // Not while the first upkeep hangs in weeks: each would wait for what the other holds, and one be sent away.
    let upkeep = "select pg_advisory_lock(hashtext('roomtone.upkeep'))";
    sqlx::query(upkeep).execute(&mut conn).await.unwrap();
    sqlx::query("delete from auth.users where id = $1").bind(one.0).execute(&mut conn).await.unwrap();
    // Unsaid, it would be noticed within a minute.
    for user in [two, one] {
        notify(&database, Topic::User(user)).await;
    }
    assert_eq!(ones.closed().await, 4403);
    assert!(!replica.knows(&token(one)).await);
    twos.say(json!({ "type": "ping" })).await;
    assert_eq!(
        twos.hears().await["type"],
        "pong",
        "something about them has changed, and they are still here"
    );
}

#[tokio::test]
async fn a_replica_that_stops_says_goodbye() {
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let mut replica = replica(&database, &issuer).await;
    let token = keys.sign(&issuer.claims(database.user("a@b.c", None).await));
    assert!(replica.knows(&token).await);
    let mut socket = replica.socket(&token).await;
    assert_eq!(socket.hears().await["type"], "connection_ack");
    replica.terminate();
    assert_eq!(socket.closed().await, 1001);
    assert!(replica.ends().await.success());
}
