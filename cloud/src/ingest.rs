//! Taking in what hubs tell: one batch, one transaction, in the hub's own name.
//!
//! A hub numbers its facts without a gap and sends them until it hears that they are taken, so every batch may come
//! twice, or half of it. A number that was taken is recognised by its content: the same again is nothing new, another
//! content means two hubs with one name, and is refused as a whole. A fact that cannot be applied is kept apart and
//! holds up no other one.

use std::collections::HashMap;

use roomtone_schema::{BootId, HubId, ListenerId, UnixMillis, VenueId};
use roomtone_sync::chain;
use roomtone_sync::clocks::{self, Mended, Moment};
use roomtone_sync::fencing::{self, Seat};
use roomtone_sync::store::KnownHub;
use roomtone_sync::wire::{Apart, Hash, Problem, ProblemCode, Push, PushAnswer};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::database::Database;
use crate::hub_store::{failed, refusal};
use crate::store::facts::{self, Quarantined};
use crate::store::{aliases, sync_state};

mod read;
mod waiting;
mod write;

use read::{Reader, Reading, Told};
pub use roomtone_sync::wire::Outcome;
pub use waiting::{retry_all, retry_letter};

/// So many facts in one batch at most; a hub sends 500.
pub const MOST_AT_ONCE: usize = 5_000;

/// Facts in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The life of the hub's database that they are of.
    pub epoch: i64,
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
    /// When it was written, by the hub.
    pub moment: Moment,
}

/// Who tells, and what is needed to understand it.
#[derive(Debug, Clone, Copy)]
struct Teller<'a> {
    hub: HubId,
    venue: VenueId,
    epoch: i64,
    ticket_keys: &'a [Hash],
    now: UnixMillis,
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
        theirs: i64,
        /// The one that may push.
        ours: i64,
    },
    /// The database failed. Nothing was taken.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Takes a batch in, whoever speaks as the hub; whose it is comes from the hub's credential, whatever the facts say.
///
/// # Errors
/// [`Refused`]; then nothing of the batch was taken.
pub async fn apply(
    database: &Database,
    hub: HubId,
    venue: VenueId,
    batch: &Batch,
    now: UnixMillis,
) -> Result<Verdict, Refused> {
    check_numbers(&batch.items)?;
    let mut work = database.as_hub(hub, venue).await?;
    let (seat, _) = sync_state::lock(&mut work, hub).await?;
    let teller = Teller { hub, venue, epoch: batch.epoch, ticket_keys: &[], now };
    let verdict = take(&mut work, teller, &seat, None, &batch.items).await?;
    work.commit().await?;
    Ok(verdict)
}

/// Takes what a hub pushes, in a unit of work that is the hub's.
///
/// # Errors
/// Where nothing of it is taken; the unit of work is to be dropped then.
pub async fn push(
    conn: &mut PgConnection,
    hub: &KnownHub,
    push: Push,
    ticket_keys: &[Hash],
    now: UnixMillis,
) -> Result<PushAnswer, Problem> {
    let (seat, is_taken) = sync_state::lock(conn, hub.id).await.map_err(failed)?;
    let link = match push.first_seq.saturating_sub(1) {
        0 => Some(chain::BEGINNING),
        before if before == seat.ack => seat.chain,
        before => sync_state::link_at(conn, hub.id, seat.epoch, before).await.map_err(failed)?,
    };
    fencing::admit(is_taken.then_some(&seat), &push, link)?;
    let before = *push.before;
    let facts =
        push.facts.into_facts().map_err(|error| refusal(ProblemCode::Malformed, &error.to_string()))?;
    let item = |(seq, fact): (i64, roomtone_sync::wire::Fact)| {
        let moment = Moment { boot: fact.boot, mono_ms: fact.mono_ms, hlc: fact.hlc };
        Item { seq, kind: fact.kind, payload: fact.payload, moment }
    };
    let items: Vec<Item> = (push.first_seq..).zip(facts).map(item).collect();
    check_numbers(&items).map_err(problem)?;
    let teller = Teller { hub: hub.id, venue: hub.venue, epoch: push.epoch, ticket_keys, now };
    let verdict = take(conn, teller, &seat, Some(before), &items).await.map_err(problem)?;
    let apart = |fact: KeptApart| Apart { seq: fact.seq, outcome: fact.outcome, reason: fact.reason };
    Ok(PushAnswer { ack: verdict.ack, apart: verdict.kept_apart.into_iter().map(apart).collect(), now })
}

