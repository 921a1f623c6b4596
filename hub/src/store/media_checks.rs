//! When each media file was last compared with its name.

use roomtone_schema::UnixMillis;
use roomtone_schema::song::Sha256;
use rusqlite::{Connection, named_params};

use super::tx::Tx;

/// Notes the result of a check.
pub fn put(tx: &Tx<'_>, sha256: Sha256, sound: bool, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into media_checks (sha256, checked_at, sound) values (:sha256, :at, :sound)
         on conflict (sha256) do update set checked_at = excluded.checked_at, sound = excluded.sound",
    )?
    .execute(named_params! { ":sha256": sha256.0, ":at": at.0, ":sound": sound })?;
    Ok(())
}

/// Files of the catalogue whose last check is longest ago, never checked ones first.
pub fn oldest(conn: &Connection, before: UnixMillis, limit: u32) -> rusqlite::Result<Vec<Sha256>> {
    conn.prepare_cached(
        "select songs.sha256 from songs left join media_checks using (sha256)
         where songs.status = 'ready' and coalesce(checked_at, 0) < :before
         order by coalesce(checked_at, 0), songs.row limit :limit",
    )?
    .query_map(named_params! { ":before": before.0, ":limit": limit }, |row| row.get(0).map(Sha256))?
    .collect()
}

/// Files whose last check found them damaged or missing.
pub fn damaged(conn: &Connection) -> rusqlite::Result<Vec<Sha256>> {
    conn.prepare_cached("select sha256 from media_checks where sound = 0 order by sha256")?
        .query_map([], |row| row.get(0).map(Sha256))?
        .collect()
}
