//! When each zone last heard each song.

use roomtone_schema::id::Id;
use roomtone_schema::{SongId, UnixMillis, ZoneId};
use rusqlite::{Connection, named_params};

use super::tx::Tx;
use super::{row, vec};

/// Notes that a zone hears a song. A later time wins; an earlier one changes nothing.
pub fn mark(tx: &Tx<'_>, zone: ZoneId, song: SongId, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into zone_plays (zone, song, last_played_at)
         select :zone, row, :at from songs where id = :song
         on conflict (zone, song) do update
         set last_played_at = max(last_played_at, excluded.last_played_at)",
    )?
    .execute(named_params! { ":zone": zone.to_bytes(), ":song": song.to_bytes(), ":at": at.0 })?;
    vec::mark_played(tx, song, at)
}

/// When a zone last heard each song it has heard, by the song's number.
pub fn of_zone(conn: &Connection, zone: ZoneId) -> rusqlite::Result<Vec<(u32, UnixMillis)>> {
    conn.prepare_cached("select song, last_played_at from zone_plays where zone = :zone order by song")?
        .query_map(named_params! { ":zone": zone.to_bytes() }, |row| Ok((row.get(0)?, row::time(row, 1)?)))?
        .collect()
}