fn problem(refused: Refused) -> Problem {
    let message = refused.to_string();
    match refused {
        Refused::Malformed(_) => refusal(ProblemCode::Malformed, &message),
        Refused::Gap { ack } => Problem { ack: Some(ack), ..refusal(ProblemCode::Gap, &message) },
        Refused::Fork { .. } => fencing::fork(&message),
        Refused::Epoch { .. } => refusal(ProblemCode::Epoch, &message),
        Refused::Database(error) => failed(error),
    }
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

/// `before` is the chain's link before the first of these, where it is told.
async fn take(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    seat: &Seat,
    before: Option<Hash>,
    items: &[Item],
) -> Result<Verdict, Refused> {
    let Teller { hub, epoch, .. } = teller;
    if epoch != seat.epoch {
        return Err(Refused::Epoch { theirs: epoch, ours: seat.epoch });
    }
    let known = items.partition_point(|item| item.seq <= seat.ack);
    let (known, fresh) = items.split_at(known);
    if known.is_empty() && fresh[0].seq > seat.ack + 1 {
        return Err(Refused::Gap { ack: seat.ack });
    }
    let link = before.map(|before| known.iter().fold(before, |link, item| chain::link(&link, &item.payload)));
    let mut kept_apart = Vec::new();
    if let (Some(first), Some(last)) = (known.first(), known.last()) {
        let (seqs, hashes) = keys(known);
        if let Some(seq) = facts::first_fork(conn, hub, epoch, &seqs, &hashes).await? {
            return Err(Refused::Fork { seq });
        }
        if last.seq == seat.ack && link.is_some() && seat.chain.is_some() && link != seat.chain {
            return Err(Refused::Fork { seq: last.seq });
        }
        // The answer that said so may be what was lost.
        kept_apart = was_apart(conn, hub, epoch, first.seq..=last.seq).await?;
    }
    let Some(last) = fresh.last() else {
        return Ok(Verdict { ack: seat.ack, kept_apart });
    };
    let link = link.map(|link| fresh.iter().fold(link, |link, item| chain::link(&link, &item.payload)));
    let (seqs, hashes) = keys(fresh);
    facts::note_received(conn, hub, epoch, &seqs, &hashes, link).await?;
    let (apart, is_waited_for) = apply_fresh(conn, teller, fresh).await?;
    if !apart.is_empty() {
        facts::quarantine(conn, hub, teller.venue, epoch, &apart).await?;
    }
    sync_state::put(conn, hub, &Seat { ack: last.seq, chain: link, ..seat.clone() }).await?;
    if is_waited_for {
        waiting::retry(conn, teller).await?;
    }
    kept_apart.extend(apart.iter().map(KeptApart::from));
    Ok(Verdict { ack: last.seq, kept_apart })
}

async fn was_apart(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
    numbers: std::ops::RangeInclusive<i64>,
) -> Result<Vec<KeptApart>, sqlx::Error> {
    let apart = facts::apart(conn, hub, epoch, numbers).await?;
    Ok(apart
        .into_iter()
        .map(|(seq, word, reason)| KeptApart { seq, outcome: outcome(&word), reason })
        .collect())
}

fn keys(items: &[Item]) -> (Vec<i64>, Vec<Vec<u8>>) {
    items.iter().map(|item| (item.seq, chain::payload_hash(&item.payload).to_vec())).unzip()
}

/// When each fact really was.
async fn mend(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    items: &[Item],
) -> Result<Vec<Mended>, sqlx::Error> {
    let mut boots: Vec<BootId> = items.iter().map(|item| item.moment.boot).collect();
    boots.dedup();
    let boots: Vec<Uuid> = boots.into_iter().map(|boot| boot.0).collect();
    let samples = sync_state::samples(conn, teller.hub, &boots).await?;
    let mut before = None;
    let mend = |item: &Item| {
        let mended = clocks::mend(item.moment, &samples, before, teller.now);
        before = Some(mended.at);
        mended
    };
    Ok(items.iter().map(mend).collect())
}

/// Applies what can be: all of it at once, and one by one where something in it will not do. Says what is kept apart, and
/// whether others may have waited for these.
async fn apply_fresh(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    fresh: &[Item],
) -> Result<(Vec<Quarantined>, bool), sqlx::Error> {
    let mended = mend(conn, teller, fresh).await?;
    let reader = Reader { venue: teller.venue, ticket_keys: teller.ticket_keys };
    let Reading { told, mut apart } = read::read(fresh, &mended, reader);
    let people = people(conn, &told).await?;
    let (told, unknown): (Vec<_>, Vec<_>) = told.into_iter().partition(|fact| is_known(fact, &people));
    let reason = "whoever it names has not signed in here, as far as is known";
    apart.extend(unknown.iter().map(|fact| read::parked(fact.item, reason.to_owned())));
    if !told.is_empty() && try_write(conn, teller, &people, &told).await?.is_some() {
        for fact in &told {
            let one = std::slice::from_ref(fact);
            if let Some(error) = try_write(conn, teller, &people, one).await? {
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
    Ok((apart, told.iter().any(Told::is_waited_for)))
}

/// Which listeners have an account, and whether they have signed in here: before, or by one of these facts.
async fn people(
    conn: &mut PgConnection,
    told: &[Told<'_>],
) -> Result<HashMap<ListenerId, bool>, sqlx::Error> {
    let mut ids: Vec<Uuid> = told.iter().filter_map(Told::listener).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut people = aliases::people(conn, &ids).await?;
    for profile in told.iter().filter_map(Told::signs_in) {
        people.entry(profile).and_modify(|was_here| *was_here = true);
    }
    Ok(people.into_iter().map(|(id, was_here)| (ListenerId(id), was_here)).collect())
}

fn is_known(fact: &Told<'_>, people: &HashMap<ListenerId, bool>) -> bool {
    let Some(listener) = fact.listener() else { return true };
    people.get(&ListenerId(listener)).copied().unwrap_or(!fact.is_claim())
}

/// Writes these facts, or nothing of them and why: where it is they that will not do, and not the database.
async fn try_write(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    people: &HashMap<ListenerId, bool>,
    told: &[Told<'_>],
) -> Result<Option<sqlx::Error>, sqlx::Error> {
    let mut attempt = conn.begin().await?;
    match write::write(&mut attempt, teller, people, told).await {
        Ok(()) => attempt.commit().await.map(|()| None),
        Err(error) => {
            attempt.rollback().await?;
            if is_of_the_facts(&error) { Ok(Some(error)) } else { Err(error) }
        }
    }
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
        Self { seq: fact.seq, outcome: outcome(fact.outcome), reason: fact.error.clone() }
    }
}

fn outcome(word: &str) -> Outcome {
    if word == read::PARKED { Outcome::Parked } else { Outcome::Rejected }
}
