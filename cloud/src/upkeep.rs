//! Upkeep: weeks of facts made ahead and dropped when their time is over, and their days counted before that.
//!
//! Every replica tries; one at a time does it, and the others see that it was done. What is left undone is done an hour
//! later: weeks are made four ahead, and facts for which there is none go to a default partition and are said.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use roomtone_schema::UnixMillis;
use sqlx::Connection as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cloud::Cloud;
use crate::database::Database;
use crate::ingest;
use crate::store::upkeep::{self, FactTable, Strays};
use crate::store::{guests, pairings, tickets};

/// How often a replica looks.
const EVERY: Duration = Duration::from_hours(1);

/// What another replica did this recently need not be done again.
const RECENT: TimeDelta = TimeDelta::minutes(50);

/// Transactions may commit this long after the time that their rows carry.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// How far ahead weeks are made: a month of failing upkeep loses nothing.
const AHEAD: Days = Days::new(28);

/// How far back they are made: a hub that was away for as long as it keeps what is acknowledged.
const BEHIND: Days = Days::new(35);

/// Days that are counted in one transaction.
const AT_ONCE: usize = 200;

/// How long counting them may take, or dropping a week behind somebody's long report.
const PATIENCE_MINUTES: u32 = 10;

/// A hub that was away for longer compares digests instead of reading what has changed.
const FEED: Days = Days::new(90);

/// For how many days facts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Who was there: personal, and of no use for long.
    pub sessions: u64,
    /// What was liked by whom.
    pub votes: u64,
    /// What was played: reports reach a year back.
    pub plays: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { sessions: 90, votes: 180, plays: 400 }
    }
}

/// What one round did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Weeks that were made.
    pub made: i32,
    /// Days of venues that were counted.
    pub counted: usize,
    /// Weeks that were dropped.
    pub dropped: i32,
    /// Facts for which there was no week: an alarm.
    pub strays: Vec<Strays>,
}

/// Does upkeep now and every hour, until it is told to stop.
///
/// # Errors
/// Where the database fails; the supervisor tries again.
pub async fn work(cloud: Cloud, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        // By the database's time: a replica whose own clock is years ahead would drop every week there is.
        let now = database_time(&cloud.database).await?;
        if let Some(kept) = tend(&cloud.database, now, Retention::default()).await? {
            info!(made = kept.made, counted = kept.counted, dropped = kept.dropped, "upkeep is done");
            for strays in &kept.strays {
                warn!(
                    fact = strays.fact,
                    rows = strays.rows,
                    "facts lie outside every week: a hub's clock is wrong, or upkeep was long not done"
                );
            }
        }
        let released = ingest::retry_all(&cloud.database, &ticket_keys(&cloud.database).await?, now).await?;
        if released > 0 {
            info!(released, "facts that had waited for something were applied");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One round; `None` where another replica is at it, or has just been.
///
/// # Errors
/// Where the database fails. Nothing is dropped unless everything was counted.
pub async fn tend(
    database: &Database,
    now: UnixMillis,
    retention: Retention,
) -> anyhow::Result<Option<Kept>> {
    // A connection of its own, and closed whatever happens: the lock ends with it, at the latest.
    let mut guard = database.pool().acquire().await.context("no connection for upkeep")?.detach();
    if !upkeep::try_lock(&mut guard).await? {
        return Ok(None);
    }
    let kept = round(database, now, retention).await;
    upkeep::unlock(&mut guard).await?;
    guard.close().await?;
    kept
}

/// How many facts lie outside every week that there is.
///
/// # Errors
/// Where the database fails.
pub async fn stray_facts(database: &Database) -> Result<i64, sqlx::Error> {
    let mut work = database.as_service().await?;
    let strays = upkeep::strays(&mut work).await?;
    work.commit().await?;
    Ok(strays.iter().map(|of| of.rows).sum())
}

/// What tickets are verified by.
async fn ticket_keys(database: &Database) -> Result<Vec<[u8; 32]>, sqlx::Error> {
    let mut work = database.as_service().await?;
    let keys = tickets::public_keys(&mut work).await?;
    work.commit().await?;
    Ok(keys.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

async fn database_time(database: &Database) -> Result<UnixMillis, sqlx::Error> {
    let mut work = database.as_service().await?;
    let now = upkeep::time(&mut work).await?;
    work.commit().await?;
    Ok(now)
}

async fn round(database: &Database, now: UnixMillis, retention: Retention) -> anyhow::Result<Option<Kept>> {
    let now = DateTime::<Utc>::from_timestamp_millis(now.0).context("the time is beyond reason")?;
    let today = now.date_naive();
    // First what waits for nobody. Weeks that cannot be made or dropped now, behind a long report, are done next time.
    let Some(counted) = count_days(database).await? else { return Ok(None) };
    let made = make_weeks(database, today).await?;
    let dropped = drop_weeks(database, today, retention).await?;
    let mut work = database.as_service().await?;
    upkeep::sweep(&mut work, now).await?;
    guests::sweep(&mut work, now).await?;
    pairings::sweep(&mut work, now).await?;
    let strays = upkeep::strays(&mut work).await?;
    work.commit().await?;
    let mut work = database.as_service().await?;
    upkeep::allow_minutes(&mut work, PATIENCE_MINUTES).await?;
    upkeep::trim_feed(&mut work, now - FEED).await?;
    work.commit().await?;
    Ok(Some(Kept { made, counted, dropped, strays }))
}

async fn make_weeks(database: &Database, today: NaiveDate) -> anyhow::Result<i32> {
    let mut made = 0;
    for table in FactTable::ALL {
        // One transaction each: attaching a week waits for writers, and must not hold up the others meanwhile.
        let mut work = database.as_service().await?;
        made += upkeep::ensure_partitions(&mut work, table, today - BEHIND, today + AHEAD).await?;
        work.commit().await?;
    }
    Ok(made)
}

/// Counts what was received since the last time; `None` where that was just now.
async fn count_days(database: &Database) -> anyhow::Result<Option<usize>> {
    let mut work = database.as_service().await?;
    upkeep::allow_minutes(&mut work, PATIENCE_MINUTES).await?;
    let (since, now) = upkeep::rolled_up_to(&mut work).await?;
    if since.is_some_and(|since| now - since < RECENT) {
        return Ok(None);
    }
    let days = upkeep::touched_days(&mut work, since.map(|since| since - OVERLAP)).await?;
    work.commit().await?;
    for some in days.chunks(AT_ONCE) {
        let mut work = database.as_service().await?;
        upkeep::allow_minutes(&mut work, PATIENCE_MINUTES).await?;
        upkeep::roll_up(&mut work, some).await?;
        work.commit().await?;
    }
    let mut work = database.as_service().await?;
    upkeep::note_rolled_up(&mut work, now).await?;
    work.commit().await?;
    Ok(Some(days.len()))
}

async fn drop_weeks(database: &Database, today: NaiveDate, retention: Retention) -> anyhow::Result<i32> {
    let mut dropped = 0;
    for (table, days) in
        FactTable::ALL.into_iter().zip([retention.sessions, retention.votes, retention.plays])
    {
        let mut work = database.as_service().await?;
        upkeep::allow_minutes(&mut work, PATIENCE_MINUTES).await?;
        let before = today - Days::new(days);
        let weeks = upkeep::drop_partitions(&mut work, table, before).await?;
        if weeks > 0 {
            upkeep::note_dropped(&mut work, table, before).await?;
        }
        upkeep::forget_strays(&mut work, table, before).await?;
        dropped += weeks;
        work.commit().await?;
    }
    Ok(dropped)
}
