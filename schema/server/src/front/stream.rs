//! Subscriptions over HTTP: answers in parts, on a connection that stays open.
//!
//! The body is pulled: an event is fetched when the one before it has been handed to the system, so whoever reads
//! slowly skips to the newest and holds one event in memory at most. Who reads nothing at all is cut off where the
//! connection is served. A stream ends with a word for its reader when the hub stops and when its token is revoked.

use std::convert::Infallible;
use std::pin::Pin;

use async_graphql::Executor;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use futures_util::future::{self, BoxFuture, FutureExt as _};
use futures_util::stream::{self, BoxStream};
use tokio::time::{Duration, Sleep, sleep};

use super::media::Live;
use super::{Front, error, reply};
use crate::answer;
use crate::caller::Gate;
use crate::events::Event;
use crate::lease::{Parting, Stay};
use crate::operation::Operation;
use crate::places::Place;

/// Begins a subscription and answers with its events as they come.
pub(super) fn begin<E: Executor, G: Gate>(
    front: &Front<E, G>,
    live: Live,
    operation: Operation,
    stay: Stay,
    place: Place,
) -> Response {
    let events = front.start(operation, stay.caller, stay.visit());
    let flow = Flow {
        live,
        running: Some(Running { events, end: end(front.clone(), stay), _place: place }),
        every: front.settings.ping_every,
        beat: Box::pin(sleep(front.settings.ping_every)),
    };
    let opening = stream::once(future::ready(Bytes::from_static(live.opening())));
    let parts = stream::unfold(flow, async |mut flow| Some((flow.next().await?, flow)));
    let body = Body::from_stream(opening.chain(parts).map(Ok::<_, Infallible>));
    (reply::head(live.content_type()), reply::STREAMED, body).into_response()
}

/// Why a stream ends before its operation does.
enum End {
    Parting(Parting),
    /// The hub stops. The reader is not told that all is said: it comes back.
    Stop,
}

fn end<E: Executor, G: Gate>(front: Front<E, G>, stay: Stay) -> BoxFuture<'static, End> {
    async move {
        let stop = front.stop.clone();
        tokio::select! {
            () = stop.cancelled() => End::Stop,
            parting = stay.ended(&front) => End::Parting(parting),
        }
    }
    .boxed()
}

/// What is let go when the stream ends, or when its reader does.
struct Running {
    events: BoxStream<'static, Event>,
    end: BoxFuture<'static, End>,
    _place: Place,
}

struct Flow {
    live: Live,
    running: Option<Running>,
    every: Duration,
    /// When nothing has been said for so long that the connection might be taken for dead.
    beat: Pin<Box<Sleep>>,
}

impl Flow {
    /// The next part; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        let running = self.running.as_mut()?;
        let (part, is_last) = tokio::select! {
            biased;
            end = &mut running.end => (self.live.farewell(&end), true),
            event = running.events.next() => match event {
                Some(Event::Next(payload)) => (self.live.next(&payload.bytes), false),
                Some(Event::Complete) | None => (Bytes::from_static(self.live.end()), true),
            },
            () = &mut self.beat => (self.live.beat(), false),
        };
        if is_last {
            self.running = None;
        }
        self.beat.set(sleep(self.every));
        Some(part)
    }
}

impl Live {
    /// The last words to a reader whose operation goes on without them.
    fn farewell(self, end: &End) -> Bytes {
        let why = match end {
            End::Parting(Parting::SessionEnded) => {
                error("EXPIRED", "your session here has ended: check in again")
            }
            End::Parting(Parting::Revoked) => error("FORBIDDEN", "this token opens nothing any more"),
            End::Stop => error("GOING_AWAY", "the hub stops; come back in a moment"),
        };
        let answer = answer::bytes(&async_graphql::Response::from_errors(vec![why]));
        match (self, end) {
            // Without `complete` a reader comes back by itself, and hears at the door what it needs to hear.
            (Self::EventStream, End::Stop) => Bytes::new(),
            (Self::EventStream, End::Parting(_)) => [&self.next(&answer), self.end()].concat().into(),
            (Self::Multipart, _) => [&self.fatal(&answer), self.end()].concat().into(),
        }
    }
}

#[cfg(test)]
mod tests;
