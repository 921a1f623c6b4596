//! Snapshots: a whole scope in chunks that lie in the media store, so that a new hub costs the database next to nothing.
//!
//! A snapshot is read page by page, so its later pages may know of changes that its place in the feed comes before.
//! That does no harm: a hub that has built itself from it goes on from that place, and meets those changes again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    Chunk, Cursor, DigestAsk, MEDIA_TYPE, MOST_ROWS, Problem, ProblemCode, PullAsk, Row, RowsAsk, Scope,
    Snapshot, encode, revisions,
};
use serde_bytes::ByteArray;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::routes::{Office, failed};
use super::{Answered, Body, Class, Desk, is_its_own, problem};
use crate::cloud::Cloud;
use crate::store::snapshots::{self, Kept, Piece, Retired};

/// For how long a chunk's address is good.
const ADDRESS_FOR: Duration = Duration::from_hours(1);
/// A snapshot that is older is made anew.
const OLD: Duration = Duration::from_hours(24);
/// So is one behind which the feed has grown by more than this part of its rows, ...
const GROWN_PERCENT: i64 = 20;
/// ... where it is at least so many changes.
const GROWN: i64 = 1_000;
/// A chunk that nothing names any more may still be fetched by somebody for so long.
const FETCHED_FOR: Duration = Duration::from_hours(2);
/// One that could not be made is waited for by nobody for so long.
const NOT_AGAIN_MS: i64 = 60_000;
/// For so long a hub that asks waits for one that is being made, ...
const PATIENCE: Duration = Duration::from_secs(10);
/// ... and asks again after this.
const SOON_MS: u64 = 1_000;

/// Which snapshots are to be made, in this order, and which could not be. Clones are the same list.
#[derive(Debug, Clone)]
pub struct Wanted(Arc<watch::Sender<List>>);

#[derive(Debug, Clone, Default)]
struct List {
    wanted: Vec<(Scope, KnownHub)>,
    /// Until when, in monotonic milliseconds, hubs are not told to wait for it.
    failed: BTreeMap<Scope, i64>,
}

impl List {
    fn has(&self, scope: Scope) -> bool {
        self.wanted.iter().any(|(wanted, _)| *wanted == scope)
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(List::default())))
    }
}

impl Wanted {
    /// Both scopes of a hub: the venue's first, as hubs ask for it first. What is good enough is not made again.
    fn want_all(&self, hub: &KnownHub) {
        hub.scopes().into_iter().rev().for_each(|scope| self.want(scope, hub));
    }

    fn want(&self, scope: Scope, hub: &KnownHub) {
        self.0.send_if_modified(|list| {
            let is_new = !list.has(scope);
            if is_new {
                list.wanted.push((scope, hub.clone()));
            }
            is_new
        });
    }

    /// Completes when there is something to do, with the first of it. It stays in the list until it is done.
    async fn first(&self) -> Option<(Scope, KnownHub)> {
        let mut list = self.0.subscribe();
        list.wait_for(|list| !list.wanted.is_empty()).await.ok()?.wanted.first().cloned()
    }

    /// It is made, or could not be and is not waited for until then.
    fn done(&self, scope: Scope, failed_until: Option<i64>) {
        self.0.send_modify(|list| {
            list.wanted.retain(|(wanted, _)| *wanted != scope);
            match failed_until {
                Some(until) => drop(list.failed.insert(scope, until)),
                None => drop(list.failed.remove(&scope)),
            }
        });
    }

    /// Whether it failed a moment ago.
    fn fails(&self, scope: Scope, now_ms: i64) -> bool {
        self.0.borrow().failed.get(&scope).is_some_and(|until| now_ms < *until)
    }

    /// Completes when a scope is not wanted (any more).
    async fn made(&self, scope: Scope) {
        let mut list = self.0.subscribe();
        let _closed = list.wait_for(|list| !list.has(scope)).await;
    }
}

