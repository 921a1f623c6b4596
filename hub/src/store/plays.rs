//! Plays: the table `songs_playing`, one row for each song on each player.

use roomtone_schema::id::Id;
use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::{FactId, PlayId, PlayerId, UnixMillis, ZoneId};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::outbox::{self, FactKind};
use super::tx::Tx;
use super::{row, zone_plays};

const COLUMNS: &str = "id, player, zone, song, pick, started_at, ended_at, ended, heard_ms, tier";

/// Records that a song began on a player, and that its zone has heard it.
pub fn start(tx: &Tx<'_>, op: FactId, play: &Play) -> rusqlite::Result<()> {
    start_row(tx, play)?;
    outbox::push(tx, FactKind::PlayStarted, op, play.started_at, play)?;
    Ok(())
}

pub(super) fn start_row(tx: &Tx<'_>, play: &Play) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into songs_playing (id, player, zone, song, pick, started_at, ended_at, ended, heard_ms, tier)
         values (:id, :player, :zone, :song, :pick, :started, :ended_at, :ended, :heard, :tier)",
    )?
    .execute(named_params! {
        ":id": play.id.to_bytes(), ":player": play.player.to_bytes(), ":zone": play.zone.to_bytes(),
        ":song": play.song.to_bytes(), ":pick": play.pick.map(Id::to_bytes), ":started": play.started_at.0,
        ":ended_at": play.ended_at.map(|at| at.0), ":ended": play.ended.map(row::word).transpose()?,
        ":heard": play.heard_ms, ":tier": row::word(play.tier)?,
    })?;
    zone_plays::mark(tx, play.zone, play.song, play.started_at)
}

/// Records how a play ended. `None` where it is unknown or had ended before.
pub fn end(
    tx: &Tx<'_>,
    op: FactId,
    id: PlayId,
    ended: PlayEnd,
    heard_ms: Option<u32>,
    at: UnixMillis,
) -> rusqlite::Result<Option<Play>> {
    let Some(play) = end_row(tx, id, ended, heard_ms, at, None)? else { return Ok(None) };
    outbox::push(tx, FactKind::PlayEnded, op, at, &play)?;
    Ok(Some(play))
}

/// What a player says of a play that it has named itself becomes what is kept, however often and in whatever order it
/// is said: the row once, its end once, each with one fact.
pub fn tell(tx: &Tx<'_>, ops: (FactId, FactId), told: &Play) -> rusqlite::Result<Told> {
    let (op_started, op_ended) = ops;
    let known = by_id(tx, told.id)?;
    if known.as_ref().is_some_and(|known| known.player != told.player) {
        return Ok(Told::Another);
    }
    let mut news = Told::Known;
    if known.is_none() {
        let begun = Play { ended_at: None, ended: None, heard_ms: None, ..told.clone() };
        start(tx, op_started, &begun)?;
        news = Told::Begun;
    }
    if let (Some(at), Some(ended)) = (told.ended_at, told.ended)
        && let Some(play) = end_row(tx, told.id, ended, told.heard_ms, at, Some(told.tier))?
    {
        outbox::push(tx, FactKind::PlayEnded, op_ended, at, &play)?;
    }
    Ok(news)
}

/// What came of telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nobody knew that it had begun.
    Begun,
    /// It was known.
    Known,
    /// It is another player's.
    Another,
}

pub(super) fn end_row(
    tx: &Tx<'_>,
    id: PlayId,
    ended: PlayEnd,
    heard_ms: Option<u32>,
    at: UnixMillis,
    tier: Option<Tier>,
) -> rusqlite::Result<Option<Play>> {
    let changed = tx
        .prepare_cached(
            "update songs_playing
             set ended_at = :at, ended = :ended, heard_ms = :heard, tier = coalesce(:tier, tier)
             where id = :id and ended_at is null",
        )?
        .execute(named_params! {
            ":id": id.to_bytes(), ":at": at.0, ":ended": row::word(ended)?, ":heard": heard_ms,
            ":tier": tier.map(row::word).transpose()?,
        })?;
    if changed == 0 { Ok(None) } else { by_id(tx, id) }
}

/// The play with this id.
pub fn by_id(conn: &Connection, id: PlayId) -> rusqlite::Result<Option<Play>> {
    conn.prepare_cached(&format!("select {COLUMNS} from songs_playing where id = :id"))?
        .query_row(named_params! { ":id": id.to_bytes() }, from_row)
        .optional()
}

/// Plays that have not ended, oldest first; all of them or one player's.
pub fn open(conn: &Connection, player: Option<PlayerId>) -> rusqlite::Result<Vec<Play>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS} from songs_playing
         where ended_at is null and (:player is null or player = :player) order by id"
    ))?
    .query_map(named_params! { ":player": player.map(Id::to_bytes) }, from_row)?
    .collect()
}

/// What a zone heard since `since`, newest first.
pub fn recent(conn: &Connection, zone: ZoneId, since: UnixMillis, limit: u32) -> rusqlite::Result<Vec<Play>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS} from songs_playing where zone = :zone and started_at >= :since
         order by started_at desc, id desc limit :limit"
    ))?
    .query_map(named_params! { ":zone": zone.to_bytes(), ":since": since.0, ":limit": limit }, from_row)?
    .collect()
}

/// Forgets plays from before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from songs_playing where id in (
             select id from songs_playing where started_at < :before order by id limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Play> {
    Ok(Play {
        id: row::id(row, 0)?,
        player: row::id(row, 1)?,
        zone: row::id(row, 2)?,
        song: row::id(row, 3)?,
        pick: row::maybe_id(row, 4)?,
        started_at: row::time(row, 5)?,
        ended_at: row::maybe_time(row, 6)?,
        ended: row::maybe_from_word(row, 7)?,
        heard_ms: row.get(8)?,
        tier: row::from_word(row, 9)?,
    })
}
