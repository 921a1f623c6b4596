//! Names of songs: the catalogue's, and this hub's own where the file was here first.

use roomtone_schema::SongId;
use roomtone_schema::id::Id as _;
use rusqlite::{Connection, OptionalExtension, params};

use super::row;
use super::tx::Tx;

/// The hub's name of a song of the catalogue.
pub fn local(conn: &Connection, canonical: SongId) -> rusqlite::Result<SongId> {
    let found = conn
        .prepare_cached("select local from aliases where canonical = ?1")?
        .query_row(params![canonical.to_bytes()], |row| row::id(row, 0))
        .optional()?;
    Ok(found.unwrap_or(canonical))
}

/// The catalogue's name of a song of the hub.
pub fn canonical(conn: &Connection, local: SongId) -> rusqlite::Result<SongId> {
    let found = conn
        .prepare_cached("select canonical from aliases where local = ?1")?
        .query_row(params![local.to_bytes()], |row| row::id(row, 0))
        .optional()?;
    Ok(found.unwrap_or(local))
}

/// Notes that a song of the catalogue is one that the hub has under its own name.
pub(super) fn put(tx: &Tx<'_>, canonical: SongId, local: SongId) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into aliases (canonical, local) values (?1, ?2)
         on conflict (canonical) do update set local = excluded.local",
    )?
    .execute(params![canonical.to_bytes(), local.to_bytes()])?;
    Ok(())
}
