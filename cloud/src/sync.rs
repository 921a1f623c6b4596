//! What hubs talk to: a few questions over HTTP, each signed by the hub's own key.
//!
//! Where a hub stands and what it may read comes from its row, never from what it says. [`router`] stands on any
//! [`CloudStore`], so that the simulation runs the very code that hubs meet; what needs Postgres and the media store
//! besides is in [`routes`].
//!
//! What is absent: state. A replica that is lost takes nothing with it but its waiting polls.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use roomtone_schema::Clock;
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    DigestAsk, HeardAsk, Hello, MOST_FACTS, MOST_ROWS, Problem, ProblemCode, PullAsk, Push, RowsAsk, Scope,
    decode_within,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Topic};

pub mod admission;
mod answer;
mod caller;
mod enrolment;
pub mod heads;
mod live;
mod media;
mod pairing;
pub mod routes;
pub mod snapshots;

pub use admission::{Admission, Class, Limits};
pub use answer::{answer, problem};
pub use heads::Heads;

/// No question of a hub is longer; a push alone may be.
const LONGEST: usize = 64 * 1024;
/// No question of a hub is longer once unpacked; a push alone may be.
const LONGEST_UNPACKED: usize = 1024 * 1024;
/// A push as it travels: 500 facts, or one that is large.
const LONGEST_PUSH: usize = 1024 * 1024;
/// A push once unpacked.
const LONGEST_PUSH_UNPACKED: usize = 4 * 1024 * 1024;

/// What answers hubs. Clones are the same one.
#[derive(Debug)]
pub struct Desk<S> {
    /// The database, as hubs use it.
    pub store: S,
    /// Where the feeds end.
    pub heads: Heads,
    /// How many at once.
    pub admission: Admission,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Lets go of whoever waits.
    pub stop: CancellationToken,
    known: caller::Known,
}

impl<S: Clone> Clone for Desk<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            heads: self.heads.clone(),
            admission: self.admission.clone(),
            clock: Arc::clone(&self.clock),
            stop: self.stop.clone(),
            known: self.known.clone(),
        }
    }
}

impl<S: CloudStore> Desk<S> {
    /// A desk that lets go of whoever waits at `stop`. [`Heads::keep`] must run beside it.
    pub fn new(store: S, clock: Arc<dyn Clock>, limits: Limits, stop: CancellationToken) -> Self {
        let admission = Admission::new(limits);
        Self { store, heads: Heads::default(), admission, clock, stop, known: caller::Known::default() }
    }

    /// Hears of changes until `stop`: feeds may have moved, and a hub whose venue has changed is looked up again before it
    /// is believed.
    ///
    /// # Errors
    /// Where there is no bus any more.
    pub async fn listen(self, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
        let mut told = bus.everything();
        loop {
            let heard = match stop.run_until_cancelled(told.recv()).await {
                None => return Ok(()),
                Some(Err(RecvError::Closed)) => anyhow::bail!("there is no bus any more"),
                Some(Ok(heard)) => heard,
                Some(Err(RecvError::Lagged(_))) => None,
            };
            match heard {
                // What a room shows comes from its hub, and brings it nothing.
                Some(Topic::Room(_)) => continue,
                Some(Topic::Venue(venue)) => self.known.forget(Some(venue)),
                None => self.known.forget(None),
                Some(_) => {}
            }
            self.heads.look();
        }
    }
}

/// What any store can answer: everything but enrolment, snapshots and media, which are "not here".
pub fn router<S: CloudStore>(desk: Desk<S>) -> Router {
    questions(desk, Router::new().route("/v1/sync/snapshot", post(not_here::<S>)))
}

/// The questions of sync, with `more` of them behind the same counter.
pub fn questions<S: CloudStore>(desk: Desk<S>, more: Router<Desk<S>>) -> Router {
    let push = post(push::<S>).layer(DefaultBodyLimit::max(LONGEST_PUSH));
    Router::new()
        .route("/v1/sync/hello", post(hello::<S>))
        .route("/v1/sync/pull", post(pull::<S>))
        .route("/v1/sync/digest", post(digest::<S>))
        .route("/v1/sync/rows", post(rows::<S>))
        .route("/v1/sync/heard", post(heard::<S>))
        .route("/v1/sync/live", get(live::live::<S>))
        .route("/v1/sync/poll", get(live::poll::<S>))
        .merge(more)
        .layer(DefaultBodyLimit::max(LONGEST))
        .route("/v1/sync/push", push)
        .layer(from_fn_with_state(Arc::clone(&desk.clock), answer::label))
        .with_state(desk)
}

