//! Sockets that say nothing, say too much, or are too many (G14, G15).

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use roomtone_tests::TestVenue;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::wire::{PATIENCE, assert_alive};

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// A socket, or the status it was refused with.
    pub(crate) async fn open(venue: &TestVenue, cookie: Option<&str>) -> Result<Self, u16> {
        let mut request = venue.ws_url("/graphql").into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        if let Some(cookie) = cookie {
            headers.insert("cookie", format!("roomtone_device={cookie}").parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn greeted(venue: &TestVenue, cookie: Option<&str>) -> Self {
        let mut socket = Self::open(venue, cookie).await.unwrap();
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    pub(crate) async fn hear(&mut self) -> Value {
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// The code it is closed with.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Message::Close(frame)) => return frame.map_or(1005, |frame| frame.code.into()),
                Some(_) => {}
                None => return 1006,
            }
        }
    }

    async fn frame(&mut self) -> Option<Message> {
        let frame =
            tokio::time::timeout(PATIENCE, self.0.next()).await.expect("something within the patience");
        frame.and_then(Result::ok)
    }
}

#[tokio::test]
async fn g1_nested_literals_are_refused_on_a_socket_too() {
    let mut venue = TestVenue::empty();
    let mut socket = Socket::greeted(&venue, None).await;
    socket.subscribe("1", &format!("{{ x(a: {}{}) }}", "[".repeat(1_600), "]".repeat(1_600))).await;
    let answer = socket.hear().await;
    assert_eq!(answer["type"], "error", "{answer}");
    assert_eq!(answer["payload"][0]["extensions"]["code"], "TOO_MUCH", "{answer}");
    socket.subscribe("2", "{ __schema { types { name } } }").await;
    assert_eq!(socket.hear().await["payload"][0]["extensions"]["code"], "FORBIDDEN");
    drop(socket);
    assert_alive(&venue);
    venue.close();
}

#[tokio::test]
async fn g14_who_does_not_introduce_themselves_or_does_so_twice_is_shown_out() {
    let mut venue = TestVenue::empty();
    let began = Instant::now();
    let mut silent = Socket::open(&venue, None).await.unwrap();
    assert_eq!(silent.closed().await, 4408);
    assert!((2..15).contains(&began.elapsed().as_secs()), "after {:?}", began.elapsed());
    let mut twice = Socket::greeted(&venue, None).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);
    let mut same = Socket::greeted(&venue, None).await;
    for _ in 0..2 {
        same.subscribe("x", "subscription { vibe { consensus } }").await;
    }
    assert_eq!(same.closed().await, 4409);
    venue.close();
}

#[tokio::test]
async fn g15_operations_on_a_socket_sockets_of_a_device_and_sockets_of_a_hub_have_an_end() {
    let env = [("ROOMTONE_CONNECTIONS_SOCKETS", "7".to_owned())];
    let mut venue = TestVenue::closed().open_with_env(env);
    let mut greedy = Socket::greeted(&venue, None).await;
    for number in 0..11 {
        greedy.subscribe(&number.to_string(), "subscription { vibe { consensus } }").await;
    }
    let refused = loop {
        let message = greedy.hear().await;
        if message["type"] == "error" {
            break message;
        }
    };
    assert_eq!(refused["id"], "10", "{refused}");
    let mut own = Vec::new();
    for _ in 0..5 {
        own.push(Socket::greeted(&venue, Some("one-device")).await);
    }
    assert!(matches!(Socket::open(&venue, Some("one-device")).await, Err(429 | 503)));
    let other = Socket::greeted(&venue, Some("another-device")).await;
    assert!(matches!(Socket::open(&venue, Some("a-third")).await, Err(503)));
    drop((own, other));
    let again = async {
        while Socket::open(&venue, Some("a-third")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("places are given back");
    drop(greedy);
    venue.close();
}
