//! First results of requests that may be repeated.

use roomtone_schema::id::Id;
use roomtone_schema::{IdempotencyKey, UnixMillis};
use rusqlite::{Connection, OptionalExtension, named_params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row;
use super::tx::Tx;

/// Who asked: a listener or a player by the 16 bytes of the id, so that no one fetches another's result by a guessed
/// key.
pub type Owner = [u8; 16];

/// The owner where nobody is known yet, as at check-in.
pub const NOBODY: Owner = [0; 16];

/// The first result of this request, where there was one. A key that was used for another kind is an error of the
/// caller: `Some(Err(kind))`.
pub fn get<T: DeserializeOwned>(
    conn: &Connection,
    owner: Owner,
    key: IdempotencyKey,
    kind: &str,
) -> rusqlite::Result<Option<Result<T, String>>> {
    let found: Option<(String, String)> = conn
        .prepare_cached("select kind, result from idempotency where owner = :owner and key = :key")?
        .query_row(named_params! { ":owner": owner, ":key": key.to_bytes() }, |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    match found {
        None => Ok(None),
        Some((first, _)) if first != kind => Ok(Some(Err(first))),
        Some((_, result)) => serde_json::from_str(&result)
            .map(|result| Some(Ok(result)))
            .map_err(|error| row::unreadable(1, rusqlite::types::Type::Text, error)),
    }
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
    let result = serde_json::to_string(result)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    tx.prepare_cached(
        "insert into idempotency (owner, key, kind, result, created_at)
         values (:owner, :key, :kind, :result, :at)",
    )?
    .execute(named_params! {
        ":owner": owner, ":key": key.to_bytes(), ":kind": kind, ":result": result, ":at": at.0,
    })?;
    Ok(())
}

/// Forgets results from before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from idempotency where rowid in (
             select rowid from idempotency where created_at < :before order by rowid limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}
