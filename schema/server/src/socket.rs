//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, with an end to everything.
//!
//! One task owns a socket, reads it, polls its operations in turn (so that a busy subscription starves no other) and
//! writes. Whoever breaks the protocol is told by the close code that the protocol names; whoever does not read is
//! cut off when a write has waited too long; whoever says nothing at all is let go.

use std::future::pending;
use std::ops::ControlFlow;
use std::time::Duration;

use async_graphql::Executor;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request};
use axum::http::header::UPGRADE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_stream::StreamMap;

use crate::caller::{Caller, Gate, Visit, bearer};
use crate::events::Event;
use crate::front::{Front, error, refusal};
use crate::lease::{Parting, Stay};
use crate::operation::{Operation, Params};
use crate::places::Place;

mod message;

use message::{ClientMessage, Fault};

/// The one subprotocol; the legacy `graphql-ws` is not spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// Buffers of one socket. The library's default of 128 KiB is cleared on every read and is most of what a socket costs.
const READ_BUFFER: usize = 4 * 1024;
/// What may wait for a slow reader before a write fails at once.
const WRITE_BUFFER: usize = 1024 * 1024;
/// For how long the other side may take to answer a close.
const CLOSING: Duration = Duration::from_secs(1);

const GOING_AWAY: Fault = Fault { code: 1001, reason: "Going away" };

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_upgrade(request: &Request) -> bool {
    request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Turns a request into a WebSocket and serves it until either side ends it.
pub(crate) async fn upgrade<E: Executor, G: Gate>(
    front: Front<E, G>,
    visit: Visit,
    request: Request,
) -> Response {
    let (mut parts, _body) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    let place = match Place::take(&front, &visit) {
        Ok(place) => place,
        Err(full) => return full.into_response(),
    };
    let token = front.tasks.token();
    let bytes = front.settings.body_bytes;
    upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(bytes)
        .max_frame_size(bytes)
        .on_upgrade(move |socket| async move {
            Talk::hold(front, visit, socket).await;
            drop((place, token));
        })
}

/// How a conversation ends: with a reason that the other side is told, or because it is gone already.
enum End {
    Close(Fault),
    Gone,
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Close(fault)
    }
}

type Step = ControlFlow<End>;

struct Talk<E, G> {
    front: Front<E, G>,
    visit: Visit,
    socket: WebSocket,
    operations: StreamMap<String, BoxStream<'static, Event>>,
    /// Pings since anything was heard.
    unanswered: u32,
}

impl<E: Executor, G: Gate> Talk<E, G> {
    async fn hold(front: Front<E, G>, visit: Visit, socket: WebSocket) {
        let spoken = socket.protocol().is_some();
        let mut talk = Self { front, visit, socket, operations: StreamMap::new(), unanswered: 0 };
        let end = if spoken { talk.converse().await } else { End::Close(message::NO_PROTOCOL) };
        if let End::Close(fault) = end {
            talk.close(fault).await;
        }
    }

    async fn converse(&mut self) -> End {
        let hello = tokio::time::timeout(self.front.settings.hello_time, self.hello()).await;
        match hello {
            Ok(Ok(stay)) => self.serve(stay).await,
            Ok(Err(end)) => end,
            Err(_elapsed) => End::Close(message::NO_HELLO),
        }
    }

    /// Waits for `connection_init` and answers it.
    async fn hello(&mut self) -> Result<Stay, End> {
        let stop = self.front.stop.clone();
        loop {
            let received = tokio::select! {
                () = stop.cancelled() => return Err(GOING_AWAY.into()),
                received = self.socket.recv() => received,
            };
            match read(received)? {
                None | Some(ClientMessage::Pong) => {}
                Some(ClientMessage::ConnectionInit(payload)) => return self.welcome(payload).await,
                Some(ClientMessage::Ping) => self.send(json!({ "type": "pong" })).await?,
                Some(ClientMessage::Subscribe { .. }) => return Err(message::UNAUTHORIZED.into()),
                Some(ClientMessage::Complete(_)) => return Err(message::INVALID.into()),
            }
        }
    }

    async fn welcome(&mut self, payload: Option<Value>) -> Result<Stay, End> {
        let field = |name: &str| payload.as_ref()?.get(name).cloned();
        let shown = match field("authorization").or_else(|| field("Authorization")) {
            None | Some(Value::Null) => None,
            Some(Value::String(value)) => Some(value),
            Some(_) => return Err(message::INVALID.into()),
        };
        let token = shown.map(|value| bearer(&value).unwrap_or(&value).to_owned());
        let stay = Stay::begin(&self.front, token, self.visit.clone()).await;
        if let Caller::Expired | Caller::Unknown = stay.caller {
            return Err(message::FORBIDDEN.into());
        }
        self.send(json!({ "type": "connection_ack" })).await?;
        Ok(stay)
    }

