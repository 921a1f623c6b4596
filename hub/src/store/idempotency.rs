//! First results of requests that may be repeated.

use roomtone_schema::id::Id;
use roomtone_schema::{IdempotencyKey, UnixMillis};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, named_params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row;
use super::tx::Tx;

/// Who asked: a listener or a player by the 16 bytes of the id, so that no one fetches another's result by a guessed
/// key.
pub type Owner = [u8; 16];

/// The owner where nobody is known yet, as at check-in.
pub const NOBODY: Owner = [0; 16];

/// A first result as it stands in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Of which kind of request.
    pub(super) kind: String,
    /// In the kind's own form.
    pub(super) result: Vec<u8>,
}

/// The first result of this request, where there was one. A key that was used for another kind is an error of the
/// caller: `Some(Err(kind))`.
pub fn get<T: DeserializeOwned>(
    conn: &Connection,
    owner: Owner,
    key: IdempotencyKey,
    kind: &str,
) -> rusqlite::Result<Option<Result<T, String>>> {
    match kept(conn, owner, key)? {
        None => Ok(None),
        Some(first) if first.kind != kind => Ok(Some(Err(first.kind))),
        Some(first) => serde_json::from_slice(&first.result)
            .map(|result| Some(Ok(result)))
            .map_err(|error| row::unreadable(1, Type::Blob, error)),
    }
}

/// What is kept of this request.
pub(super) fn kept(conn: &Connection, owner: Owner, key: IdempotencyKey) -> rusqlite::Result<Option<Kept>> {
    conn.prepare_cached("select kind, result from idempotency where owner = ?1 and key = ?2")?
        .query_row(params![owner, key.to_bytes()], |row| Ok(Kept { kind: row.get(0)?, result: row.get(1)? }))
        .optional()
}

/// Keeps the first result of a request.
pub fn put(
    tx: &Tx<'_>,
    owner: Owner,
    key: IdempotencyKey,
    kind: &str,
    result: &impl Serialize,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let result =
        serde_json::to_vec(result).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    put_bytes(tx, owner, key, kind, &result, at)
}

/// As [`put`], in bytes of the kind's own.
pub(super) fn put_bytes(
    tx: &Tx<'_>,
    owner: Owner,
    key: IdempotencyKey,
    kind: &str,
    result: &[u8],
    at: UnixMillis,
) -> rusqlite::Result<()> {
    tx.execute_again(
        "insert into idempotency (owner, key, kind, result, created_at) values (?1, ?2, ?3, ?4, ?5)",
        params![owner, key.to_bytes(), kind, result, at.0],
    )?;
    Ok(())
}

/// Forgets results from before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from idempotency where (owner, key) in (
             select owner, key from idempotency where created_at < :before limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}
