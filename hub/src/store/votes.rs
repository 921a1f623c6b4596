//! Votes: the log of all that were cast, the one per listener and song that counts, and the taste they add up to.

use roomtone_schema::id::Id;
use roomtone_schema::taste::{FixedUnit, TasteState};
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{EmbeddingVersion, IdempotencyKey, ListenerId, UnixMillis, VoteId};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::idempotency::Kept;
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

/// What a vote finds: asked in one question, because a rush of votes asks it for each.
#[derive(Debug)]
pub(super) struct Standing {
    /// The first result of the same request.
    pub(super) kept: Option<Kept>,
    /// The fold of the listener's votes.
    state: TasteState,
    /// What counts for the song so far, and what it added to the fold.
    effective: Option<(Vote, Option<FixedUnit>)>,
}

/// What `vote` finds; `key` where it was requested by one.
pub(super) fn standing(
    tx: &Tx<'_>,
    key: Option<IdempotencyKey>,
    vote: &Vote,
    direction: Option<&Direction>,
) -> rusqlite::Result<Standing> {
    tx.ask_again(
        "select v.id, v.listener, v.session, v.song, v.value, v.hlc, v.cast_at, v.unit,
             p.n_like, p.sum_like, p.n_dislike, p.sum_dislike, k.kind, k.result
         from (select 1)
         left join votes v on v.listener = ?1 and v.song = ?3 and v.counts = 1
         left join preferences p on p.listener = ?1 and p.version = ?4
         left join idempotency k on k.owner = ?1 and k.key = ?2",
        params![
            vote.listener.to_bytes(),
            key.map(Id::to_bytes),
            vote.song.to_bytes(),
            version_of(direction).0
        ],
        standing_from_row,
    )
}

fn standing_from_row(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let there = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.data_type() != Type::Null);
    Ok(Standing {
        effective: there(0)?.then(|| effective_from_row(row)).transpose()?,
        state: there(8)?.then(|| preferences::state_from_row(row, 8)).transpose()?.unwrap_or_default(),
        kept: there(12)?
            .then(|| Ok::<_, rusqlite::Error>(Kept { kind: row.get(12)?, result: row.get(13)? }))
            .transpose()?,
    })
}

/// Whether a vote is another one than what counts.
pub(super) fn is_news(before: &Standing, vote: &Vote) -> bool {
    before.effective.is_none_or(|(effective, _)| effective.value != vote.value)
}

/// Notes by which fact of the outbox a vote is told.
pub(super) fn told_by(tx: &Tx<'_>, vote: VoteId, fact: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("update votes set fact = ?2 where id = ?1")?.execute(params![vote.to_bytes(), fact])?;
    Ok(())
}

/// Writes what `vote` changes: log, effect and taste. The same value again changes nothing; the other replaces it.
pub(super) fn apply(
    tx: &Tx<'_>,
    before: &Standing,
    vote: &Vote,
    direction: Option<&Direction>,
    fact: Option<i64>,
) -> rusqlite::Result<CastOutcome> {
    let Standing { effective, mut state, .. } = *before;
    let previous = effective.map(|(effective, _)| effective.value);
    if let Some((effective, _)) = effective.filter(|(effective, _)| effective.value == vote.value) {
        return Ok(CastOutcome { recorded: false, previous, effective, state });
    }
    if let Some((replaced, unit)) = effective {
        stop_counting(tx, replaced.id)?;
        if let Some(unit) = unit {
            state.remove(replaced.value, &unit);
        }
    }
    if let Some(Direction { unit, .. }) = direction {
        state.add(vote.value, unit);
    }
    log(tx, vote, direction, fact, true)?;
    preferences::put(tx, vote.listener, version_of(direction), &state, vote.cast_at)?;
    Ok(CastOutcome { recorded: true, previous, effective: *vote, state })
}

/// Writes a vote that was cast elsewhere and may come behind a later one: the later one counts, whichever came first.
pub(super) fn apply_in_order(
    tx: &Tx<'_>,
    before: &Standing,
    vote: &Vote,
    direction: Option<&Direction>,
    fact: i64,
) -> rusqlite::Result<()> {
    if before.effective.is_some_and(|(effective, _)| vote.hlc < effective.hlc) {
        return log(tx, vote, direction, Some(fact), false);
    }
    apply(tx, before, vote, direction, Some(fact)).map(drop)
}

