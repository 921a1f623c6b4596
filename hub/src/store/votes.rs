//! Votes: the log of all that were cast, the one per listener and song that counts, and the taste they add up to.

use roomtone_schema::id::Id;
use roomtone_schema::taste::{FixedUnit, TasteState};
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{EmbeddingVersion, FactId, ListenerId, SongId, UnixMillis};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::outbox::{self, FactKind};
use super::tx::Tx;
use super::{preferences, row};

/// What a vote did.
#[derive(Debug, Clone, PartialEq)]
pub struct CastOutcome {
    /// False where the listener had voted just so before: nothing new was recorded.
    pub recorded: bool,
    /// What counted before.
    pub previous: Option<VoteValue>,
    /// The vote that counts now: this one, or the equal one from before.
    pub effective: Vote,
    /// The listener's fold after the vote.
    pub state: TasteState,
}

/// The direction of a song in fixed point, and what computed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direction {
    /// From `taste::fixed_unit`.
    pub unit: FixedUnit,
    /// The version of the embedding it comes from.
    pub version: EmbeddingVersion,
}

/// Casts a vote: log, effect, taste and fact in one transaction. `unit` is the song's direction where it has one.
///
/// The vote's `hlc` comes from `Tx::hlc`. The same vote again changes nothing; the other value replaces it.
pub fn cast(tx: &Tx<'_>, op: FactId, vote: &Vote, unit: Option<Direction>) -> rusqlite::Result<CastOutcome> {
    let outcome = cast_rows(tx, vote, unit)?;
    if outcome.recorded {
        outbox::push(tx, FactKind::VoteCast, op, vote.cast_at, vote)?;
    }
    Ok(outcome)
}

pub(super) fn cast_rows(tx: &Tx<'_>, vote: &Vote, unit: Option<Direction>) -> rusqlite::Result<CastOutcome> {
    let version = unit.map_or(EmbeddingVersion::DESC_V1, |unit| unit.version);
    let mut state = preferences::get(tx, vote.listener, version)?;
    let before = effective_of(tx, vote.listener, vote.song)?;
    let previous = before.map(|(effective, _)| effective.value);
    if let Some((effective, _)) = before.filter(|(effective, _)| effective.value == vote.value) {
        return Ok(CastOutcome { recorded: false, previous, effective, state });
    }
    if let Some((effective, Some(unit))) = before {
        state.remove(effective.value, &unit);
    }
    if let Some(Direction { unit, .. }) = unit {
        state.add(vote.value, &unit);
    }
    log(tx, vote)?;
    make_effective(tx, vote, unit.map(|unit| unit.unit))?;
    preferences::put(tx, vote.listener, version, &state, vote.cast_at)?;
    Ok(CastOutcome { recorded: true, previous, effective: *vote, state })
}

/// The votes of a listener that count, newest first.
pub fn effective(conn: &Connection, listener: ListenerId) -> rusqlite::Result<Vec<Vote>> {
    conn.prepare_cached(
        "select vote, listener, session, song, value, hlc, cast_at, unit from effective_votes
         where listener = :listener order by hlc desc",
    )?
    .query_map(named_params! { ":listener": listener.to_bytes() }, |row| Ok(effective_from_row(row)?.0))?
    .collect()
}

/// When a listener cast votes since `since`, oldest first: what a limit by the minute needs after a restart.
pub fn cast_since(
    conn: &Connection,
    listener: ListenerId,
    since: roomtone_schema::UnixMillis,
) -> rusqlite::Result<Vec<roomtone_schema::UnixMillis>> {
    // By id, which begins with the time: the newest votes are at the end of the table.
    let from = roomtone_schema::VoteId::mint(since, [0; 10]);
    conn.prepare_cached(
        "select cast_at from votes where id >= :from and listener = :listener and cast_at > :since order by id",
    )?
    .query_map(
        named_params! { ":from": from.to_bytes(), ":listener": listener.to_bytes(), ":since": since.0 },
        |row| row::time(row, 0),
    )?
    .collect()
}

