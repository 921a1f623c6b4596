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
    Chunk, Cursor, DigestAsk, MEDIA_TYPE, MOST_ROWS, Problem, ProblemCode, PullAsk, RowsAsk, Scope, Snapshot,
    encode, revisions,
};
use serde_bytes::ByteArray;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::routes::{Office, failed};
use super::{Answered, Body, Class, Desk, is_its_own};
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
/// A hub that waits for a snapshot asks again after this.
const SOON_MS: u64 = 1_000;

/// Which snapshots are to be made. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    scopes: Arc<Mutex<BTreeMap<Scope, KnownHub>>>,
    told: Arc<Notify>,
}

impl Wanted {
    fn want(&self, scope: Scope, hub: KnownHub) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).insert(scope, hub);
        self.told.notify_one();
    }

    fn first(&self) -> Option<(Scope, KnownHub)> {
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.first_key_value().map(|(scope, hub)| (*scope, hub.clone()))
    }

    fn done(&self, scope: Scope) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).remove(&scope);
    }
}

/// The chunks of a scope.
pub(super) async fn snapshot<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Bootstrap, body, async |hub, ask: DigestAsk| {
        is_its_own(&hub, ask.scope)?;
        find(&office, &desk.store, hub, ask.scope).await
    })
    .await
}

async fn find<S: CloudStore>(office: &Office, store: &S, hub: KnownHub, scope: Scope) -> Answered<Snapshot> {
    let kept = kept(&office.cloud, scope).await.map_err(|error| failed(&error))?;
    // A hub that took chunks of a program that told less would lack for ever what has come since.
    let growth = match &kept {
        Some(kept) if kept.told != revisions() => None,
        Some(kept) => growth(store, &hub, scope, kept.at).await?,
        None => None,
    };
    let Some((kept, growth)) = kept.zip(growth) else {
        office.snapshots.want(scope, hub);
        return Err(being_made());
    };
    let rows: i64 = kept.chunks.iter().map(|chunk| i64::from(chunk.rows)).sum();
    let is_old =
        office.cloud.now_utc() - kept.built_at > chrono::TimeDelta::from_std(OLD).unwrap_or_default();
    if is_old || growth > (rows * GROWN_PERCENT / 100).max(GROWN) {
        // Still right: a hub that takes it has more to pull afterwards.
        office.snapshots.want(scope, hub.clone());
    }
    let chunks =
        futures_util::future::try_join_all(kept.chunks.iter().map(|chunk| address(office, &hub, chunk)));
    Ok(Snapshot { scope, at: kept.at, chunks: chunks.await? })
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
        loop {
            let Some((scope, hub)) = office.snapshots.first() else {
                office.snapshots.told.notified().await;
                continue;
            };
            if let Err(error) = make(&office.cloud, &store, &hub, scope).await {
                tracing::warn!(%error, %scope, "a snapshot cannot be made; hubs read their rows from the database meanwhile");
            }
            office.snapshots.done(scope);
        }
    };
    stop.run_until_cancelled(making).await;
    Ok(())
}

async fn make<S: CloudStore>(cloud: &Cloud, store: &S, hub: &KnownHub, scope: Scope) -> anyhow::Result<()> {
    let before = kept(cloud, scope).await?;
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

/// Reads a scope from its first row to its last, and stores each page as a chunk. It is as old as its first page.
async fn read<S: CloudStore>(
    cloud: &Cloud,
    store: &S,
    hub: &KnownHub,
    scope: Scope,
) -> anyhow::Result<(Cursor, Vec<Piece>)> {
    let (mut begun, mut after, mut pieces) = (None, None, Vec::new());
    loop {
        let ask = RowsAsk { scope, kinds: Vec::new(), buckets: Vec::new(), after, limit: MOST_ROWS };
        let page = store.rows(hub, ask).await.map_err(|problem| anyhow::anyhow!(problem.message))?;
        let at = *begun.get_or_insert(page.at);
        after = page.rows.last().map(|row| (row.kind.clone(), row.pk));
        if !page.rows.is_empty() {
            let bytes = encode(&page.rows)?;
            let sha256 = roomtone_schema::song::Sha256(Sha256::digest(&bytes).into()).to_string();
            let (length, rows) = (bytes.len() as u64, u32::try_from(page.rows.len())?);
            let key = key(hub, &sha256);
            if cloud.media.head(&key).await?.is_none_or(|there| there.bytes != length) {
                cloud.media.put_bytes(&key, bytes, MEDIA_TYPE).await?;
            }
            pieces.push(Piece { sha256, bytes: length, rows });
        }
        if !page.more || after.is_none() {
            return Ok((at, pieces));
        }
    }
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
