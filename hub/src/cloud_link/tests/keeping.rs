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
use roomtone_sync::credential::{check_hub_token, enrolment_text, is_signed};
use roomtone_sync::wire::{
    EnrolAnswer, EnrolAsk, HeardAnswer, Hello, HelloAnswer, Problem, ProblemCode, Push, PushAnswer, Standing,
    TIME_HEADER, VERSION, VERSION_HEADER, decode, encode,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::CloudSection;
use crate::view::SyncState;

const CODE: &str = "ABCD-EFGH";

/// What the small cloud knows.
#[derive(Debug, Default)]
struct Known {
    key: Option<[u8; 32]>,
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
    locked(&cloud).key = Some(*ask.public_key);
    let answer = EnrolAnswer {
        hub: me(),
        venue: VenueId(Uuid::from_u128(2)),
        organisation: OrganisationId(Uuid::from_u128(1)),
        venue_name: "Café".to_owned(),
        hub_name: "cellar".to_owned(),
    };
    told(StatusCode::OK, &answer)
}

async fn hello(
    State(cloud): State<Cloud>,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let token = headers[AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let hello: Hello = decode(&body).unwrap();
    let known = locked(&cloud);
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
