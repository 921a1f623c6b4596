//! The simulated media store, and the cloud's office that makes snapshots into it.
//!
//! The store is no part of the cloud's database: a cloud that was put back finds what was made since, and misses what was
//! removed since.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::RANGE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomtone_cloud::sync::{Desk, answer, problem};
use roomtone_sync::store::{CloudStore as _, KnownHub};
use roomtone_sync::wire::{
    Chunk, Cursor, DigestAsk, Problem, ProblemCode, PullAsk, RowsAsk, Scope, Snapshot, decode, encode,
};
use serde_bytes::ByteArray;
use sha2::{Digest as _, Sha256};
use turmoil::Sim;
use uuid::Uuid;

use crate::model_cloud::SimCloud;
use crate::network::Listening;
use crate::post::cut;

const STORE: &str = "store";
const PORT: u16 = 9000;
/// Rows of a chunk: few, so that a snapshot has several.
const ROWS: u32 = 7;
/// A snapshot behind which the feed has grown by so many changes is made anew.
const GROWN: i64 = 40;

/// How often each thing was done.
#[derive(Debug, Default)]
pub struct Tally {
    /// Chunks that were asked for.
    pub asked: AtomicU64,
    /// Of these, from where an earlier fetch had broken off.
    pub resumed: AtomicU64,
    /// Answers that broke off.
    pub cut: AtomicU64,
    /// Chunks that are not there any more.
    pub missing: AtomicU64,
    /// Answers in which a bit had flipped.
    pub damaged: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(f, "chunks={} resumed={} cut={} ", read(&self.asked), read(&self.resumed), read(&self.cut))?;
        write!(f, "missing={} damaged={}", read(&self.missing), read(&self.damaged))
    }
}

/// The store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Objects {
    kept: Arc<Mutex<BTreeMap<String, Bytes>>>,
    chance: Arc<Mutex<StdRng>>,
    is_calm: Arc<AtomicBool>,
    /// What it has done.
    pub tally: Arc<Tally>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects {
    /// An empty one; `seed` says when it fails.
    pub fn new(seed: u64) -> Self {
        let chance = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        Self { kept: Arc::default(), chance, is_calm: Arc::default(), tally: Arc::default() }
    }

    /// From now on it does not fail.
    pub fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Starts its box.
    pub fn start(&self, sim: &mut Sim<'_>) {
        let objects = self.clone();
        sim.host(STORE, move || {
            let objects = objects.clone();
            async move {
                let listener = Listening(turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?);
                let router = Router::new().route("/sync/{name}", get(fetch)).with_state(objects);
                axum::serve(listener, router).await?;
                Ok(())
            }
        });
    }
}

