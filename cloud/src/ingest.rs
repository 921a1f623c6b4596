//! Taking in what hubs tell: one batch, one transaction, in the hub's own name.
//!
//! A hub numbers its facts without a gap and sends them until it hears that they are taken, so every batch may come
//! twice, or half of it. A number that was taken is recognised by its content: the same again is nothing new, another
//! content means two hubs with one name, and is refused as a whole. A fact that cannot be applied is kept apart and
//! holds up no other one.

use roomtone_schema::{HubId, VenueId};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use crate::database::Database;
use crate::store::facts::{self, Quarantined};

mod read;

use read::{Reading, Told};

/// So many facts in one batch at most; a hub sends 500.
pub const MOST_AT_ONCE: usize = 5_000;

/// Facts in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The life of the hub's database that they are of.
    pub epoch: i32,
    /// The facts, their numbers without a gap.
    pub items: Vec<Item>,
}

/// One fact as the hub sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number at the hub.
    pub seq: i64,
    /// What it says, as the hub names it.
    pub kind: String,
    /// The noun, as JSON.
    pub payload: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Up to which number the hub need not send again.
    pub ack: i64,
    /// Those of this batch that are kept apart; all others are applied.
    pub kept_apart: Vec<KeptApart>,
}

/// A fact that is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptApart {
    /// Its number.
    pub seq: i64,
    /// For now or for good.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
}

/// How a fact that is not applied is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What it depends on is not there yet, or this program does not know the kind yet. Nothing tries it again by itself
    /// so far: that comes with the endpoint that hubs push to.
    Parked,
    /// It can never be applied.
    Rejected,
}

