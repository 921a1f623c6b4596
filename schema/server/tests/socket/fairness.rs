//! Who talks without a pause must let the others have their say.

use std::time::Duration;

use roomtone_server::front::FrontSettings;
use serde_json::json;
use tokio::time::Instant;

use crate::server::Server;

const FLOOD: &str = "subscription { flood(bytes: 100) }";

#[tokio::test]
async fn beside_a_stream_that_never_pauses_a_query_is_answered_promptly() {
    let server = Server::start(FrontSettings::default()).await;
    let mut socket = server.greeted(None).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, FLOOD).await;
    }
    let mut events = 0;
    for turn in 0..50 {
        let (id, asked) = (format!("q{turn}"), Instant::now());
        socket.subscribe(&id, "{ hello }").await;
        let answer = loop {
            let message = socket.hear().await;
            if message["id"] == id.as_str() {
                break message;
            }
            events += 1;
        };
        assert_eq!(answer["payload"], json!({ "data": { "hello": "hello" } }));
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?} after {events} events", asked.elapsed());
        assert_eq!(socket.hear_of(&id).await["type"], "complete");
    }
    assert!(events > 100, "only {events} events: nothing was to be feared of this stream");
}

#[tokio::test]
async fn pings_are_answered_and_operations_completed_beside_a_stream_that_never_pauses() {
    let server = Server::start(FrontSettings::default()).await;
    let mut socket = server.greeted(None).await;
    socket.subscribe("1", FLOOD).await;
    socket.say(&json!({ "type": "ping" })).await;
    while socket.hear().await["type"] != "pong" {}
    socket.say(&json!({ "type": "complete", "id": "1" })).await;
    socket.say(&json!({ "type": "ping" })).await;
    while socket.hear().await["type"] != "pong" {}
    socket.subscribe("2", "{ hello }").await;
    assert_eq!(socket.hear().await["id"], "2", "the flood has ended");
}

#[tokio::test]
async fn streams_that_never_pause_share_their_socket() {
    let server = Server::start(FrontSettings::default()).await;
    let mut socket = server.greeted(None).await;
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        socket.subscribe(id, FLOOD).await;
        while socket.hear().await["id"] != id {}
    }
    let mut heard = [0; 4];
    for _event in 0..2_000 {
        let message = socket.hear().await;
        let of = ids.iter().position(|id| message["id"] == *id).unwrap();
        heard[of] += 1;
    }
    assert!(heard.iter().all(|events| *events > 250), "{heard:?} of 2,000");
}

#[tokio::test]
async fn a_socket_that_is_flooded_starves_no_other() {
    let server = Server::start(FrontSettings::default()).await;
    let mut flooded = server.greeted(None).await;
    flooded.subscribe("1", FLOOD).await;
    let mut other = server.greeted(None).await;
    let reading = async {
        loop {
            flooded.hear().await;
        }
    };
    let asking = async {
        for turn in 0..50 {
            let asked = Instant::now();
            other.subscribe(&turn.to_string(), "{ hello }").await;
            assert_eq!(other.hear().await["type"], "next");
            assert_eq!(other.hear().await["type"], "complete");
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
    };
    tokio::select! {
        () = asking => {}
        () = reading => {}
    }
}
