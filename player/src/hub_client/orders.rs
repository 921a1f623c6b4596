//! The hub's orders, by a subscription on a socket of its own (`graphql-transport-ws`).
//!
//! A line that has died without a word is found out by our own pings: the hub owes each an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, Stream, StreamExt as _};
use roomtone_schema::view::PlayerCommandKind;
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use super::answers::{self, GraphqlError, WirePick};
use super::line::{authority, secure};
use super::{ANSWER, LinkError, documents};
use crate::pick::Pick;

/// The subprotocol of GraphQL over WebSocket.
const PROTOCOL: &str = "graphql-transport-ws";

/// Between our pings.
const PING: Duration = Duration::from_secs(4);

/// Pings without any answer before the line is given up: at the third beat, so within 12 s of the last word.
const MOST_UNANSWERED: u32 = 2;

/// How long the close may take after the last order.
const GOODBYE: Duration = Duration::from_secs(1);

/// The largest message: an order is one pick.
const LARGEST_MESSAGE: usize = 64 << 10;

/// The hub closes with this where a token opens nothing, or nothing any more.
const FORBIDDEN: u16 = 4403;

/// An order to this player.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What to do.
    pub kind: PlayerCommandKind,
    /// For [`PlayerCommandKind::Volume`]: 0 to 1.
    pub volume: Option<f32>,
    /// For [`PlayerCommandKind::Skip`] and [`PlayerCommandKind::PlanChanged`]: what the zone plays now.
    pub pick: Option<Pick>,
}

#[derive(Debug, Deserialize)]
struct WireOrder {
    kind: PlayerCommandKind,
    volume: Option<f32>,
    pick: Option<WirePick>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionAck,
    Ping,
    Pong,
    Next { payload: Payload },
    Error { payload: Vec<GraphqlError> },
    Complete,
}

#[derive(Debug, Deserialize)]
struct Payload {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

struct Talk {
    address: SocketAddr,
    socket: Socket,
    beat: Interval,
    unanswered: u32,
}

/// Subscribes; the orders as they come.
pub(super) async fn subscribe(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    secret: &str,
) -> Result<impl Stream<Item = Result<Order, LinkError>> + Send + use<>, LinkError> {
    let (stream, _key) = secure(address, config).await?;
    let mut request = format!("wss://{}/graphql", authority(address))
        .into_client_request()
        .map_err(|error| lost(address, error))?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
    let limits = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let opening = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
    let opened = timeout(ANSWER, opening).await.map_err(|_late| LinkError::silence(address))?;
    let (socket, _response) = opened.map_err(|error| lost(address, error))?;
    let mut beat = tokio::time::interval(PING);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let mut talk = Talk { address, socket, beat, unanswered: 0 };
    talk.introduce(secret).await?;
    Ok(futures_util::stream::try_unfold(Some(talk), async |talk| {
        let Some(mut talk) = talk else { return Ok(None) };
        let order = talk.order().await?;
        Ok(Some((order, Some(talk))))
    }))
}

impl Talk {
    async fn introduce(&mut self, secret: &str) -> Result<(), LinkError> {
        let payload = json!({ "authorization": format!("Bearer {secret}") });
        self.say(&json!({ "type": "connection_init", "payload": payload })).await?;
        let address = self.address;
        let greeting = async {
            loop {
                match self.hear().await? {
                    Said::ConnectionAck => return Ok(()),
                    Said::Ping => self.say(&json!({ "type": "pong" })).await?,
                    Said::Pong => {}
                    other => return Err(LinkError::Odd(format!("the hub begins with {other:?}"))),
                }
            }
        };
        timeout(ANSWER, greeting).await.map_err(|_late| LinkError::silence(address))??;
        let payload = json!({ "query": documents::ORDERS });
        self.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await
    }

    /// The next order, however long that takes, as long as the hub shows that it is there.
    async fn order(&mut self) -> Result<Order, LinkError> {
        loop {
            let said = tokio::select! {
                said = hear(&mut self.socket, self.address) => said?,
                _tick = self.beat.tick() => {
                    self.ping().await?;
                    continue;
                }
            };
            self.unanswered = 0;
            let Some(said) = said else { continue };
            match said {
                Said::Next { payload } => return payload.into_order(),
                Said::Ping => self.say(&json!({ "type": "pong" })).await?,
                Said::Pong | Said::ConnectionAck => {}
                Said::Error { payload } => return Err(first(payload)),
                Said::Complete => return Err(self.goodbye().await),
            }
        }
    }

    /// What the hub says after its last order: a player that was removed is told so by the close.
    async fn goodbye(&mut self) -> LinkError {
        let address = self.address;
        match timeout(GOODBYE, self.hear()).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) | Err(_) => LinkError::Unreachable(format!("{address} ends the orders")),
        }
    }

    async fn ping(&mut self) -> Result<(), LinkError> {
        if MOST_UNANSWERED <= self.unanswered {
            return Err(LinkError::silence(self.address));
        }
        self.unanswered += 1;
        self.say(&json!({ "type": "ping" })).await
    }

    async fn hear(&mut self) -> Result<Said, LinkError> {
        loop {
            if let Some(said) = hear(&mut self.socket, self.address).await? {
                return Ok(said);
            }
        }
    }

    async fn say(&mut self, message: &Value) -> Result<(), LinkError> {
        let saying = timeout(ANSWER, self.socket.send(Message::text(message.to_string())));
        let said = saying.await.map_err(|_late| LinkError::silence(self.address))?;
        said.map_err(|error| lost(self.address, error))
    }
}

impl Payload {
    fn into_order(self) -> Result<Order, LinkError> {
        if !self.errors.is_empty() {
            return Err(first(self.errors));
        }
        let mut data = self.data.unwrap_or_default();
        let order: WireOrder = answers::read(data["playerCommands"].take())?;
        let pick = order.pick.map(WirePick::into_pick).transpose()?;
        Ok(Order { kind: order.kind, volume: order.volume, pick })
    }
}

/// One message; `None` for one that means nothing to us but life. Safe to drop while it waits.
async fn hear(socket: &mut Socket, address: SocketAddr) -> Result<Option<Said>, LinkError> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) => {
            let said = serde_json::from_str(&text);
            said.map(Some).map_err(|error| LinkError::Odd(format!("{address}: {error}")))
        }
        Some(Ok(Message::Close(frame))) => Err(match frame {
            Some(frame) if u16::from(frame.code) == FORBIDDEN => LinkError::Revoked,
            Some(frame) => {
                let (code, why) = (u16::from(frame.code), frame.reason);
                LinkError::Unreachable(format!("{address} says goodbye ({code} {why})"))
            }
            None => LinkError::Unreachable(format!("{address} says goodbye")),
        }),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(lost(address, error)),
        None => Err(LinkError::Unreachable(format!("{address} has hung up"))),
    }
}

fn first(errors: Vec<GraphqlError>) -> LinkError {
    let first = errors.into_iter().next();
    first.map_or_else(|| LinkError::Odd("an error without words".to_owned()), GraphqlError::into_link_error)
}

fn lost(address: SocketAddr, error: tungstenite::Error) -> LinkError {
    match error {
        tungstenite::Error::Http(response) => super::line::unwanted(response.status(), response.headers()),
        tungstenite::Error::Io(error) => LinkError::Unreachable(format!("{address}: {error}")),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            LinkError::Unreachable(format!("{address} has hung up"))
        }
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            LinkError::Unreachable(format!("{address} has hung up without a word"))
        }
        other => LinkError::Odd(format!("{address}: {other}")),
    }
}
