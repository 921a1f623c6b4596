//! A small client of the hub's GraphQL API: what the demo's player and guests speak.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use roomtone_schema::id::Id as _;
use roomtone_schema::time::Clock as _;
use roomtone_schema::{IdempotencyKey, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};

/// How long an answer may take. The hub's own bound is shorter.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between the attempts of one request.
const PAUSES: [Duration; 3] = [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// The subprotocol of GraphQL over WebSocket.
const PROTOCOL: &str = "graphql-transport-ws";

/// Somebody who speaks to the hub.
#[derive(Debug, Clone)]
pub(super) struct Client {
    address: SocketAddr,
    /// The session's or player's secret.
    pub(super) token: Option<String>,
    cookie: Option<String>,
}

/// What a mutation says no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// Such as `NOT_FOUND`.
    pub(super) code: String,
    /// A sentence.
    pub(super) message: String,
}

impl Client {
    /// Somebody without token or cookie.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, token: None, cookie: None }
    }

    /// With a token.
    pub(super) fn with_token(address: SocketAddr, token: String) -> Self {
        Self { token: Some(token), ..Self::new(address) }
    }

    /// Sends a mutation with a key of its own; the payload, or the hub's polite no.
    ///
    /// Where no answer comes it is sent again with the same key, which makes it the same request: a hub that is busy
    /// or just starting again is no reason to fail.
    pub(super) async fn mutate(
        &mut self,
        name: &str,
        mut input: Value,
        select: &str,
    ) -> anyhow::Result<Result<Value, Refused>> {
        input["idempotencyKey"] = json!(new_key()?);
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!(
            "mutation($input: {kind}!) {{ {name}(input: $input) {{ {select} userErrors {{ code message }} }} }}"
        );
        let mut data = self.ask_again(&query, json!({ "input": input })).await?;
        let payload = data[name].take();
        let no = &payload["userErrors"][0];
        let text = |key: &str| no[key].as_str().unwrap_or_default().to_owned();
        if no.is_object() {
            return Ok(Err(Refused { code: text("code"), message: text("message") }));
        }
        Ok(Ok(payload))
    }

    async fn ask_again(&mut self, query: &str, variables: Value) -> anyhow::Result<Value> {
        for pause in PAUSES {
            match self.ask(query, variables.clone()).await {
                Ok(data) => return Ok(data),
                Err(error) => tracing::debug!("asking again in {pause:?}: {error:#}"),
            }
            tokio::time::sleep(pause).await;
        }
        self.ask(query, variables).await
    }

    /// Sends an operation; its data.
    pub(super) async fn ask(&mut self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut request = Request::post("/graphql")
            .header(HOST, self.address.to_string())
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let (response, body) = tokio::time::timeout(PATIENCE, exchange(self.address, request)).await??;
        self.keep_cookie(&response);
        let mut answer: Value = serde_json::from_slice(&body)
            .with_context(|| format!("{}: {}", response.status(), String::from_utf8_lossy(&body)))?;
        ensure!(answer["errors"].is_null(), "the hub reports: {}", answer["errors"]);
        Ok(answer["data"].take())
    }

    /// Subscribes to one field; its values as they come. Ends when the hub ends it.
    pub(super) async fn subscribe(
        &self,
        field: &str,
        query: &str,
    ) -> anyhow::Result<impl Stream<Item = anyhow::Result<Value>> + Send + 'static + use<>> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", PROTOCOL.parse()?);
        let stream = TcpStream::connect(self.address).await?;
        let config = WebSocketConfig::default();
        let connecting = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (mut socket, _response) = tokio::time::timeout(PATIENCE, connecting).await??;
        let payload = match &self.token {
            Some(token) => json!({ "authorization": format!("Bearer {token}") }),
            None => json!({}),
        };
        for message in [
            json!({ "type": "connection_init", "payload": payload }),
            json!({ "type": "subscribe", "id": "1", "payload": { "query": query } }),
        ] {
            if message["type"] == "subscribe" {
                await_acknowledgement(&mut socket).await?;
            }
            socket.send(Message::text(message.to_string())).await?;
        }
        let field = field.to_owned();
        Ok(async_values(socket, field))
    }

    fn keep_cookie(&mut self, response: &Response<()>) {
        let set = response.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        if let Some(cookie) = set.and_then(|set| set.split(';').next()) {
            self.cookie = Some(cookie.to_owned());
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn await_acknowledgement(socket: &mut Socket) -> anyhow::Result<()> {
    let first = tokio::time::timeout(PATIENCE, next_message(socket)).await??;
    match first {
        Some(message) if message["type"] == "connection_ack" => Ok(()),
        Some(message) => bail!("the hub began with {message}"),
        None => bail!("the hub closed the connection"),
    }
}

fn async_values(socket: Socket, field: String) -> impl Stream<Item = anyhow::Result<Value>> + Send + 'static {
    futures_util::stream::try_unfold((socket, field), async |(mut socket, field)| {
        while let Some(mut message) = next_message(&mut socket).await? {
            match message["type"].as_str().unwrap_or_default() {
                "ping" => socket.send(Message::text(json!({ "type": "pong" }).to_string())).await?,
                "next" => {
                    let mut payload = message["payload"].take();
                    ensure!(payload["errors"].is_null(), "the hub reports: {}", payload["errors"]);
                    return Ok(Some((payload["data"][&field].take(), (socket, field))));
                }
                "error" => bail!("the hub refuses the subscription: {}", message["payload"]),
                "complete" => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    })
}

async fn next_message(socket: &mut Socket) -> anyhow::Result<Option<Value>> {
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => return Ok(Some(serde_json::from_str(&text)?)),
            Message::Close(_) => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}

/// One request on a connection of its own.
async fn exchange(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(Response<()>, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        anyhow::Ok((Response::from_parts(head, ()), body.collect().await?.to_bytes()))
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

/// A key for one request: made once, so that a repeat is the same request.
fn new_key() -> anyhow::Result<String> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    Ok(IdempotencyKey::mint(SystemClock::new().wall(), random).to_string())
}
