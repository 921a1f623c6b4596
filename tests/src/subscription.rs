//! A subscription over WebSocket, `graphql-transport-ws`, written out by hand: the protocol is part of what is tested.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// One operation on one socket.
#[derive(Debug)]
pub struct Subscription {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Subscription {
    pub(crate) async fn open(url: &str, token: Option<&str>, query: &str) -> Self {
        let payload = token.map(|token| json!({ "authorization": format!("Bearer {token}") }));
        let hello = json!({ "type": "connection_init", "payload": payload.unwrap_or(json!({})) });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
        Self::talk(url, vec![hello, subscribe]).await
    }

    /// Says these messages, an introduction and a subscription, at the hub of this address (`ws://...`).
    pub async fn speak(url: &str, messages: Vec<Value>) -> Self {
        Self::talk(&format!("{url}/graphql"), messages).await
    }

    async fn talk(url: &str, messages: Vec<Value>) -> Self {
        let mut request = url.into_client_request().expect("an address");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("the hub opens the socket");
        let mut this = Self { socket };
        let mut messages = messages.into_iter();
        this.send(messages.next().expect("an introduction")).await;
        assert_eq!(this.receive().await["type"], "connection_ack");
        for message in messages {
            this.send(message).await;
        }
        this
    }

    /// The next value, or a panic after `patience`.
    pub async fn next_within(&mut self, patience: Duration) -> Value {
        let message = tokio::time::timeout(patience, self.receive()).await;
        let message = message.unwrap_or_else(|_| panic!("nothing came within {patience:?}"));
        assert_eq!(message["type"], "next", "{message:#}");
        assert!(message["payload"].get("errors").is_none(), "{message:#}");
        message["payload"]["data"].clone()
    }

    /// Reads until a value `fits`; returns it and how long that took.
    pub async fn until(
        &mut self,
        patience: Duration,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> (Value, Duration) {
        let began = Instant::now();
        loop {
            let left = patience
                .checked_sub(began.elapsed())
                .unwrap_or_else(|| panic!("not within {patience:?}: {what}"));
            let value = self.next_within(left).await;
            if fits(&value) {
                return (value, began.elapsed());
            }
        }
    }

    async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("the socket takes it");
    }

    async fn receive(&mut self) -> Value {
        loop {
            let frame = self.socket.next().await.expect("the socket is open").expect("the socket works");
            let Message::Text(text) = frame else {
                assert!(!frame.is_close(), "the hub closed the socket: {frame:?}");
                continue;
            };
            let message: Value = serde_json::from_str(text.as_str()).expect("JSON");
            match message["type"].as_str() {
                Some("ping") => self.send(json!({ "type": "pong" })).await,
                Some("pong") => {}
                _ => return message,
            }
        }
    }
}
