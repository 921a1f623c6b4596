//! How the hub stands with its cloud, and facts that the cloud keeps apart.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use roomtone_schema::id::Id as _;
use roomtone_schema::{FactId, IdempotencyKey, UnixMillis};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{No, Office, read, reply};
use crate::dead_letters::{DeadLetterError, Decision};
use crate::hub::Hub;
use crate::view::SyncState;

/// The numbers; the page words them.
pub(super) fn standing(hub: &Hub) -> Value {
    let status = hub.sync_status().borrow().clone();
    let ago = |at: Option<UnixMillis>| at.map(|at| hub.now().since(at).as_secs());
    let state = match status.state {
        SyncState::Synced => "synced",
        SyncState::Syncing => "syncing",
        SyncState::Offline => "offline",
        SyncState::Blocked => "blocked",
    };
    let enrolment = hub.enrolment();
    json!({
        "state": state,
        "enrolled": status.enrolled,
        "at": enrolment.as_ref().map(|enrolment| &enrolment.url),
        "venue": enrolment.as_ref().map(|enrolment| &enrolment.venue_name),
        "pending": status.pending,
        "oldest_pending_s": ago(status.oldest_pending_at),
        "pushed_ago_s": ago(status.last_pushed_at),
        "pulled_ago_s": ago(status.last_pulled_at),
        "dead_letters": status.dead_letters,
        "songs_here": status.cached_songs,
        "songs": status.total_songs,
        "bytes_here": status.cached_bytes,
        "last_error": status.last_error,
    })
}

#[derive(Deserialize)]
struct Joined {
    /// The cloud's address.
    cloud: String,
    /// The code that its page shows.
    code: String,
}

/// Comes to a cloud by the code that its page shows.
pub(super) async fn enrol(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Joined = read(request).await?;
    office.hub.enrol(asked.cloud.trim(), asked.code.trim()).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

/// Facts that the cloud keeps apart, newest first.
pub(super) async fn list(State(office): State<Office>, request: Request) -> Result<Response, No> {
    office.admit(&request).await?;
    told(&office.hub).await
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Retry,
    Discard,
}

#[derive(Deserialize)]
struct Decided {
    fact: String,
    decision: Wanted,
    key: uuid::Uuid,
}

/// Sends one again, or drops it.
pub(super) async fn decide(State(office): State<Office>, request: Request) -> Result<Response, No> {
    office.admit(&request).await?;
    let asked: Decided = read(request).await?;
    let fact = FactId::from_global(&asked.fact).map_err(|_no_id| DeadLetterError::Unknown)?;
    let decision = match asked.decision {
        Wanted::Retry => Decision::Retry,
        Wanted::Discard => Decision::Discard,
    };
    office.hub.decide(IdempotencyKey(asked.key), fact, decision).await?;
    told(&office.hub).await
}

async fn told(hub: &Hub) -> Result<Response, No> {
    let now = hub.now();
    let letters = hub.dead_letters().await?;
    let letters: Vec<Value> = letters
        .iter()
        .map(|letter| {
            json!({
                "id": letter.id.to_global(),
                "kind": letter.kind,
                "happened_ago_s": now.since(letter.at).as_secs(),
                "told_ago_s": now.since(letter.told_at).as_secs(),
                "parked": letter.is_parked,
                "reason": letter.reason,
            })
        })
        .collect();
    Ok(reply(StatusCode::OK, &json!({ "facts": letters })))
}
