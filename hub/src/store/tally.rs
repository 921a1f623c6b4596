//! What happened in a span of time, counted.

use roomtone_schema::UnixMillis;
use roomtone_schema::play::Tier;
use rusqlite::{Connection, params};

use super::row;

/// How many plays began, by where they came from.
pub fn plays(conn: &Connection, from: UnixMillis, to: UnixMillis) -> rusqlite::Result<Vec<(Tier, u64)>> {
    conn.prepare_cached(
        "select tier, count(*) from songs_playing where started_at >= ?1 and started_at < ?2 group by tier",
    )?
    .query_map(params![from.0, to.0], |row| {
        Ok((row::from_word(row, 0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?
    .collect()
}

/// How many votes were cast.
pub fn votes(conn: &Connection, from: UnixMillis, to: UnixMillis) -> rusqlite::Result<u64> {
    conn.prepare_cached("select count(*) from votes where cast_at >= ?1 and cast_at < ?2")?
        .query_row(params![from.0, to.0], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}
