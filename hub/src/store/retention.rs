//! How long things are kept.

use std::time::Duration;

use roomtone_schema::UnixMillis;

use super::tx::Tx;
use super::{
    Store, StoreError, dead_letters, devices, idempotency, limits, occasions, outbox, picks, plays,
    preferences, sessions, sign_ins, skip_votes, votes,
};

/// How many rows are forgotten in one transaction, so that no vote ever waits long for the broom.
const BITE: u32 = 500;

/// How many free pages are given back to the disk at a time.
const PAGES_BACK: u32 = 2000;

const DAY: Duration = Duration::from_hours(24);

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Votes, plays, picks and sessions; and facts that no cloud has ever acknowledged.
    pub history: Duration,
    /// What picks were made from: who was there and what they wanted. Two weeks, so that the last whole one can be replayed.
    pub occasions: Duration,
    /// Facts that the cloud has acknowledged: long enough to refill a cloud that was restored from a backup.
    pub acknowledged: Duration,
    /// First results of requests that may be repeated.
    pub idempotency: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { history: DAY * 180, occasions: DAY * 15, acknowledged: DAY * 35, idempotency: DAY * 2 }
    }
}

/// How much was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows of the history.
    pub history: usize,
    /// Facts of the outbox.
    pub facts: usize,
    /// Kept results and limits that have run out.
    pub small_things: usize,
}

/// Forgets in small bites until nothing is too old.
pub(super) fn purge(store: &Store, keep: &Retention, now: UnixMillis) -> Result<Purged, StoreError> {
    let mut total = Purged::default();
    let keep = *keep;
    loop {
        let bite = store.write_blocking(move |tx| bite(tx, &keep, now))?;
        total.history += bite.history;
        total.facts += bite.facts;
        total.small_things += bite.small_things;
        if bite == Purged::default() {
            break;
        }
    }
    store.write_blocking(|tx| tx.execute_batch(&format!("pragma incremental_vacuum({PAGES_BACK})")))?;
    Ok(total)
}

fn bite(tx: &Tx<'_>, keep: &Retention, now: UnixMillis) -> rusqlite::Result<Purged> {
    let history = now - keep.history;
    let purge_history =
        [votes::purge, plays::purge, picks::purge, sessions::purge, devices::purge, preferences::purge];
    let mut forgotten = 0;
    for purge in purge_history {
        forgotten += purge(tx, history, BITE)?;
    }
    forgotten += occasions::purge(tx, now - keep.occasions.min(keep.history), BITE)?;
    let results = now - keep.idempotency;
    Ok(Purged {
        history: forgotten,
        facts: outbox::purge(tx, now - keep.acknowledged, history, BITE)?,
        small_things: idempotency::purge(tx, results, BITE)?
            + skip_votes::purge(tx, results, BITE)?
            + limits::purge(tx, now, BITE)?
            + sign_ins::purge(tx, results, BITE)?
            + dead_letters::purge(tx, now - keep.acknowledged, BITE)?,
    })
}