/// What becomes of a question: the message, or why not.
pub type Answered<T> = Result<T, Problem>;

impl<S: CloudStore> Desk<S> {
    /// Answers a question of a hub: shows its credential, waits for its turn, reads what it asks, and writes what it is
    /// told.
    pub(crate) async fn ask<Q, A, F>(
        &self,
        headers: &HeaderMap,
        class: Class,
        body: Result<Bytes, axum::extract::rejection::BytesRejection>,
        find: impl FnOnce(KnownHub, Q) -> F,
    ) -> Response
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Answered<A>>,
    {
        self.ask_within(headers, class, body, LONGEST_UNPACKED, find).await
    }

    async fn ask_within<Q, A, F>(
        &self,
        headers: &HeaderMap,
        class: Class,
        body: Result<Bytes, axum::extract::rejection::BytesRejection>,
        most: usize,
        find: impl FnOnce(KnownHub, Q) -> F,
    ) -> Response
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Answered<A>>,
    {
        let is_too_long = answer::is_too_long(&body);
        let answered = async {
            let _turn = self.admission.enter(class).await?;
            let hub = self.caller(headers).await?;
            let body = body.map_err(|rejected| malformed(&rejected.body_text()))?;
            let question = decode_within(&body, most).map_err(|error| malformed(&error.to_string()))?;
            find(hub, question).await
        };
        let mut response = answer(answered.await);
        if is_too_long && response.status() == StatusCode::BAD_REQUEST {
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        }
        response
    }
}

type Body = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn hello<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask(&headers, Class::Facts, body, async |hub, hello: Hello| {
        desk.store.hello(&hub, hello, desk.clock.wall()).await
    })
    .await
}

async fn push<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask_within(&headers, Class::Facts, body, LONGEST_PUSH_UNPACKED, async |hub, push: Push| {
        if push.facts.is_empty() || push.facts.len() > MOST_FACTS || push.first_seq < 1 {
            let why = format!("a push has 1 to {MOST_FACTS} facts, numbered from 1 on");
            return Err(malformed(&why));
        }
        let taken = desk.store.push(&hub, push, desk.clock.wall()).await?;
        desk.heads.look();
        Ok(taken)
    })
    .await
}

async fn pull<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask(&headers, Class::Feed, body, async |hub, ask: PullAsk| {
        is_its_own(&hub, ask.scope)?;
        let limit = ask.limit.clamp(1, MOST_ROWS);
        desk.store.pull(&hub, PullAsk { limit, ..ask }).await
    })
    .await
}

async fn digest<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask(&headers, Class::Bootstrap, body, async |hub, ask: DigestAsk| {
        is_its_own(&hub, ask.scope)?;
        desk.store.digest(&hub, ask.scope).await
    })
    .await
}

async fn rows<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask(&headers, Class::Bootstrap, body, async |hub, ask: RowsAsk| {
        is_its_own(&hub, ask.scope)?;
        let limit = ask.limit.clamp(1, MOST_ROWS);
        desk.store.rows(&hub, RowsAsk { limit, ..ask }).await
    })
    .await
}

async fn heard<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap, body: Body) -> Response {
    desk.ask(&headers, Class::Bootstrap, body, async |hub, ask: HeardAsk| desk.store.heard(&hub, ask).await)
        .await
}

async fn not_here<S: CloudStore>(State(desk): State<Desk<S>>, headers: HeaderMap) -> Response {
    let found = desk
        .caller(&headers)
        .await
        .and_then(|_hub| Err::<(), _>(problem(NOT_FOUND, "no snapshots are kept here")));
    answer(found)
}

const NOT_FOUND: ProblemCode = ProblemCode::NotFound;

/// A scope of another hub is one that is not there.
pub(crate) fn is_its_own(hub: &KnownHub, scope: Scope) -> Answered<()> {
    let is_so = hub.scopes().contains(&scope);
    is_so.then_some(()).ok_or_else(|| problem(NOT_FOUND, "there is no such scope, or it is another hub's"))
}

pub(crate) fn malformed(why: &str) -> Problem {
    problem(ProblemCode::Malformed, why)
}

#[cfg(test)]
mod tests;