/// Why a batch is not taken at all.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The numbers of the batch are not one after the other, or it is too long or empty.
    #[error("this is no batch of facts: {0}")]
    Malformed(&'static str),
    /// Facts before it are missing.
    #[error("facts are missing: send from number {} on", .ack + 1)]
    Gap {
        /// Up to which number all is here.
        ack: i64,
    },
    /// A number that was taken with another content.
    #[error("fact {seq} was another one before: there are two hubs with this name, or this one was restored")]
    Fork {
        /// The first such number.
        seq: i64,
    },
    /// Of another life of the hub's database than the one that may push.
    #[error("facts of epoch {theirs} are not taken: the epoch of this hub is {ours}")]
    Epoch {
        /// The batch's.
        theirs: i32,
        /// The one that may push.
        ours: i32,
    },
    /// The database failed. Nothing was taken.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Takes a batch in; whose it is comes from the hub's credential, whatever the facts say.
///
/// # Errors
/// [`Refused`]; then nothing of the batch was taken.
pub async fn apply(
    database: &Database,
    hub: HubId,
    venue: VenueId,
    batch: &Batch,
) -> Result<Verdict, Refused> {
    check_numbers(&batch.items)?;
    let mut work = database.as_hub(hub, venue).await?;
    let verdict = take(&mut work, hub, venue, batch).await?;
    work.commit().await?;
    Ok(verdict)
}

fn check_numbers(items: &[Item]) -> Result<(), Refused> {
    if items.is_empty() {
        return Err(Refused::Malformed("it is empty"));
    }
    if items.len() > MOST_AT_ONCE {
        return Err(Refused::Malformed("it is too long"));
    }
    if items[0].seq < 1 || items.windows(2).any(|pair| pair[1].seq != pair[0].seq.saturating_add(1)) {
        return Err(Refused::Malformed("its numbers are not one after the other"));
    }
    Ok(())
}

async fn take(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    batch: &Batch,
) -> Result<Verdict, Refused> {
    let progress = facts::lock_progress(conn, hub).await?;
    if batch.epoch != progress.epoch {
        return Err(Refused::Epoch { theirs: batch.epoch, ours: progress.epoch });
    }
    let known = batch.items.partition_point(|item| item.seq <= progress.acked_seq);
    let (known, fresh) = batch.items.split_at(known);
    if known.is_empty() && fresh[0].seq > progress.acked_seq + 1 {
        return Err(Refused::Gap { ack: progress.acked_seq });
    }
    if !known.is_empty() {
        let (seqs, hashes) = keys(known);
        if let Some(seq) = facts::first_fork(conn, hub, batch.epoch, &seqs, &hashes).await? {
            return Err(Refused::Fork { seq });
        }
    }
    let Some(last) = fresh.last() else {
        return Ok(Verdict { ack: progress.acked_seq, kept_apart: Vec::new() });
    };
    let (seqs, hashes) = keys(fresh);
    facts::note_received(conn, hub, batch.epoch, &seqs, &hashes).await?;
    let apart = apply_fresh(conn, hub, venue, fresh).await?;
    if !apart.is_empty() {
        facts::quarantine(conn, hub, venue, batch.epoch, &apart).await?;
    }
    facts::note_progress(conn, hub, last.seq, hashes.last().map_or(&[], Vec::as_slice)).await?;
    Ok(Verdict { ack: last.seq, kept_apart: apart.iter().map(KeptApart::from).collect() })
}

fn keys(items: &[Item]) -> (Vec<i64>, Vec<Vec<u8>>) {
    items.iter().map(|item| (item.seq, Sha256::digest(&item.payload).to_vec())).unzip()
}

/// Applies what can be: all of it at once, and one by one where something in it will not do.
async fn apply_fresh(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    fresh: &[Item],
) -> Result<Vec<Quarantined>, sqlx::Error> {
    let Reading { told, mut apart } = read::read(fresh);
    if !told.is_empty() && try_write(conn, hub, venue, &told).await?.is_some() {
        for fact in &told {
            if let Some(error) = try_write(conn, hub, venue, std::slice::from_ref(fact)).await? {
                let reason = error.to_string();
                apart.push(if misses_something(&error) {
                    read::parked(fact.item, reason)
                } else {
                    read::rejected(fact.item, reason)
                });
            }
        }
    }
    apart.sort_by_key(|fact| fact.seq);
    Ok(apart)
}

/// Writes these facts, or nothing of them and why: where it is they that will not do, and not the database.
async fn try_write(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    told: &[Told<'_>],
) -> Result<Option<sqlx::Error>, sqlx::Error> {
    let mut attempt = conn.begin().await?;
    match write(&mut attempt, hub, venue, told).await {
        Ok(()) => attempt.commit().await.map(|()| None),
        Err(error) => {
            attempt.rollback().await?;
            if is_of_the_facts(&error) { Ok(Some(error)) } else { Err(error) }
        }
    }
}

async fn write(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    told: &[Told<'_>],
) -> Result<(), sqlx::Error> {
    let nouns = read::by_noun(told);
    if !nouns.guests.is_empty() {
        facts::add_guests(conn, venue, &nouns.guests).await?;
    }
    if !nouns.players.is_empty() {
        facts::put_players(conn, hub, venue, &nouns.players).await?;
    }
    if !nouns.sessions.is_empty() {
        facts::put_sessions(conn, hub, venue, &nouns.sessions).await?;
    }
    if !nouns.votes.is_empty() {
        facts::add_votes(conn, venue, &nouns.votes).await?;
    }
    if !nouns.plays.is_empty() {
        facts::put_plays(conn, hub, venue, &nouns.plays).await?;
    }
    Ok(())
}

/// Whether an error says that what was to be written is wrong: data, integrity, or a row of somebody else.
fn is_of_the_facts(error: &sqlx::Error) -> bool {
    sql_state(error).is_some_and(|code| code.starts_with("22") || code.starts_with("23") || code == "42501")
}

/// Whether an error says that something is not there to which a row refers: it may come yet.
fn misses_something(error: &sqlx::Error) -> bool {
    sql_state(error).is_some_and(|code| code == "23503")
}

fn sql_state(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

impl From<&Quarantined> for KeptApart {
    fn from(fact: &Quarantined) -> Self {
        let outcome = if fact.outcome == read::PARKED { Outcome::Parked } else { Outcome::Rejected };
        Self { seq: fact.seq, outcome, reason: fact.error.clone() }
    }
}
