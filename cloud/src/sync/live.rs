//! News for hubs: that there is some, and of which scope. What it is they pull.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::Scope;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::heads::{Heads, UNKNOWN};
use super::{Class, Desk, answer};

/// A poll without news is answered after this.
const POLL: Duration = Duration::from_secs(50);
/// A stream says that it is there this often: who hears nothing for twice as long knows that the line is dead.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A stream ends after this: whoever listens shows its credential again.
const STREAM: Duration = Duration::from_mins(15);
/// A hub may know of a change a moment before the table here does. One that is still ahead after this has a cursor of a
/// database that is no more.
const AHEAD: Duration = Duration::from_secs(3);

/// What the hub has.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Has {
    #[serde(default)]
    catalogue: i64,
    #[serde(default)]
    venue: i64,
}

/// There is something of a scope.
#[derive(Debug, Clone, Copy, Serialize)]
struct Poke {
    scope: Scope,
    head: i64,
}

/// What a hub waits for.
struct Watching {
    scopes: [(Scope, watch::Receiver<i64>, i64); 2],
}

impl Watching {
    fn new(heads: &Heads, hub: &KnownHub, has: Has) -> Self {
        let [catalogue, venue] = hub.scopes();
        Self {
            scopes: [
                (catalogue, heads.watch(catalogue), has.catalogue),
                (venue, heads.watch(venue), has.venue),
            ],
        }
    }

    /// Completes with news, each told once.
    async fn next(&mut self) -> Vec<Poke> {
        loop {
            let pokes = self.told(|head, known| head > known);
            if !pokes.is_empty() {
                return pokes;
            }
            let lags = self.scopes.iter().any(|(_, head, known)| is_behind(*head.borrow(), *known));
            let [(_, catalogue, _), (_, venue, _)] = &mut self.scopes;
            let moved = async {
                tokio::select! {
                    biased;
                    told = catalogue.changed() => told,
                    told = venue.changed() => told,
                }
            };
            if lags {
                if tokio::time::timeout(AHEAD, moved).await.is_err() {
                    return self.told(|head, known| head > known || is_behind(head, known));
                }
            } else if moved.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn told(&mut self, is_news: impl Fn(i64, i64) -> bool) -> Vec<Poke> {
        let mut pokes = Vec::new();
        for (scope, head, known) in &mut self.scopes {
            let head = *head.borrow_and_update();
            if is_news(head, *known) {
                *known = head;
                pokes.push(Poke { scope: *scope, head });
            }
        }
        pokes
    }
}

fn is_behind(head: i64, known: i64) -> bool {
    head > UNKNOWN && head < known
}

/// A stream of pokes.
pub(super) async fn live<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Query(has): Query<Has>,
    headers: HeaderMap,
) -> Response {
    let entered = async {
        let turn = desk.admission.enter(Class::Waiting).await?;
        Ok((turn, desk.waiter(&headers).await?))
    };
    let (turn, hub) = match entered.await {
        Ok(entered) => entered,
        Err(problem) => return answer::refuse(&problem),
    };
    let watching = Watching::new(&desk.heads, &hub, has);
    let events = events(watching, desk.stop.clone(), turn);
    let beating = KeepAlive::new().interval(HEARTBEAT).text("here");
    ([(CACHE_CONTROL, "no-store"), (NO_BUFFER, "no")], Sse::new(events).keep_alive(beating)).into_response()
}

/// Told to proxies that would rather hand on an answer when it is complete.
const NO_BUFFER: axum::http::HeaderName = axum::http::HeaderName::from_static("x-accel-buffering");

fn events<T>(
    watching: Watching,
    stop: CancellationToken,
    turn: T,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let begun = (watching, stop, turn, Vec::<Poke>::new());
    let events = stream::unfold(begun, |(mut watching, stop, turn, mut pokes)| async move {
        if pokes.is_empty() {
            pokes = stop.run_until_cancelled(watching.next()).await?;
        }
        let poke = pokes.pop()?;
        let event = Event::default().json_data(poke).unwrap_or_default();
        Some((Ok(event), (watching, stop, turn, pokes)))
    });
    events.take_until(tokio::time::sleep(STREAM))
}

/// One answer with pokes, as soon as there are some; 304 where there were none for a while.
pub(super) async fn poll<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Query(has): Query<Has>,
    headers: HeaderMap,
) -> Response {
    let told = async {
        let _turn = desk.admission.enter(Class::Waiting).await?;
        let hub = desk.waiter(&headers).await?;
        let mut watching = Watching::new(&desk.heads, &hub, has);
        Ok(tokio::time::timeout(POLL, desk.stop.run_until_cancelled(watching.next())).await)
    };
    match told.await {
        Err(problem) => answer::refuse(&problem),
        Ok(Ok(Some(pokes))) => ([(CACHE_CONTROL, "no-store")], Json(pokes)).into_response(),
        Ok(Ok(None) | Err(_)) => StatusCode::NOT_MODIFIED.into_response(),
    }
}
