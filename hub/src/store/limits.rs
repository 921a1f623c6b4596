//! Rate limits that survive a restart: the theoretical arrival time (GCRA) of each key.

use roomtone_schema::UnixMillis;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::tx::Tx;

/// The theoretical arrival time of `key`, where it was ever used.
pub fn get(conn: &Connection, key: &str) -> rusqlite::Result<Option<UnixMillis>> {
    conn.prepare_cached("select tat_ms from limits where key = :key")?
        .query_row(named_params! { ":key": key }, |row| row.get(0).map(UnixMillis))
        .optional()
}

/// Keeps the theoretical arrival time of `key`.
pub fn put(tx: &Tx<'_>, key: &str, tat: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into limits (key, tat_ms) values (:key, :tat)
         on conflict (key) do update set tat_ms = excluded.tat_ms",
    )?
    .execute(named_params! { ":key": key, ":tat": tat.0 })?;
    Ok(())
}

/// Every limit that still says something at `now`.
pub fn all(conn: &Connection, now: UnixMillis) -> rusqlite::Result<Vec<(String, UnixMillis)>> {
    conn.prepare_cached("select key, tat_ms from limits where tat_ms > :now order by key")?
        .query_map(named_params! { ":now": now.0 }, |row| Ok((row.get(0)?, UnixMillis(row.get(1)?))))?
        .collect()
}

/// Forgets limits that have run out: they say the same as none.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from limits where key in (select key from limits where tat_ms < :before limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}