async fn fetch(State(objects): State<Objects>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    count(&objects.tally.asked);
    let Some(object) = lock(&objects.kept).get(&name).cloned() else {
        count(&objects.tally.missing);
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let from = asked.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (status, part) = match from {
        Some(from) if from < object.len() => {
            count(&objects.tally.resumed);
            (StatusCode::PARTIAL_CONTENT, object.slice(from..))
        }
        _ => (StatusCode::OK, object),
    };
    let (drawn, place) = {
        let mut chance = lock(&objects.chance);
        (chance.random_range(0..100), chance.random_range(0..part.len().max(1)))
    };
    match drawn {
        _ if objects.is_calm.load(Ordering::Relaxed) => (status, Body::from(part)).into_response(),
        0..25 => {
            count(&objects.tally.cut);
            (status, cut(part.slice(..place))).into_response()
        }
        25..30 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        30..33 => {
            count(&objects.tally.damaged);
            let mut damaged = part.to_vec();
            damaged[place] ^= 1;
            (status, damaged).into_response()
        }
        _ => (status, Body::from(part)).into_response(),
    }
}

/// Which chunks a scope is built from: a row of the cloud's database.
#[derive(Debug, Clone)]
pub struct Kept {
    at: Cursor,
    chunks: Vec<(String, Chunk)>,
    /// By the cloud's program that made it: one that tells more makes it anew.
    revision: u32,
}

/// A snapshot that is being made; lost with the program.
#[derive(Debug)]
struct Making {
    kept: Kept,
    after: Option<(String, Uuid)>,
}

/// The part of the cloud's program that makes snapshots.
#[derive(Debug, Clone)]
pub struct Office {
    cloud: SimCloud,
    objects: Objects,
    making: Arc<Mutex<BTreeMap<Scope, Making>>>,
}

impl Office {
    /// An office that has made nothing yet.
    pub fn new(cloud: SimCloud, objects: Objects) -> Self {
        Self { cloud, objects, making: Arc::default() }
    }

    /// Its route.
    pub fn routes(self) -> Router<Desk<SimCloud>> {
        Router::new().route("/v1/sync/snapshot", post(snapshot)).layer(Extension(self))
    }

    async fn find(&self, hub: &KnownHub, scope: Scope) -> Result<Snapshot, Problem> {
        let kept = self.cloud.snapshot(scope).filter(|kept| kept.revision == self.cloud.revision());
        let Some(kept) = kept else { return self.being_made(hub, scope).await };
        match self.cloud.pull(hub, PullAsk { scope, from: kept.at, limit: 1 }).await {
            Ok(page) if page.head - kept.at.seq <= GROWN => {}
            // Still right: a hub that takes it has more to pull afterwards.
            Ok(_) => self.go_on(hub, scope).await?,
            Err(_) => return self.being_made(hub, scope).await,
        }
        Ok(Snapshot { scope, at: kept.at, chunks: kept.chunks.into_iter().map(|(_, chunk)| chunk).collect() })
    }

    async fn being_made(&self, hub: &KnownHub, scope: Scope) -> Result<Snapshot, Problem> {
        self.go_on(hub, scope).await?;
        let busy = problem(ProblemCode::Busy, "the snapshot is being made");
        Err(Problem { retry_after_ms: Some(300), ..busy })
    }

    /// Makes one chunk more: between two of them the rows change.
    async fn go_on(&self, hub: &KnownHub, scope: Scope) -> Result<(), Problem> {
        let begun = lock(&self.making).remove(&scope);
        let after = begun.as_ref().and_then(|making| making.after.clone());
        let ask = RowsAsk { scope, kinds: vec![], buckets: vec![], after, limit: ROWS };
        let page = self.cloud.rows(hub, ask).await?;
        let revision = self.cloud.revision();
        let begun = begun.filter(|making| making.kept.revision == revision);
        let kept = Kept { at: page.at, chunks: vec![], revision };
        let mut making = begun.unwrap_or(Making { kept, after: None });
        if let Some(last) = page.rows.last() {
            making.after = Some((last.kind.clone(), last.pk));
            making.kept.chunks.push(self.put(&page.rows)?);
        }
        if page.more {
            lock(&self.making).insert(scope, making);
            return Ok(());
        }
        let before = self.cloud.keep_snapshot(scope, making.kept.clone());
        let mut kept = lock(&self.objects.kept);
        // At once, where the cloud waits for hours: a hub that is fetching finds nothing there.
        for (name, _) in before.into_iter().flat_map(|before| before.chunks) {
            if !making.kept.chunks.iter().any(|(named, _)| *named == name) {
                kept.remove(&name);
            }
        }
        Ok(())
    }

    fn put(&self, rows: &[roomtone_sync::wire::Row]) -> Result<(String, Chunk), Problem> {
        let bytes = encode(&rows).map_err(|error| problem(ProblemCode::Failed, &error.to_string()))?;
        let sum: [u8; 32] = Sha256::digest(&bytes).into();
        let name = roomtone_schema::song::Sha256(sum).to_string();
        let chunk = Chunk {
            sha256: ByteArray::new(sum),
            bytes: bytes.len() as u64,
            rows: rows.len() as u32,
            url: format!("http://{STORE}:{PORT}/sync/{name}"),
        };
        lock(&self.objects.kept).insert(name.clone(), bytes.into());
        Ok((name, chunk))
    }
}

async fn snapshot(
    State(desk): State<Desk<SimCloud>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let found = async {
        let hub = desk.caller(&headers).await?;
        let ask: DigestAsk =
            decode(&body).map_err(|error| problem(ProblemCode::Malformed, &error.to_string()))?;
        if !hub.scopes().contains(&ask.scope) {
            return Err(problem(ProblemCode::NotFound, "there is no such scope"));
        }
        office.find(&hub, ask.scope).await
    };
    answer(found.await)
}