/// The chunks of a scope.
pub(super) async fn snapshot<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let again = body.as_ref().ok().cloned();
    let missing = Mutex::new(None);
    let answered = desk.ask(&headers, Class::Bootstrap, body, async |hub, ask: DigestAsk| {
        is_its_own(&hub, ask.scope)?;
        let found = find(&office, &desk.store, &hub, ask.scope).await?;
        *missing.lock().unwrap_or_else(PoisonError::into_inner) = found.is_none().then_some(ask.scope);
        found.ok_or_else(being_made)
    });
    let answered = answered.await;
    let missing = missing.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (Some(scope), Some(body)) = (missing, again) else { return answered };
    // It waits among those who wait: its turn is somebody else's meanwhile.
    let Ok(_turn) = desk.admission.enter(Class::Waiting).await else { return answered };
    let made = tokio::time::timeout(PATIENCE, desk.stop.run_until_cancelled(office.snapshots.made(scope)));
    if !matches!(made.await, Ok(Some(()))) {
        return answered;
    }
    desk.ask(&headers, Class::Bootstrap, Ok(body), async |hub, ask: DigestAsk| {
        is_its_own(&hub, ask.scope)?;
        find(&office, &desk.store, &hub, ask.scope).await?.ok_or_else(being_made)
    })
    .await
}

/// The snapshot; `None` where there is none to give, and one is being made.
async fn find<S: CloudStore>(
    office: &Office,
    store: &S,
    hub: &KnownHub,
    scope: Scope,
) -> Answered<Option<Snapshot>> {
    let kept = kept(&office.cloud, scope).await.map_err(|error| failed(&error))?;
    let worth = worth(&office.cloud, store, hub, scope, kept.as_ref()).await?;
    if worth != Worth::Good {
        office.snapshots.want(scope, hub);
    }
    let Some(kept) = kept.filter(|_| worth != Worth::Nothing) else {
        if office.snapshots.fails(scope, office.cloud.clock.monotonic_ms()) {
            return Err(problem(
                ProblemCode::NotFound,
                "there is no snapshot of this scope; ask for its rows",
            ));
        }
        // Its other scope is what it asks for next.
        office.snapshots.want_all(hub);
        return Ok(None);
    };
    let chunks =
        futures_util::future::try_join_all(kept.chunks.iter().map(|chunk| address(office, hub, chunk)));
    Ok(Some(Snapshot { scope, at: kept.at, chunks: chunks.await? }))
}

/// What a kept snapshot is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// To build a hub from.
    Good,
    /// To build a hub from, while a newer one is made: it has more to pull afterwards.
    Old,
    /// Too little.
    Nothing,
}

async fn worth<S: CloudStore>(
    cloud: &Cloud,
    store: &S,
    hub: &KnownHub,
    scope: Scope,
    kept: Option<&Kept>,
) -> Answered<Worth> {
    // A hub that took chunks of a program that told less would lack for ever what has come since.
    let Some(kept) = kept.filter(|kept| kept.told == revisions()) else { return Ok(Worth::Nothing) };
    let Some(growth) = growth(store, hub, scope, kept.at).await? else { return Ok(Worth::Nothing) };
    let rows: i64 = kept.chunks.iter().map(|chunk| i64::from(chunk.rows)).sum();
    let is_old = cloud.now_utc() - kept.built_at > chrono::TimeDelta::from_std(OLD).unwrap_or_default();
    let has_grown = growth > (rows * GROWN_PERCENT / 100).max(GROWN);
    // Where most of it would come by the feed, waiting for a new one is shorter.
    let is_little = growth > rows.max(GROWN);
    Ok(match (is_little, is_old || has_grown) {
        (true, _) => Worth::Nothing,
        (false, true) => Worth::Old,
        (false, false) => Worth::Good,
    })
}

