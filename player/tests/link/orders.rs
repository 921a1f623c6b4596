//! Orders over a WebSocket, and how its end is found out.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use roomtone_player::hub_client::{HubClient, LinkError, Order};
use roomtone_schema::view::PlayerCommandKind;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::asking::{pick, wire_pick};
use crate::hub::{Act, Answer, TestHub};

fn order(kind: &str, volume: Option<f32>, pick: &Value) -> Act {
    let data = json!({ "playerCommands": { "kind": kind, "volume": volume, "pick": pick } });
    Act::Say(json!({ "type": "next", "id": "1", "payload": { "data": data } }))
}

async fn hub(acts: fn() -> Vec<Act>) -> TestHub {
    TestHub::start(move |_| {
        let greeting = [Act::Await("connection_init"), Act::Say(json!({ "type": "connection_ack" }))];
        Answer::Socket(greeting.into_iter().chain([Act::Await("subscribe")]).chain(acts()).collect())
    })
    .await
}

async fn client(hub: &TestHub) -> HubClient {
    HubClient::connect(&[hub.address], &hub.identity()).await.unwrap()
}

#[tokio::test]
async fn orders_come_as_they_are_given() {
    let hub = hub(|| {
        vec![
            order("VOLUME", Some(0.5), &Value::Null),
            Act::Say(json!({ "type": "ping" })),
            Act::Await("pong"),
            order("SKIP", None, &wire_pick(1)),
            order("PLAN_CHANGED", None, &Value::Null),
        ]
    })
    .await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    let first = orders.next().await.unwrap().unwrap();
    assert_eq!(first, Order { kind: PlayerCommandKind::Volume, volume: Some(0.5), pick: None });
    let second = orders.next().await.unwrap().unwrap();
    assert_eq!(second, Order { kind: PlayerCommandKind::Skip, volume: None, pick: Some(pick(1)) });
    assert_eq!(orders.next().await.unwrap().unwrap().kind, PlayerCommandKind::PlanChanged);
}

#[tokio::test]
async fn a_line_that_died_without_a_word_is_noticed_within_fifteen_seconds() {
    let hub = hub(|| vec![order("VOLUME", Some(1.0), &Value::Null), Act::Mute]).await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    orders.next().await.unwrap().unwrap();
    tokio::time::pause();
    let since = Instant::now();
    let error = orders.next().await.unwrap().unwrap_err();
    assert!(matches!(error, LinkError::Unreachable(_)), "{error}");
    let took = since.elapsed();
    assert!(Duration::from_secs(8) < took && took <= Duration::from_secs(15), "{took:?}");
    assert!(orders.next().await.is_none(), "an error is the end");
}

#[tokio::test]
async fn a_revoked_player_is_told_by_the_close_code() {
    let hub = hub(|| vec![order("VOLUME", Some(1.0), &Value::Null), Act::Close(4403)]).await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    orders.next().await.unwrap().unwrap();
    assert_eq!(orders.next().await.unwrap().unwrap_err(), LinkError::Revoked);
}

#[tokio::test]
async fn a_removed_player_is_told_after_its_last_order() {
    let hub = hub(|| vec![Act::Say(json!({ "type": "complete", "id": "1" })), Act::Close(4403)]).await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    assert_eq!(orders.next().await.unwrap().unwrap_err(), LinkError::Revoked);
}

#[tokio::test]
async fn a_hub_that_stops_is_unreachable_and_not_odd() {
    let hub = hub(|| vec![Act::Close(1001)]).await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    let error = orders.next().await.unwrap().unwrap_err();
    assert!(matches!(error, LinkError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_secret_that_opens_nothing_is_refused_at_the_door() {
    let hub = TestHub::start(|_| Answer::Socket(vec![Act::Await("connection_init"), Act::Close(4403)])).await;
    let error = client(&hub).await.orders().await.err().unwrap();
    assert_eq!(error, LinkError::Revoked);
}

#[tokio::test]
async fn an_order_that_no_hub_gives_ends_the_line_without_a_panic() {
    let hub = hub(|| vec![order("DANCE", None, &Value::Null)]).await;
    let mut orders = pin!(client(&hub).await.orders().await.unwrap());
    let error = orders.next().await.unwrap().unwrap_err();
    assert!(matches!(error, LinkError::Odd(_)), "{error}");
}

#[tokio::test]
async fn a_page_instead_of_a_socket_is_odd() {
    let hub = TestHub::start(|_| {
        let page = vec![("content-type", "text/html".to_owned())];
        Answer::Plain(200, page, bytes::Bytes::from_static(b"<html>"))
    })
    .await;
    let error = client(&hub).await.orders().await.err().unwrap();
    assert!(matches!(error, LinkError::Odd(_)), "{error}");
}