    async fn serve(&mut self, stay: Stay) -> End {
        let caller = stay.caller;
        let (stop, over) = (self.front.stop.clone().cancelled_owned(), stay.over());
        tokio::pin!(stop, over);
        let mut pings = tokio::time::interval(self.front.settings.ping_every);
        pings.tick().await;
        let mut looked = Instant::now();
        loop {
            let outcome = tokio::select! {
                () = &mut stop => Step::Break(GOING_AWAY.into()),
                () = &mut over => Step::Break(self.parting(&stay).await.into()),
                received = self.socket.recv() => self.heard(received, caller).await,
                (id, event) = next(&mut self.operations) => self.deliver(id, event).await,
                _ = pings.tick() => self.pinged(&stay, &mut looked).await,
            };
            if let Step::Break(end) = outcome {
                return end;
            }
        }
    }

    async fn heard(&mut self, received: Option<Result<Message, axum::Error>>, caller: Caller) -> Step {
        self.unanswered = 0;
        let outcome = match read(received) {
            Ok(Some(message)) => self.obey(message, caller).await,
            Ok(None) => Ok(()),
            Err(end) => Err(end),
        };
        outcome.map_or_else(Step::Break, Step::Continue)
    }

    async fn obey(&mut self, message: ClientMessage, caller: Caller) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit(_) => Err(message::SECOND_HELLO.into()),
            ClientMessage::Ping => self.send(json!({ "type": "pong" })).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Complete(id) => {
                self.operations.remove(&id);
                Ok(())
            }
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload, caller).await,
        }
    }

    async fn subscribe(&mut self, id: String, payload: Value, caller: Caller) -> Result<(), End> {
        if self.operations.contains_key(&id) {
            return Err(message::DUPLICATE.into());
        }
        let params = Params::from_json(payload).map_err(|_malformed| message::INVALID)?;
        if self.operations.len() >= self.front.settings.operations_per_socket {
            let most = self.front.settings.operations_per_socket;
            let why = format!("at most {most} operations at once on one connection: complete one first");
            return self.refuse(id, &[error("RATE_LIMITED", &why)]).await;
        }
        match Operation::prepare(params, &self.front.settings.bounds) {
            Ok(operation) => {
                let events = self.front.start(operation, caller, &self.visit);
                self.operations.insert(id, events);
                Ok(())
            }
            Err(refused) => self.refuse(id, &[refusal(&refused)]).await,
        }
    }

    async fn deliver(&mut self, id: String, event: Event) -> Step {
        let sent = match event {
            Event::Complete => {
                self.operations.remove(&id);
                self.send(json!({ "id": id, "type": "complete" })).await
            }
            Event::Next(payload) if payload.request_error => {
                self.operations.remove(&id);
                self.write(message::framed(&id, "error", &payload.errors())).await
            }
            Event::Next(payload) => self.write(message::framed(&id, "next", &payload.bytes)).await,
        };
        sent.map_or_else(Step::Break, Step::Continue)
    }

    async fn refuse(&mut self, id: String, errors: &[async_graphql::ServerError]) -> Result<(), End> {
        self.send(json!({ "id": id, "type": "error", "payload": errors })).await
    }

    /// Asks for a sign of life, and now and then whether the token still holds; while the other end answers, that is
    /// its listener's sign of life, too.
    async fn pinged(&mut self, stay: &Stay, looked: &mut Instant) -> Step {
        if self.unanswered >= 2 {
            return Step::Break(End::Gone);
        }
        if self.unanswered == 0 && looked.elapsed() >= self.front.settings.check_every {
            *looked = Instant::now();
            if let Err(parting) = stay.look(&self.front).await {
                return Step::Break(message::parting(parting).into());
            }
        }
        self.unanswered += 1;
        let sent = self.write(Message::Ping(axum::body::Bytes::new())).await;
        sent.map_or_else(Step::Break, Step::Continue)
    }

    /// What is said to whoever may stay no longer.
    async fn parting(&mut self, stay: &Stay) -> Fault {
        message::parting(stay.look(&self.front).await.err().unwrap_or(Parting::Revoked))
    }

    async fn send(&mut self, message: Value) -> Result<(), End> {
        self.write(Message::Text(message.to_string().into())).await
    }

    /// A reader that takes nothing for too long is gone: waiting for it would hold what it watches in memory.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(self.front.settings.write_time, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Says why, and reads on until the other side has heard it: the answer is not flushed otherwise.
    async fn close(mut self, fault: Fault) {
        self.operations.clear();
        let frame = CloseFrame { code: fault.code, reason: fault.reason.into() };
        if self.write(Message::Close(Some(frame))).await.is_ok() {
            let rest = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            let _in_time = tokio::time::timeout(CLOSING, rest).await;
        }
    }
}

/// The next event of any operation; waits for ever where none runs.
async fn next(operations: &mut StreamMap<String, BoxStream<'static, Event>>) -> (String, Event) {
    match operations.next().await {
        Some(event) => event,
        None => pending().await,
    }
}

/// A message of the protocol; `None` for the frames that keep a connection alive.
fn read(received: Option<Result<Message, axum::Error>>) -> Result<Option<ClientMessage>, End> {
    match received {
        Some(Ok(Message::Text(text))) => Ok(Some(ClientMessage::parse(&text)?)),
        Some(Ok(Message::Binary(_))) => Err(message::INVALID.into()),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        Some(Err(error)) => Err(message::too_long(&error).map_or(End::Gone, End::Close)),
    }
}