fn version_of(direction: Option<&Direction>) -> EmbeddingVersion {
    direction.map_or(EmbeddingVersion::CURRENT, |direction| direction.version)
}

/// The votes of a listener that count, newest first.
pub fn effective(conn: &Connection, listener: ListenerId) -> rusqlite::Result<Vec<Vote>> {
    conn.prepare_cached(
        "select id, listener, session, song, value, hlc, cast_at, unit from votes
         where listener = :listener and counts = 1 order by hlc desc",
    )?
    .query_map(named_params! { ":listener": listener.to_bytes() }, |row| Ok(effective_from_row(row)?.0))?
    .collect()
}

/// The votes that count of everybody who is checked in.
pub fn effective_of_active(conn: &Connection) -> rusqlite::Result<Vec<Vote>> {
    conn.prepare_cached(
        "select id, listener, session, song, value, hlc, cast_at, unit from votes
         where counts = 1 and listener in (select listener from sessions where status = 'active')",
    )?
    .query_map([], |row| Ok(effective_from_row(row)?.0))?
    .collect()
}

/// Who cast votes since `since`, and when, oldest first: as [`cast_since`], of everybody.
pub fn all_cast_since(
    conn: &Connection,
    since: UnixMillis,
) -> rusqlite::Result<Vec<(ListenerId, UnixMillis)>> {
    let from = VoteId::mint(since, [0; 10]);
    conn.prepare_cached(
        "select listener, cast_at from votes where id >= :from and cast_at > :since order by id",
    )?
    .query_map(named_params! { ":from": from.to_bytes(), ":since": since.0 }, |row| {
        Ok((row::id(row, 0)?, row::time(row, 1)?))
    })?
    .collect()
}

/// When a listener cast votes since `since`, oldest first: what a limit by the minute needs after a restart.
pub fn cast_since(
    conn: &Connection,
    listener: ListenerId,
    since: UnixMillis,
) -> rusqlite::Result<Vec<UnixMillis>> {
    // By id, which begins with the time: the newest votes are at the end of the table.
    let from = VoteId::mint(since, [0; 10]);
    conn.prepare_cached(
        "select cast_at from votes where id >= :from and listener = :listener and cast_at > :since order by id",
    )?
    .query_map(
        named_params! { ":from": from.to_bytes(), ":listener": listener.to_bytes(), ":since": since.0 },
        |row| row::time(row, 0),
    )?
    .collect()
}

/// How many votes were ever logged, without those that were replaced and purged since.
pub fn count(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("select count(*) from votes", [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// The logged vote with this id.
pub fn by_id(conn: &Connection, id: VoteId) -> rusqlite::Result<Option<Vote>> {
    conn.prepare_cached(
        "select id, listener, session, song, value, hlc, cast_at, unit from votes where id = :id",
    )?
    .query_row(named_params! { ":id": id.to_bytes() }, |row| Ok(effective_from_row(row)?.0))
    .optional()
}

/// Forgets votes from before `before` that were replaced since; what counts, counts on.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from votes where id in (select id from votes where cast_at < :before and counts = 0 order by id limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn log(
    tx: &Tx<'_>,
    vote: &Vote,
    direction: Option<&Direction>,
    fact: Option<i64>,
    counts: bool,
) -> rusqlite::Result<()> {
    tx.execute_again(
        "insert into votes (id, listener, session, song, value, hlc, cast_at, unit, counts, fact)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            vote.id.to_bytes(),
            vote.listener.to_bytes(),
            vote.session.to_bytes(),
            vote.song.to_bytes(),
            sign(vote.value),
            vote.hlc.0.cast_signed(),
            vote.cast_at.0,
            direction.map(|direction| row::sums_to_bytes(&direction.unit)),
            counts,
            fact,
        ],
    )?;
    Ok(())
}

fn stop_counting(tx: &Tx<'_>, replaced: VoteId) -> rusqlite::Result<()> {
    tx.prepare_cached("update votes set counts = 0 where id = ?1")?.execute(params![replaced.to_bytes()])?;
    Ok(())
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
