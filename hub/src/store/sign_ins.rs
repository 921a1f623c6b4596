//! People who say by a ticket of the cloud which profile they are; and what they said before, as guests.

use roomtone_schema::id::Id as _;
use roomtone_schema::taste::FixedUnit;
use roomtone_schema::vote::{Hlc, VoteValue};
use roomtone_schema::{
    DeviceId, EmbeddingVersion, FactId, ListenerId, SessionId, SongId, UnixMillis, VoteId,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outbox::{self, FactKind};
use super::tx::Tx;
use super::{preferences, row};

/// The fact that somebody signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Their presence.
    pub session: SessionId,
    /// The profile, which is their listener from now on.
    pub listener: ListenerId,
    /// Who they were before.
    pub guest: ListenerId,
    /// The ticket as the cloud signed it.
    pub ticket: String,
    /// When.
    pub at: UnixMillis,
}

/// The fact that a guest's votes count for a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Whose they were.
    pub guest: ListenerId,
    /// Whose they are.
    pub listener: ListenerId,
}

/// Takes a ticket; false where it was taken before.
pub fn take(tx: &Tx<'_>, ticket: Uuid, at: UnixMillis) -> rusqlite::Result<bool> {
    let taken = tx
        .prepare_cached("insert into tickets (id, taken_at) values (?1, ?2) on conflict (id) do nothing")?
        .execute(params![ticket.as_bytes(), at.0])?;
    Ok(taken == 1)
}

/// Whether a listener is a profile of the cloud.
pub fn is_profile(conn: &Connection, listener: ListenerId) -> rusqlite::Result<bool> {
    let found: Option<i64> = conn
        .prepare_cached("select 1 from profiles where listener = ?1")?
        .query_row(params![listener.to_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found.is_some())
}

/// Makes the profile whoever uses this phone: all its sessions, with the fact of the one that asked.
pub fn sign_in(tx: &Tx<'_>, op: FactId, fact: &SignedIn) -> rusqlite::Result<()> {
    sign_in_rows(tx, fact)?;
    outbox::push(tx, FactKind::ListenerSignedIn, op, fact.at, fact)?;
    Ok(())
}

pub(super) fn sign_in_rows(tx: &Tx<'_>, fact: &SignedIn) -> rusqlite::Result<()> {
    let profile = fact.listener.to_bytes();
    tx.prepare_cached(
        "insert into profiles (listener, signed_in_at) values (?1, ?2)
         on conflict (listener) do update set signed_in_at = max(signed_in_at, excluded.signed_in_at)",
    )?
    .execute(params![profile, fact.at.0])?;
    let device: Option<DeviceId> = tx
        .prepare_cached("select device from sessions where id = ?1")?
        .query_row(params![fact.session.to_bytes()], |row| row::id(row, 0))
        .optional()?;
    let Some(device) = device else { return Ok(()) };
    tx.prepare_cached("update devices set listener = ?2 where id = ?1")?
        .execute(params![device.to_bytes(), profile])?;
    tx.prepare_cached("update sessions set listener = ?2 where device = ?1 and status = 'active'")?
        .execute(params![device.to_bytes(), profile])?;
    Ok(())
}

/// Lets a guest's votes be the profile's, with the fact. How many counted.
pub fn claim(tx: &Tx<'_>, op: FactId, claimed: Claimed, at: UnixMillis) -> rusqlite::Result<usize> {
    let (moved, replaced) = claim_rows(tx, &claimed)?;
    if moved.is_empty() {
        return Ok(0);
    }
    let seq = outbox::push(tx, FactKind::VotesClaimed, op, at, &claimed)?;
    // The cloud has them for this profile once it has this fact, whenever they were cast; those, too, that a later one of
    // the guest's own had replaced.
    for vote in moved.iter().chain(&replaced) {
        super::votes::told_by(tx, *vote, seq)?;
    }
    Ok(moved.len())
}

/// Moves a guest's votes: those that counted, and those that had been replaced.
pub(super) fn claim_rows(tx: &Tx<'_>, claimed: &Claimed) -> rusqlite::Result<(Vec<VoteId>, Vec<VoteId>)> {
    let theirs = counting(tx, claimed.guest)?;
    let own = counting(tx, claimed.listener)?;
    let mut state = preferences::get(tx, claimed.listener, EmbeddingVersion::CURRENT)?;
    for vote in &theirs {
        let rival = own.iter().find(|rival| rival.song == vote.song);
        let wins = rival.is_none_or(|rival| (rival.hlc, rival.id) < (vote.hlc, vote.id));
        if wins && let Some(rival) = rival {
            assign(tx, rival.id, claimed.listener, false)?;
            if let Some(unit) = &rival.unit {
                state.remove(rival.value, unit);
            }
        }
        if wins && let Some(unit) = &vote.unit {
            state.add(vote.value, unit);
        }
        assign(tx, vote.id, claimed.listener, wins)?;
    }
    if let Some(newest) = theirs.iter().map(|vote| vote.cast_at).max() {
        preferences::put(tx, claimed.listener, EmbeddingVersion::CURRENT, &state, newest)?;
        tx.prepare_cached("delete from preferences where listener = ?1")?
            .execute(params![claimed.guest.to_bytes()])?;
    }
    let replaced = tx
        .prepare_cached("update votes set listener = ?2 where listener = ?1 returning id")?
        .query_map(params![claimed.guest.to_bytes(), claimed.listener.to_bytes()], |row| row::id(row, 0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((theirs.into_iter().map(|vote| vote.id).collect(), replaced))
}

struct Counting {
    id: VoteId,
    song: SongId,
    value: VoteValue,
    hlc: Hlc,
    cast_at: UnixMillis,
    unit: Option<FixedUnit>,
}

fn counting(conn: &Connection, listener: ListenerId) -> rusqlite::Result<Vec<Counting>> {
    conn.prepare_cached(
        "select id, song, value, hlc, cast_at, unit from votes where listener = ?1 and counts = 1 order by hlc, id",
    )?
    .query_map(params![listener.to_bytes()], |row| {
        Ok(Counting {
            id: row::id(row, 0)?,
            song: row::id(row, 1)?,
            value: if 0 < row.get::<_, i64>(2)? { VoteValue::Like } else { VoteValue::Dislike },
            hlc: Hlc(row.get::<_, i64>(3)?.cast_unsigned()),
            cast_at: row::time(row, 4)?,
            unit: row.get::<_, Option<[u8; 40]>>(5)?.map(|bytes| row::sums_from_bytes(&bytes)),
        })
    })?
    .collect()
}

fn assign(tx: &Tx<'_>, vote: VoteId, listener: ListenerId, counts: bool) -> rusqlite::Result<()> {
    tx.prepare_cached("update votes set listener = ?2, counts = ?3 where id = ?1")?.execute(params![
        vote.to_bytes(),
        listener.to_bytes(),
        counts
    ])?;
    Ok(())
}

/// Forgets tickets that were over before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from tickets where id in (select id from tickets where taken_at < ?1 limit ?2)",
    )?
    .execute(params![before.0, limit])
}
