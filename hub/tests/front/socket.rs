//! `graphql-transport-ws`, message by message and close code by close code.

use std::time::Duration;

use roomtone_server::front::FrontSettings;
use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::venue::Venue;

const VIBE: &str = "subscription { vibe { consensus } }";

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let venue = Venue::with_settings(FrontSettings {
        hello_time: Duration::from_millis(100),
        ..FrontSettings::default()
    })
    .await;
    assert_eq!(venue.socket().await.closed().await, 4408);
}

#[tokio::test]
async fn subscribing_before_the_introduction_is_unauthorised() {
    let venue = Venue::empty().await;
    let mut socket = venue.socket().await;
    socket.subscribe("1", VIBE).await;
    assert_eq!(socket.closed().await, 4401);
}

#[tokio::test]
async fn a_second_introduction_is_one_too_many() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.closed().await, 4429);
}

#[tokio::test]
async fn a_token_of_nobody_is_forbidden() {
    let venue = Venue::empty().await;
    let mut socket = venue.socket().await;
    socket.say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer nobody" } })).await;
    assert_eq!(socket.closed().await, 4403);
}

#[rstest]
#[case("graphql-ws")]
#[case("soap")]
#[tokio::test]
async fn no_other_protocol_is_spoken(#[case] protocol: &str) {
    let venue = Venue::empty().await;
    match venue.socket_with(&[("sec-websocket-protocol", protocol)]).await {
        Ok(mut socket) => assert_eq!(socket.closed().await, 4406),
        Err(refused) => assert_eq!(refused, 0, "the client would have had to be told"),
    }
}

#[tokio::test]
async fn without_a_protocol_nothing_is_spoken() {
    let venue = Venue::empty().await;
    assert_eq!(venue.socket_with(&[]).await.unwrap().closed().await, 4406);
}

#[rstest]
#[case::not_json(Message::text("{"))]
#[case::a_list(Message::text("[]"))]
#[case::no_type(Message::text("{}"))]
#[case::unknown(Message::text(r#"{"type":"start","id":"1"}"#))]
#[case::ours(Message::text(r#"{"type":"next","id":"1"}"#))]
#[case::no_id(Message::text(r#"{"type":"subscribe","payload":{"query":"{ venue { name } }"}}"#))]
#[case::empty_id(Message::text(r#"{"type":"subscribe","id":"","payload":{"query":"{ venue { name } }"}}"#))]
#[case::no_query(Message::text(r#"{"type":"subscribe","id":"1","payload":{}}"#))]
#[case::variables_as_text(Message::text(
    r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":"x"}}"#
))]
#[case::binary(Message::binary(vec![1, 2, 3]))]
#[tokio::test]
async fn what_is_not_of_the_protocol_closes_the_socket(#[case] message: Message) {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.say_raw(message).await;
    assert_eq!(socket.closed().await, 4400);
}

#[tokio::test]
async fn the_same_id_twice_at_once_is_refused_and_may_be_used_again_later() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", "{ venue { name } }").await;
    assert_eq!(socket.hear().await["type"], "next");
    assert_eq!(socket.hear().await, json!({ "id": "1", "type": "complete" }));
    socket.subscribe("1", VIBE).await;
    assert_eq!(socket.hear().await["type"], "next");
    socket.subscribe("1", VIBE).await;
    assert_eq!(socket.closed().await, 4409);
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_the_socket() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.say(json!({ "type": "ping", "payload": { "x": "x".repeat(70_000) } })).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn a_ping_is_answered_before_and_after_the_introduction() {
    let venue = Venue::empty().await;
    let mut socket = venue.socket().await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.hear().await["type"], "connection_ack");
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
}

#[rstest]
#[case::syntax("subscription {")]
#[case::unknown_field("subscription { nothing }")]
#[case::two_fields("subscription { vibe { consensus } players { id } }")]
#[case::two_behind_a_fragment(
    "subscription { ...F } fragment F on Subscription { vibe { consensus } players { id } }"
)]
#[tokio::test]
async fn a_wrong_operation_is_an_error_and_the_socket_goes_on(#[case] query: &str) {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", query).await;
    let message = socket.hear().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{message}");
    assert!(message["payload"][0]["message"].is_string());
    socket.subscribe("1", "{ venue { name } }").await;
    assert_eq!(socket.event().await["venue"]["name"], "Test");
}

#[tokio::test]
async fn a_bomb_over_a_socket_is_refused_and_the_hub_lives() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", &format!("{{ x(a:{}{}) }}", "[".repeat(1_600), "]".repeat(1_600))).await;
    assert_eq!(socket.hear().await["payload"][0]["extensions"]["code"], "TOO_MUCH");
    socket.subscribe("2", "{ venue { name } }").await;
    assert_eq!(socket.event().await["venue"]["name"], "Test");
}

#[tokio::test]
async fn a_field_behind_a_fragment_at_the_root_is_delivered() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket
        .subscribe(
            "1",
            "subscription { ...F } fragment F on Subscription { ... { vibe { activeListeners } } }",
        )
        .await;
    assert_eq!(socket.event().await, json!({ "vibe": { "activeListeners": 0 } }));
}

#[tokio::test]
async fn what_the_client_completes_is_silent_from_then_on() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", "subscription { vibe { activeListeners } }").await;
    assert_eq!(socket.event().await["vibe"]["activeListeners"], 0);
    socket.say(json!({ "id": "1", "type": "complete" })).await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
    let _token = venue.check_in().await;
    venue.hub.settle().await;
    socket.subscribe("2", "{ venue { activeListeners } }").await;
    let message = socket.hear().await;
    assert_eq!(message["id"], "2", "{message}");
}