fn being_made() -> Problem {
    Problem {
        code: ProblemCode::Busy,
        message: "the snapshot is being made; ask again in a moment".to_owned(),
        ack: None,
        retry_after_ms: Some(SOON_MS),
    }
}

async fn kept(cloud: &Cloud, scope: Scope) -> Result<Option<Kept>, sqlx::Error> {
    snapshots::find(&mut *cloud.database.as_service().await?, scope).await
}

/// How far the feed has gone on since; `None` where that place is none of this feed's any more.
async fn growth<S: CloudStore>(store: &S, hub: &KnownHub, scope: Scope, at: Cursor) -> Answered<Option<i64>> {
    match store.pull(hub, PullAsk { scope, from: at, limit: 1 }).await {
        Ok(page) => Ok(Some(page.head - at.seq)),
        Err(Problem { code: ProblemCode::Diverged, .. }) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// A hub was enrolled: what it will build itself from is made while it puts its key away. Small scopes come by the feed.
pub(super) async fn expect<S: CloudStore>(office: &Office, store: &S, hub: &KnownHub) {
    for scope in hub.scopes().into_iter().rev() {
        let first = store.pull(hub, PullAsk { scope, from: Cursor::default(), limit: 1 }).await;
        if first.is_ok_and(|page| page.head >= i64::from(MOST_ROWS)) {
            office.snapshots.want(scope, hub);
        }
    }
}

async fn address(office: &Office, hub: &KnownHub, piece: &Piece) -> Answered<Chunk> {
    let key = key(hub, &piece.sha256);
    let url =
        office.cloud.media.download_url(&key, None, ADDRESS_FOR).await.map_err(|error| failed(&error))?;
    let sum: roomtone_schema::song::Sha256 = piece.sha256.parse().map_err(|error| failed(&error))?;
    Ok(Chunk { sha256: ByteArray::new(sum.0), bytes: piece.bytes, rows: piece.rows, url })
}

fn key(hub: &KnownHub, sha256: &str) -> String {
    format!("sync/{}/{sha256}", hub.organisation)
}

/// Makes what is wanted, one after the other, until `stop`.
///
/// # Errors
/// None: what fails is logged, and wanted again by whoever asks next.
pub async fn work<S: CloudStore>(office: Office, store: S, stop: CancellationToken) -> anyhow::Result<()> {
    let making = async {
        while let Some((scope, hub)) = office.snapshots.first().await {
            let failed_until = make(&office.cloud, &store, &hub, scope).await.err().map(|error| {
                tracing::warn!(%error, %scope, "a snapshot cannot be made; hubs read their rows from the database meanwhile");
                office.cloud.clock.monotonic_ms().saturating_add(NOT_AGAIN_MS)
            });
            office.snapshots.done(scope, failed_until);
        }
    };
    stop.run_until_cancelled(making).await;
    Ok(())
}

async fn make<S: CloudStore>(cloud: &Cloud, store: &S, hub: &KnownHub, scope: Scope) -> anyhow::Result<()> {
    let before = kept(cloud, scope).await?;
    let worth = worth(cloud, store, hub, scope, before.as_ref()).await;
    if worth.map_err(|problem| anyhow::anyhow!(problem.message))? == Worth::Good {
        return Ok(());
    }
    let (at, chunks) = read(cloud, store, hub, scope).await?;
    let (gone, retired) = retire(before, &chunks, cloud.now_utc());
    let kept = Kept { at, chunks, told: revisions(), retired, built_at: cloud.now_utc() };
    let mut work = cloud.database.as_service().await?;
    snapshots::keep(&mut work, hub.organisation, scope, &kept).await?;
    work.commit().await?;
    for sha256 in gone {
        cloud.media.delete(&key(hub, &sha256)).await?;
    }
    Ok(())
}

/// Reads a scope from its first row to its last, and stores each page as a chunk while the next is read. It is as old as
/// its first page.
async fn read<S: CloudStore>(
    cloud: &Cloud,
    store: &S,
    hub: &KnownHub,
    scope: Scope,
) -> anyhow::Result<(Cursor, Vec<Piece>)> {
    let page = async |after| {
        let ask = RowsAsk { scope, kinds: Vec::new(), buckets: Vec::new(), after, limit: MOST_ROWS };
        store.rows(hub, ask).await.map_err(|problem| anyhow::anyhow!(problem.message))
    };
    let mut read = page(None).await?;
    let (at, mut pieces) = (read.at, Vec::new());
    loop {
        let after = read.rows.last().filter(|_| read.more).map(|row| (row.kind.clone(), row.pk));
        let next = async {
            match after {
                Some(after) => page(Some(after)).await.map(Some),
                None => Ok(None),
            }
        };
        let (piece, next) = futures_util::future::try_join(keep(cloud, hub, read.rows), next).await?;
        pieces.extend(piece);
        match next {
            Some(next) => read = next,
            None => return Ok((at, pieces)),
        }
    }
}

/// Stores some rows as a chunk, where it is not there already.
async fn keep(cloud: &Cloud, hub: &KnownHub, rows: Vec<Row>) -> anyhow::Result<Option<Piece>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let many = u32::try_from(rows.len())?;
    let pack = move || {
        let bytes = encode(&rows)?;
        let sha256 = roomtone_schema::song::Sha256(Sha256::digest(&bytes).into()).to_string();
        anyhow::Ok((bytes, sha256))
    };
    let (bytes, sha256) = tokio::task::spawn_blocking(pack).await??;
    let (length, key) = (bytes.len() as u64, key(hub, &sha256));
    if cloud.media.head(&key).await?.is_none_or(|there| there.bytes != length) {
        cloud.media.put_bytes(&key, bytes, MEDIA_TYPE).await?;
    }
    Ok(Some(Piece { sha256, bytes: length, rows: many }))
}

/// Which chunks are to be removed now, and which later.
fn retire(
    before: Option<Kept>,
    chunks: &[Piece],
    now: chrono::DateTime<chrono::Utc>,
) -> (Vec<String>, Vec<Retired>) {
    let Some(before) = before else { return (Vec::new(), Vec::new()) };
    let dropped = before.chunks.into_iter().map(|chunk| Retired { sha256: chunk.sha256, at: now });
    let named = |sha256: &str| chunks.iter().any(|chunk| chunk.sha256 == sha256);
    let (gone, retired): (Vec<Retired>, Vec<Retired>) =
        before.retired.into_iter().chain(dropped).filter(|retired| !named(&retired.sha256)).partition(
            |retired| now - retired.at > chrono::TimeDelta::from_std(FETCHED_FOR).unwrap_or_default(),
        );
    let still = |sha256: &str| retired.iter().any(|retired| retired.sha256 == sha256);
    let gone = gone.into_iter().map(|gone| gone.sha256).filter(|sha256| !still(sha256)).collect();
    (gone, retired)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn piece(name: &str) -> Piece {
        Piece { sha256: name.to_owned(), bytes: 1, rows: 1 }
    }

    #[test]
    fn a_chunk_is_removed_when_nothing_names_it_and_nobody_can_be_fetching_it() {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(1);
        let retired =
            |name: &str, hours| Retired { sha256: name.to_owned(), at: now - TimeDelta::hours(hours) };
        let before = Kept {
            at: Cursor::default(),
            chunks: vec![piece("same"), piece("dropped"), piece("dropped twice")],
            retired: vec![
                retired("old", 3),
                retired("fresh", 1),
                retired("back", 3),
                retired("dropped twice", 3),
            ],
            told: vec![],
            built_at: now,
        };
        let (gone, kept) = retire(Some(before), &[piece("same"), piece("back")], now);
        assert_eq!(gone, ["old"]);
        assert_eq!(kept, [retired("fresh", 1), retired("dropped", 0), retired("dropped twice", 0)]);
    }
}
