//! The router over a store that keeps nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use roomtone_schema::id::Id as _;
use roomtone_schema::{Clock as _, HubId, OrganisationId, SystemClock, UnixMillis, VenueId};
use roomtone_sync::credential::{SigningKey, hub_token};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    Cursor, DigestAnswer, Head, HeardAnswer, HeardAsk, Hello, HelloAnswer, Page, Problem, ProblemCode,
    PullAsk, Push, PushAnswer, RowsAnswer, RowsAsk, Scope, encode,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;

/// One hub, feeds that end where a test says, and a count of what it cost.
#[derive(Clone)]
struct Small {
    heads: Arc<Mutex<Vec<Head>>>,
    looked_up: Arc<AtomicUsize>,
    /// Pulls wait here.
    gate: Arc<Semaphore>,
}

fn hub() -> KnownHub {
    KnownHub {
        id: HubId::from_uuid(Uuid::from_u128(1)),
        venue: VenueId(Uuid::from_u128(2)),
        organisation: OrganisationId(Uuid::from_u128(3)),
        keys: vec![key().public()],
    }
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn not_here<T>() -> Result<T, Problem> {
    Err(problem(ProblemCode::Failed, "this store keeps nothing"))
}

impl CloudStore for Small {
    async fn hub(&self, id: HubId) -> Result<Option<KnownHub>, Problem> {
        self.looked_up.fetch_add(1, Ordering::Relaxed);
        Ok(Some(hub()).filter(|hub| hub.id == id))
    }

    async fn hello(&self, _: &KnownHub, _: Hello, _: UnixMillis) -> Result<HelloAnswer, Problem> {
        not_here()
    }

    async fn push(&self, _: &KnownHub, _: Push, _: UnixMillis) -> Result<PushAnswer, Problem> {
        not_here()
    }

    async fn pull(&self, _: &KnownHub, ask: PullAsk) -> Result<Page, Problem> {
        self.gate.acquire().await.unwrap().forget();
        let (scope, from) = (ask.scope, ask.from);
        Ok(Page { scope, from, to: from, head: 0, changes: 0, rows: Vec::new() })
    }

    async fn digest(&self, _: &KnownHub, _: Scope) -> Result<DigestAnswer, Problem> {
        not_here()
    }

    async fn rows(&self, _: &KnownHub, _: RowsAsk) -> Result<RowsAnswer, Problem> {
        not_here()
    }

    async fn heard(&self, _: &KnownHub, _: HeardAsk) -> Result<HeardAnswer, Problem> {
        not_here()
    }

    async fn heads_since(&self, since: i64) -> Result<(Vec<Head>, i64), Problem> {
        Ok((self.heads.lock().unwrap().clone(), since + 1))
    }
}

struct Stage {
    store: Small,
    desk: Desk<Small>,
    router: Router,
    _keeping: JoinSet<anyhow::Result<()>>,
}

impl Stage {
    fn set(limits: Limits) -> Self {
        let (heads, looked_up, gate) = (Arc::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        let store = Small { heads, looked_up, gate };
        let clock = Arc::new(SystemClock::new());
        let desk = Desk::new(store.clone(), clock, limits, CancellationToken::new());
        let mut keeping = JoinSet::new();
        keeping.spawn(desk.heads.clone().keep(store.clone(), desk.stop.clone()));
        Self { store, router: router(desk.clone()), desk, _keeping: keeping }
    }

    fn ends(&self, seq: i64) {
        *self.store.heads.lock().unwrap() = hub().scopes().map(|scope| Head { scope, seq }).to_vec();
    }

    async fn get(&self, path: &str) -> Response {
        send(self.router.clone(), "GET", path, Vec::new()).await
    }
}

async fn send(router: Router, method: &str, path: &str, body: Vec<u8>) -> Response {
    let token = hub_token(&key(), hub().id, SystemClock::new().wall());
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

fn pull() -> Vec<u8> {
    let scope = hub().scopes()[0];
    encode(&PullAsk { scope, from: Cursor::default(), limit: 1 }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_news_ends_after_a_while_and_asks_the_database_nothing() {
    let stage = Stage::set(Limits::default());
    stage.ends(4);
    let path = "/v1/sync/poll?catalogue=4&venue=4";
    assert_eq!(stage.get(path).await.status(), StatusCode::NOT_MODIFIED);
    let before = stage.store.looked_up.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(stage.get(path).await.status(), StatusCode::NOT_MODIFIED);
    }
    assert_eq!((before, stage.store.looked_up.load(Ordering::Relaxed)), (1, 1), "its row was read once");
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_ends_earlier_than_a_hub_knows_is_news_after_a_moment() {
    let stage = Stage::set(Limits::default());
    stage.ends(4);
    let answer = stage.get("/v1/sync/poll?catalogue=9&venue=4").await;
    let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told, serde_json::json!([{ "scope": hub().scopes()[0].to_string(), "head": 4 }]));
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_that_it_is_there_and_what_is_new() {
    let stage = Stage::set(Limits::default());
    stage.ends(4);
    let answer = stage.get("/v1/sync/live?catalogue=4&venue=4").await;
    let mut stream = answer.into_body().into_data_stream();
    assert_eq!(stream.next().await.unwrap().unwrap(), ": here\n\n");
    stage.ends(5);
    stage.desk.heads.look();
    let told = String::from_utf8(stream.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(told.starts_with("data: {\"scope\":\"") && told.ends_with("\"head\":5}\n\n"), "{told}");
    stage.desk.stop.cancel();
    while stream.next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_turn_is_told_when_to_come_again_and_others_are_served() {
    let stage = Stage::set(Limits { feed: 1, ..Limits::default() });
    let mut busy = JoinSet::new();
    busy.spawn(send(stage.router.clone(), "POST", "/v1/sync/pull", pull()));
    tokio::task::yield_now().await;
    let turned_away = send(stage.router.clone(), "POST", "/v1/sync/pull", pull()).await;
    assert_eq!(turned_away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(turned_away.headers()[RETRY_AFTER], "1");
    assert_eq!(stage.desk.admission.turned_away(), 1);
    let other = send(stage.router.clone(), "POST", "/v1/sync/snapshot", pull()).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND, "another class has turns of its own");
    stage.store.gate.add_permits(1);
    assert_eq!(busy.join_next().await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_hubs_are_spread_over_a_minute() {
    let admission = Admission::new(Limits { waiting: 0, ..Limits::default() });
    let mut seconds = vec![0_u32; 61];
    for _ in 0..10_000 {
        let ms = admission.enter(Class::Waiting).await.unwrap_err().retry_after_ms.unwrap();
        assert!(Duration::from_millis(ms) <= Duration::from_mins(1));
        seconds[(ms / 1_000) as usize] += 1;
    }
    assert!(seconds[1..60].iter().all(|hubs| (100..=300).contains(hubs)), "{seconds:?}");
}