#[tokio::test]
async fn one_socket_runs_ten_operations_at_once() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    for id in 0..10 {
        socket.subscribe(&id.to_string(), VIBE).await;
        assert_eq!(socket.hear().await["type"], "next");
    }
    socket.subscribe("10", VIBE).await;
    let message = socket.hear().await;
    assert_eq!(
        (&message["type"], &message["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED"))
    );
}

#[tokio::test]
async fn a_foreign_page_gets_no_socket() {
    let venue = Venue::empty().await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let refused = venue.socket_with(&[protocol, ("origin", "https://attacker.example")]).await;
    assert_eq!(refused.err(), Some(403));
    let own = format!("http://{}", venue.address);
    assert!(venue.socket_with(&[protocol, ("origin", &own)]).await.is_ok());
    assert_eq!(venue.socket_with(&[protocol, ("host", "attacker.example")]).await.err(), Some(421));
}

#[tokio::test]
async fn beyond_the_sockets_there_are_is_told_to_come_back() {
    let venue = Venue::with_settings(FrontSettings { sockets: 1, ..FrontSettings::default() }).await;
    let first = venue.greeted(None).await;
    assert_eq!(
        venue.socket_with(&[("sec-websocket-protocol", "graphql-transport-ws")]).await.err(),
        Some(503)
    );
    drop(first);
}

#[tokio::test]
async fn a_session_that_ends_ends_its_sockets() {
    let venue = Venue::empty().await;
    let token = venue.check_in().await;
    let mut socket = venue.greeted(Some(&token)).await;
    let leaving = venue.mutate(Some(&token), "checkOut", "CheckOutInput", json!({}), "session { status }");
    let (out, code) = tokio::join!(leaving, socket.closed());
    assert_eq!(out["userErrors"], json!([]));
    assert_eq!(code, 4401);
}

#[tokio::test]
async fn a_stop_says_goodbye() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", VIBE).await;
    assert_eq!(socket.hear().await["type"], "next");
    venue.stop.cancel();
    assert_eq!(socket.closed().await, 1001);
}

#[tokio::test]
async fn mutations_go_over_sockets_too() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    let query = "mutation($input: CheckInInput!) { checkIn(input: $input) { token userErrors { code } } }";
    let input = json!({ "idempotencyKey": crate::venue::key(), "venueCode": venue.code() });
    socket.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": query, "variables": { "input": input } } })).await;
    let event = socket.event().await;
    assert_eq!(event["checkIn"]["userErrors"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_session_that_ran_out_ends_its_sockets() {
    let venue = Venue::empty().await;
    let token = venue.check_in().await;
    let (mut own, mut other) = (venue.greeted(Some(&token)).await, venue.greeted(None).await);
    venue.clock.advance(Duration::from_hours(13));
    venue.hub.tick().await.unwrap();
    assert_eq!(own.closed().await, 4401);
    other.say(json!({ "type": "ping" })).await;
    assert_eq!(other.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_session_with_a_fresh_token_ends_the_sockets_of_the_old_one() {
    let venue = Venue::empty().await;
    let input = json!({ "venueCode": venue.code(), "idempotencyKey": crate::venue::key() });
    let first = venue.mutate(None, "checkIn", "CheckInInput", input.clone(), "token").await;
    let mut socket = venue.greeted(first["token"].as_str()).await;
    let again = venue.mutate(None, "checkIn", "CheckInInput", input, "token").await;
    assert_eq!(socket.closed().await, 4403);
    let _welcome = venue.greeted(again["token"].as_str()).await;
}

#[tokio::test]
async fn a_new_managers_token_ends_the_sockets_of_the_one_before() {
    let venue = Venue::empty().await;
    let old = venue.hub.mint_manager_token().await.unwrap();
    let mut socket = venue.greeted(Some(&old)).await;
    let new = venue.hub.mint_manager_token().await.unwrap();
    assert_eq!(socket.closed().await, 4403);
    let _welcome = venue.greeted(Some(&new)).await;
}

#[tokio::test]
async fn a_new_players_token_ends_the_sockets_of_the_one_before() {
    let venue = Venue::empty().await;
    let old = venue.player_token().await;
    let mut socket = venue.greeted(Some(&old)).await;
    socket.subscribe("1", "subscription { playerCommands { kind } }").await;
    let fresh = venue.hub.renew_player_token("bar").await.unwrap().token;
    assert_eq!(socket.closed().await, 4403);
    let _welcome = venue.greeted(Some(&fresh)).await;
    assert!(venue.hub.renew_player_token("nobody").await.is_err());
}

#[tokio::test]
async fn a_guest_is_not_told_the_schema_over_a_socket_either() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    for (id, query) in [("1", "{ __schema { types { name } } }"), ("2", "{ venue { nam } }")] {
        socket.subscribe(id, query).await;
        let message = socket.hear().await;
        assert_eq!(message["type"], "error", "{message}");
        assert!(!message.to_string().contains("Did you mean"), "{message}");
    }
}

#[tokio::test]
async fn one_device_has_so_many_sockets_and_no_more() {
    let venue =
        Venue::with_settings(FrontSettings { sockets_per_device: 2, ..FrontSettings::default() }).await;
    let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
    let (own, other) = (("cookie", "roomtone_device=mine"), ("cookie", "roomtone_device=yours"));
    let first = venue.socket_with(&[protocol, own]).await.unwrap();
    let _second = venue.socket_with(&[protocol, own]).await.unwrap();
    assert_eq!(venue.socket_with(&[protocol, own]).await.err(), Some(429));
    let _other = venue.socket_with(&[protocol, other]).await.unwrap();
    let _nobody = venue.socket_with(&[protocol]).await.unwrap();
    drop(first);
    while venue.socket_with(&[protocol, own]).await.is_err() {
        tokio::task::yield_now().await;
    }
}
