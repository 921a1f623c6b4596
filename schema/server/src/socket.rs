//! GraphQL over WebSocket: the protocol `graphql-transport-ws`, with an end to everything.
//!
//! One task owns a socket, reads it, polls its operations in turn (so that a busy subscription starves no other) and
//! writes. Whoever breaks the protocol is told by the close code that the protocol names; whoever does not read is
//! cut off when a write has waited too long; whoever says nothing at all is let go.

use std::future::ready;

use async_graphql::{Executor, ServerError};
use axum::extract::Request;
use axum::http::header::UPGRADE;
use axum::response::{IntoResponse as _, Response};
use hyper::upgrade::Parts;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::caller::{Caller, Gate, Visit, bearer};
use crate::events::Event;
use crate::front::{Front, error, refusal};
use crate::lease::{Parting, Stay};
use crate::operation::Params;
use crate::places::Place;
use crate::serve::{Seat, Wire};

mod handshake;
mod line;
mod message;
mod operations;
mod pulse;

use handshake::Handshake;
use line::{CLOSING, End, Line};
use message::ClientMessage;
use operations::Operations;
use pulse::{Due, Pulse};

/// Events in a row before everything else on a socket is looked at again.
const MOST_IN_A_ROW: u32 = 8;

/// Whether a request wants to become a WebSocket.
pub(crate) fn is_upgrade(request: &Request) -> bool {
    request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Turns a request into a WebSocket and serves it until either side ends it.
pub(crate) async fn upgrade<E: Executor, G: Gate>(
    front: Front<E, G>,
    visit: Visit,
    mut request: Request,
) -> Response {
    let shake = match Handshake::read(&request) {
        Ok(shake) => shake,
        Err(refused) => return refused,
    };
    let place = match Place::for_anybody(&front, &visit) {
        Ok(place) => place,
        Err(full) => return full.into_response(),
    };
    // Who has no place yet keeps the connection's seat, so that those who say nothing are as many as connections at most.
    let seat = request.extensions_mut().remove::<Seat>().filter(|_| place.is_none());
    let (upgrade, speaks) = (hyper::upgrade::on(&mut request), shake.speaks);
    front.tasks.clone().spawn(async move {
        // Where there is no connection any more, there is nobody to tell.
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<Wire>() else {
            tracing::error!("a connection is not of the kind that `serve` takes in");
            return;
        };
        // What has been read already sits in a buffer that nobody needs any more.
        let Parts { io, read_buf, .. } = parts;
        let line = Line::open(io.into_inner().into_inner(), read_buf, &front.settings).await;
        Talk { front, visit, place, line, operations: Operations::default() }.hold(speaks).await;
        drop(seat);
    });
    shake.answer()
}

/// A conversation.
struct Talk<E, G> {
    front: Front<E, G>,
    visit: Visit,
    place: Option<Place>,
    line: Line,
    operations: Operations,
}

impl<E: Executor, G: Gate> Talk<E, G> {
    async fn hold(mut self, speaks: bool) {
        let end = if speaks { self.converse().await } else { message::NO_PROTOCOL.into() };
        let Self { line, operations, place, .. } = self;
        drop(operations);
        line.end(end).await;
        drop(place);
    }

    async fn converse(&mut self) -> End {
        match timeout(self.front.settings.hello_time, self.hello()).await {
            Ok(Ok(stay)) => self.serve(stay).await,
            Ok(Err(end)) => end,
            Err(_elapsed) => message::NO_HELLO.into(),
        }
    }

    /// Waits for `connection_init` and answers it.
    async fn hello(&mut self) -> Result<Stay, End> {
        let stop = self.front.stop.clone();
        loop {
            let heard = tokio::select! {
                () = stop.cancelled() => return Err(message::GOING_AWAY.into()),
                heard = self.line.hear() => heard?,
            };
            match heard {
                // An id that nobody uses may be completed at any time.
                None | Some(ClientMessage::Pong | ClientMessage::Complete(_)) => {}
                Some(ClientMessage::ConnectionInit(payload)) => return self.welcome(payload).await,
                Some(ClientMessage::Ping(payload)) => self.line.say(message::plain("pong", payload)).await?,
                Some(ClientMessage::Subscribe { .. }) => return Err(message::UNAUTHORIZED.into()),
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
        if let Caller::Expired(_) | Caller::Unknown = stay.caller {
            return Err(message::FORBIDDEN.into());
        }
        let place = Place::settle(self.place.take(), &self.front, &self.visit, stay.caller);
        self.place = Some(place.map_err(message::no_place)?);
        self.line.say(message::plain("connection_ack", None)).await?;
        Ok(stay)
    }

    async fn serve(&mut self, stay: Stay) -> End {
        let mut pulse = Pulse::new(Instant::now(), &self.front.settings);
        // A token of its own: the one of all sockets would be locked by each of them at every turn.
        let (stop, over) = (self.front.stop.child_token().cancelled_owned(), stay.over());
        let alarm = sleep_until(pulse.next());
        tokio::pin!(stop, over, alarm);
        let mut in_a_row = 0;
        loop {
            let outcome = tokio::select! {
                biased;
                (id, event) = self.operations.next(), if in_a_row < MOST_IN_A_ROW => {
                    in_a_row += 1;
                    self.deliver(&id, event).await
                }
                () = &mut stop => Err(message::GOING_AWAY.into()),
                () = &mut over => Err(self.part(&stay).await),
                () = &mut alarm => {
                    let outcome = self.beat(&mut pulse, &stay).await;
                    alarm.as_mut().reset(pulse.next());
                    outcome
                }
                heard = self.line.hear() => {
                    in_a_row = 0;
                    pulse.heard();
                    match heard {
                        Ok(Some(message)) => self.obey(message, stay.caller).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                () = ready(()), if in_a_row == MOST_IN_A_ROW => {
                    in_a_row = 0;
                    Ok(())
                }
            };
            if let Err(end) = outcome {
                return end;
            }
        }
    }

    async fn obey(&mut self, message: ClientMessage, caller: Caller) -> Result<(), End> {
        match message {
            ClientMessage::ConnectionInit(_) => Err(message::SECOND_HELLO.into()),
            ClientMessage::Ping(payload) => self.line.say(message::plain("pong", payload)).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Complete(id) => {
                self.operations.remove(&id);
                Ok(())
            }
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload, caller).await,
        }
    }

    async fn subscribe(&mut self, id: String, payload: Value, caller: Caller) -> Result<(), End> {
        if self.operations.contains(&id) {
            return Err(message::duplicate(&id).into());
        }
        let params = Params::from_json(payload).map_err(|_malformed| message::INVALID)?;
        let most = self.front.settings.operations_per_socket;
        if self.operations.len() >= most {
            let why = format!("at most {most} operations at once on one connection: complete one first");
            return self.refuse(&id, &error("RATE_LIMITED", &why)).await;
        }
        match self.front.prepare(params) {
            Ok(operation) => {
                let kind = operation.kind;
                let events = self.front.start(operation, caller, &self.visit);
                self.operations.insert(&id, kind, events);
                Ok(())
            }
            Err(refused) => self.refuse(&id, &refusal(&refused)).await,
        }
    }

    async fn deliver(&mut self, id: &str, event: Event) -> Result<(), End> {
        match event {
            Event::Complete => {
                self.operations.remove(id);
                self.line.say(message::complete(id)).await
            }
            Event::Next(payload) if payload.request_error => {
                self.operations.remove(id);
                self.line.pass(message::framed(id, "error", &payload.errors())).await
            }
            Event::Next(payload) => {
                self.line.pass(message::framed(id, "next", &payload.bytes)).await?;
                if self.operations.is_answered(id) {
                    self.line.say(message::complete(id)).await?;
                }
                Ok(())
            }
        }
    }

    async fn refuse(&mut self, id: &str, why: &ServerError) -> Result<(), End> {
        let errors = serde_json::json!([why]).to_string();
        self.line.pass(message::framed(id, "error", errors.as_bytes())).await
    }

    /// Asks for a sign of life, and now and then whether the token still holds; while the other end answers, that is
    /// its listener's sign of life, too.
    async fn beat(&mut self, pulse: &mut Pulse, stay: &Stay) -> Result<(), End> {
        while let Some(due) = pulse.due(Instant::now()) {
            match due {
                Due::Ping => self.line.say(Message::Ping(Bytes::new())).await?,
                Due::Look => stay.look(&self.front).await.map_err(message::parting)?,
                Due::Dead => return Err(End::Gone),
            }
        }
        Ok(())
    }

    /// What is left to do for whoever may stay no longer: what they watch ends at once, what they have asked for (to
    /// check out, say) is still answered.
    async fn part(&mut self, stay: &Stay) -> End {
        self.operations.stop_watching();
        let answers = async {
            while self.operations.len() > 0 {
                let (id, event) = self.operations.next().await;
                self.deliver(&id, event).await?;
            }
            Ok::<(), End>(())
        };
        if let Ok(Err(end)) = timeout(CLOSING, answers).await {
            return end;
        }
        message::parting(stay.look(&self.front).await.err().unwrap_or(Parting::Revoked)).into()
    }
}
