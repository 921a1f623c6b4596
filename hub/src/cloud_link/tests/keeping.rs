//! A hub and a small cloud that answers what it is told to, over real connections.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use roomtone_schema::schedule::Schedule;
use roomtone_sync::credential::{check_hub_token, enrolment_text, is_signed, rotation_text};
use roomtone_sync::wire::{
    EnrolAnswer, EnrolAsk, HeardAnswer, Hello, HelloAnswer, Problem, ProblemCode, Push, PushAnswer,
    RotateAnswer, RotateAsk, Standing, TIME_HEADER, VERSION, VERSION_HEADER, decode, encode,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::CloudSection;
use crate::scheduling::SetWeekError;
use crate::view::SyncState;

const CODE: &str = "ABCD-EFGH";

/// What the small cloud knows.
#[derive(Debug, Default)]
struct Known {
    key: Option<[u8; 32]>,
    next_key: Option<[u8; 32]>,
    /// The code is good for the key that has shown it alone.
    is_used: bool,
    /// The answer to the next change of a key gets lost.
    loses_one: bool,
    standing: Option<Standing>,
    ack: i64,
    payloads: Vec<Vec<u8>>,
}

type Cloud = Arc<Mutex<Known>>;

fn told(status: StatusCode, message: &impl serde::Serialize) -> axum::response::Response {
    let headers = [(TIME_HEADER, NOON.0.to_string()), (VERSION_HEADER, VERSION.to_string())];
    (status, headers, encode(message).unwrap()).into_response()
}

fn problem(status: StatusCode, code: ProblemCode) -> axum::response::Response {
    let message = "as it was told to".to_owned();
    told(status, &Problem { code, message, ack: None, retry_after_ms: None })
}

async fn enrol(State(cloud): State<Cloud>, body: Bytes) -> axum::response::Response {
    let ask: EnrolAsk = decode(&body).unwrap();
    assert!(is_signed(&ask.public_key, &enrolment_text(&ask.code, &ask.public_key), &*ask.proof));
    if ask.code != CODE {
        return problem(StatusCode::NOT_FOUND, ProblemCode::Code);
    }
    let mut known = locked(&cloud);
    if known.key.is_some_and(|key| key != *ask.public_key) && std::mem::take(&mut known.is_used) {
        return problem(StatusCode::NOT_FOUND, ProblemCode::Code);
    }
    known.key = Some(*ask.public_key);
    if std::mem::take(&mut known.loses_one) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    drop(known);
    let answer = EnrolAnswer {
        hub: me(),
        venue: VenueId(Uuid::from_u128(2)),
        organisation: OrganisationId(Uuid::from_u128(1)),
        venue_name: "Café".to_owned(),
        hub_name: "cellar".to_owned(),
    };
    told(StatusCode::OK, &answer)
}

async fn rotate(
    State(cloud): State<Cloud>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let token = headers[AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let ask: RotateAsk = decode(&body).unwrap();
    assert!(is_signed(&ask.public_key, &rotation_text(me(), &ask.public_key), &*ask.proof));
    let mut known = locked(&cloud);
    if known.next_key.is_some_and(|key| check_hub_token(&token, &key, NOON)) {
        known.key = known.next_key.take();
    }
    if !known.key.is_some_and(|key| check_hub_token(&token, &key, NOON)) {
        return problem(StatusCode::UNAUTHORIZED, ProblemCode::Unauthorised);
    }
    let pending = known.key != Some(*ask.public_key);
    if pending {
        known.next_key = Some(*ask.public_key);
    }
    if std::mem::take(&mut known.loses_one) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    told(StatusCode::OK, &RotateAnswer { pending })
}

async fn hello(
    State(cloud): State<Cloud>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let token = headers[AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let hello: Hello = decode(&body).unwrap();
    let mut known = locked(&cloud);
    if known.next_key.is_some_and(|key| check_hub_token(&token, &key, NOON)) {
        known.key = known.next_key.take();
    }
    if !known.key.is_some_and(|key| check_hub_token(&token, &key, NOON)) {
        return problem(StatusCode::UNAUTHORIZED, ProblemCode::Unauthorised);
    }
    let answer = HelloAnswer {
        standing: known.standing.unwrap_or(Standing::Welcome),
        now: NOON,
        epoch: hello.epoch,
        ack: known.ack,
        lease_ms: 90_000,
        heads: Vec::new(),
        revisions: Vec::new(),
        ticket_keys: vec![ByteArray::new([5; 32])],
        venue_name: "Café".to_owned(),
        hub_name: "cellar".to_owned(),
        news_every_ms: 0,
    };
    told(StatusCode::OK, &answer)
}

async fn push(State(cloud): State<Cloud>, body: Bytes) -> axum::response::Response {
    let push: Push = decode(&body).unwrap();
    let facts = push.facts.into_facts().unwrap();
    let mut known = locked(&cloud);
    assert_eq!(push.first_seq, known.ack + 1);
    known.ack += facts.len() as i64;
    known.payloads.extend(facts.into_iter().map(|fact| fact.payload));
    told(StatusCode::OK, &PushAnswer { ack: known.ack, apart: Vec::new(), now: NOON })
}

/// Listens, and serves until the set is dropped.
async fn cloud(known: &Cloud) -> (String, JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/v1/hubs/enrol", post(enrol))
        .route("/v1/hubs/rotate", post(rotate))
        .route("/v1/sync/hello", post(hello))
        .route("/v1/sync/push", post(push))
        .route("/v1/sync/heard", post(async || told(StatusCode::OK, &HeardAnswer { heard: Vec::new() })))
        .route("/v1/sync/live", get(async || StatusCode::NOT_FOUND))
        .with_state(Arc::clone(known));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, serving)
}

async fn until(venue: &Venue, what: &str, holds: impl Fn(&crate::view::SyncStatusView) -> bool) {
    let mut status = venue.hub.sync_status();
    let wait = async {
        loop {
            venue.hub.0.show_sync_status();
            if holds(&status.borrow_and_update()) {
                break;
            }
            status.changed().await.unwrap();
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    assert!(waited.is_ok(), "{what}: {:?}", venue.hub.sync_status().borrow());
}

#[tokio::test]
async fn a_hub_enrols_tells_what_it_has_and_leaves() {
    let (known, venue) = (Cloud::default(), Venue::with_songs(3).await);
    let (url, _serving) = cloud(&known).await;
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(keep_in_touch(venue.hub.clone(), CloudSection::default(), stop.clone()));
    let wrong = venue.hub.enrol(&url, "WRONG").await.unwrap_err();
    assert!(matches!(wrong, EnrolError::Code), "{wrong}");
    assert_eq!(venue.hub.enrolment(), None);
    let enrolled = venue.hub.enrol(&url, CODE).await.unwrap();
    assert_eq!(venue.hub.enrolment(), Some(enrolled));
    let week = venue.hub.set_schedule(venue.hub.main_zone(), Schedule::default()).await.unwrap_err();
    assert!(matches!(week, SetWeekError::OfTheCloud), "the cloud keeps the week now: {week}");
    until(&venue, "synced", |status| status.state == SyncState::Synced && status.pending == 0).await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], VoteValue::Like).await.unwrap();
    let count = || locked(&known).payloads.len();
    until(&venue, "the vote goes, too", |status| status.pending == 0 && count() == 5).await;
    assert_eq!(venue.hub.ticket_keys(), [[5; 32]]);
    assert_eq!(venue.hub.sync_status().borrow().last_pulled_at, Some(NOON));
    let file =
        std::os::unix::fs::MetadataExt::mode(&venue.hub.data_dir().join("cloud-key").metadata().unwrap());
    assert_eq!(file & 0o777, 0o600);
    venue.hub.unenrol().await.unwrap();
    until(&venue, "left", |status| !status.enrolled && status.state == SyncState::Offline).await;
    assert!(!venue.hub.data_dir().join("cloud-key").exists());
    assert_eq!(playable(&venue).await.len(), 3);
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_fenced_hub_plays_on_and_pushes_nothing() {
    let (known, venue) = (Cloud::default(), Venue::with_songs(2).await);
    locked(&known).standing = Some(Standing::Fenced);
    let (url, _serving) = cloud(&known).await;
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(keep_in_touch(venue.hub.clone(), CloudSection::default(), stop.clone()));
    venue.hub.enrol(&url, CODE).await.unwrap();
    until(&venue, "fenced", |status| status.state == SyncState::Blocked).await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], VoteValue::Like).await.unwrap();
    assert_eq!(locked(&known).payloads.len(), 0);
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_hub_without_its_key_says_so_and_may_enrol_again() {
    let (known, venue) = (Cloud::default(), Venue::with_songs(1).await);
    let (url, _serving) = cloud(&known).await;
    venue.hub.enrol(&url, CODE).await.unwrap();
    std::fs::remove_file(venue.hub.data_dir().join("cloud-key")).unwrap();
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(keep_in_touch(venue.hub.clone(), CloudSection::default(), stop.clone()));
    until(&venue, "keyless", |status| status.state == SyncState::Blocked && status.last_error.is_some())
        .await;
    venue.hub.enrol(&url, CODE).await.unwrap();
    until(&venue, "synced", |status| status.state == SyncState::Synced).await;
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_hub_changes_its_key_without_a_code_and_goes_on_with_the_new_one() {
    let (known, venue) = (Cloud::default(), Venue::with_songs(1).await);
    let (url, _serving) = cloud(&known).await;
    assert!(matches!(venue.hub.rotate_key("").await, Err(EnrolError::NotEnrolled)));
    venue.hub.enrol(&url, CODE).await.unwrap();
    let first = locked(&known).key;
    locked(&known).loses_one = true;
    assert!(matches!(venue.hub.rotate_key("").await, Err(EnrolError::NoAnswer(_))));
    let offered = locked(&known).next_key;
    assert!(offered.is_some());
    assert_eq!(locked(&known).key, first, "the answer was lost: both are good");
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(keep_in_touch(venue.hub.clone(), CloudSection::default(), stop.clone()));
    until(&venue, "synced", |status| status.state == SyncState::Synced).await;
    assert_eq!(locked(&known).key, first, "the hub goes on with the one that it is sure of");
    assert!(venue.hub.rotate_key("").await.unwrap(), "the one before is void");
    assert_eq!(locked(&known).key, offered);
    assert_eq!(locked(&known).next_key, None);
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], VoteValue::Like).await.unwrap();
    until(&venue, "told by the new key", |status| status.state == SyncState::Synced && status.pending == 0)
        .await;
    stop.cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

/// The cloud has let the hub in; nobody heard of it here.
#[tokio::test]
async fn a_code_whose_answer_was_lost_is_shown_again_with_the_same_key() {
    let (known, venue) = (Cloud::default(), Venue::with_songs(1).await);
    let (url, _serving) = cloud(&known).await;
    (locked(&known).loses_one, locked(&known).is_used) = (true, true);
    assert!(venue.hub.enrol(&url, CODE).await.is_err());
    assert_eq!(venue.hub.enrolment(), None);
    let venue = venue.restart().await;
    venue.hub.enrol(&url, CODE).await.unwrap();
    assert_eq!(venue.hub.enrolment().unwrap().public_key, locked(&known).key);
}
