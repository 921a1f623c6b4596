//! Sessions: who is, or was, in the room. Only the hash of a session's token is kept.

use roomtone_schema::id::Id;
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::{FactId, SessionId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;

const COLUMNS: &str =
    "id, listener, device, zone, display_name, status, checked_in_at, last_seen_at, expires_at";

/// Records a check-in with its fact.
pub fn insert(tx: &Tx<'_>, op: FactId, session: &Session, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    insert_row(tx, session, token_hash)?;
    outbox::push(tx, FactKind::SessionStarted, op, session.checked_in_at, session)?;
    Ok(())
}

pub(super) fn insert_row(tx: &Tx<'_>, session: &Session, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into sessions (id, listener, device, zone, display_name, status, token_hash, checked_in_at,
             last_seen_at, expires_at)
         values (:id, :listener, :device, :zone, :name, :status, :token, :checked_in, :last_seen, :expires)",
    )?
    .execute(named_params! {
        ":id": session.id.to_bytes(), ":listener": session.listener.to_bytes(),
        ":device": session.device.to_bytes(), ":zone": session.zone.to_bytes(), ":name": session.display_name,
        ":status": row::word(session.status)?, ":token": token_hash, ":checked_in": session.checked_in_at.0,
        ":last_seen": session.last_seen_at.0, ":expires": session.expires_at.0,
    })?;
    Ok(())
}

/// The session that this token opens, whatever its status.
pub fn by_token_hash(conn: &Connection, token_hash: &[u8; 32]) -> rusqlite::Result<Option<Session>> {
    conn.prepare_cached(&format!("select {COLUMNS} from sessions where token_hash = :token"))?
        .query_row(named_params! { ":token": token_hash }, from_row)
        .optional()
}

/// The session with this id, whatever its status.
pub fn by_id(conn: &Connection, id: SessionId) -> rusqlite::Result<Option<Session>> {
    conn.prepare_cached(&format!("select {COLUMNS} from sessions where id = :id"))?
        .query_row(named_params! { ":id": id.to_bytes() }, from_row)
        .optional()
}

/// Every session that counts, with the hash of its token: what the hub holds in memory.
pub fn active(conn: &Connection) -> rusqlite::Result<Vec<(Session, [u8; 32])>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS}, token_hash from sessions where status = 'active' order by id"
    ))?
    .query_map([], |row| Ok((from_row(row)?, row.get(9)?)))?
    .collect()
}

/// The sessions that ended since `since`, with the hashes of their tokens: so that their holders are told so, also
/// after a restart.
pub fn ended_since(
    conn: &Connection,
    since: UnixMillis,
    limit: u32,
) -> rusqlite::Result<Vec<(Session, [u8; 32])>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS}, token_hash from sessions where status <> 'active' and last_seen_at >= :since
         order by id desc limit :limit"
    ))?
    .query_map(named_params! { ":since": since.0, ":limit": limit }, |row| Ok((from_row(row)?, row.get(9)?)))?
    .collect()
}

/// Gives a session another token; the old one opens nothing from then on.
pub fn renew_token(tx: &Tx<'_>, id: SessionId, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached("update sessions set token_hash = :token where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":token": token_hash })?;
    Ok(())
}

/// Notes a sign of life.
pub fn touch(tx: &Tx<'_>, id: SessionId, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("update sessions set last_seen_at = max(last_seen_at, :at) where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":at": at.0 })?;
    Ok(())
}

/// Ends an active session with its fact. `None` where it was not active.
pub fn end(
    tx: &Tx<'_>,
    op: FactId,
    id: SessionId,
    status: SessionStatus,
    at: UnixMillis,
) -> rusqlite::Result<Option<Session>> {
    let Some(ended) = end_row(tx, id, status, at)? else { return Ok(None) };
    outbox::push(tx, FactKind::SessionEnded, op, at, &ended)?;
    Ok(Some(ended))
}

pub(super) fn end_row(
    tx: &Tx<'_>,
    id: SessionId,
    status: SessionStatus,
    at: UnixMillis,
) -> rusqlite::Result<Option<Session>> {
    let changed = tx
        .prepare_cached(
            "update sessions set status = :status, last_seen_at = max(last_seen_at, :at)
             where id = :id and status = 'active'",
        )?
        .execute(named_params! { ":id": id.to_bytes(), ":status": row::word(status)?, ":at": at.0 })?;
    if changed == 0 { Ok(None) } else { by_id(tx, id) }
}

/// Forgets sessions that ended before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from sessions where id in (
             select id from sessions where last_seen_at < :before and status <> 'active' limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row::id(row, 0)?,
        listener: row::id(row, 1)?,
        device: row::id(row, 2)?,
        zone: row::id(row, 3)?,
        display_name: row.get(4)?,
        status: row::from_word(row, 5)?,
        checked_in_at: row::time(row, 6)?,
        last_seen_at: row::time(row, 7)?,
        expires_at: row::time(row, 8)?,
    })
}