/// How many votes were ever logged (and not yet purged).
pub fn count(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("select count(*) from votes", [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// The logged vote with this id.
pub fn by_id(conn: &Connection, id: roomtone_schema::VoteId) -> rusqlite::Result<Option<Vote>> {
    conn.prepare_cached(
        "select id, listener, session, song, value, hlc, cast_at, null from votes where id = :id",
    )?
    .query_row(named_params! { ":id": id.to_bytes() }, |row| Ok(effective_from_row(row)?.0))
    .optional()
}

/// Forgets votes of the log from before `before`; what counts, counts on.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from votes where id in (select id from votes where cast_at < :before order by id limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn log(tx: &Tx<'_>, vote: &Vote) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into votes (id, listener, session, song, value, hlc, cast_at)
         values (:id, :listener, :session, :song, :value, :hlc, :cast_at)",
    )?
    .execute(named_params! {
        ":id": vote.id.to_bytes(), ":listener": vote.listener.to_bytes(), ":session": vote.session.to_bytes(),
        ":song": vote.song.to_bytes(), ":value": sign(vote.value), ":hlc": vote.hlc.0.cast_signed(),
        ":cast_at": vote.cast_at.0,
    })?;
    Ok(())
}

fn make_effective(tx: &Tx<'_>, vote: &Vote, unit: Option<FixedUnit>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into effective_votes (listener, song, vote, session, value, unit, hlc, cast_at)
         values (:listener, :song, :vote, :session, :value, :unit, :hlc, :cast_at)
         on conflict (listener, song) do update set
             vote = excluded.vote, session = excluded.session, value = excluded.value, unit = excluded.unit,
             hlc = excluded.hlc, cast_at = excluded.cast_at",
    )?
    .execute(named_params! {
        ":listener": vote.listener.to_bytes(), ":song": vote.song.to_bytes(), ":vote": vote.id.to_bytes(),
        ":session": vote.session.to_bytes(), ":value": sign(vote.value),
        ":unit": unit.map(|unit| row::sums_to_bytes(&unit)), ":hlc": vote.hlc.0.cast_signed(),
        ":cast_at": vote.cast_at.0,
    })?;
    Ok(())
}

fn effective_of(
    conn: &Connection,
    listener: ListenerId,
    song: SongId,
) -> rusqlite::Result<Option<(Vote, Option<FixedUnit>)>> {
    conn.prepare_cached(
        "select vote, listener, session, song, value, hlc, cast_at, unit from effective_votes
         where listener = :listener and song = :song",
    )?
    .query_row(
        named_params! { ":listener": listener.to_bytes(), ":song": song.to_bytes() },
        effective_from_row,
    )
    .optional()
}

fn effective_from_row(row: &Row<'_>) -> rusqlite::Result<(Vote, Option<FixedUnit>)> {
    let vote = Vote {
        id: row::id(row, 0)?,
        listener: row::id(row, 1)?,
        session: row::id(row, 2)?,
        song: row::id(row, 3)?,
        value: value(row, 4)?,
        hlc: Hlc(row.get::<_, i64>(5)?.cast_unsigned()),
        cast_at: row::time(row, 6)?,
    };
    Ok((vote, row.get::<_, Option<[u8; 40]>>(7)?.map(|bytes| row::sums_from_bytes(&bytes))))
}

fn sign(value: VoteValue) -> i64 {
    match value {
        VoteValue::Like => 1,
        VoteValue::Dislike => -1,
    }
}

fn value(row: &Row<'_>, index: usize) -> rusqlite::Result<VoteValue> {
    match row.get(index)? {
        1_i64 => Ok(VoteValue::Like),
        -1 => Ok(VoteValue::Dislike),
        other => {
            let error = rusqlite::Error::IntegralValueOutOfRange(index, other);
            Err(row::unreadable(index, Type::Integer, error))
        }
    }
}
