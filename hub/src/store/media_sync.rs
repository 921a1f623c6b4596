//! Which files of songs the cloud has, and which are nowhere but here.

use roomtone_schema::song::Sha256;
use roomtone_schema::{SongId, UnixMillis};
use rusqlite::{Connection, params};

use super::row;
use super::tx::Tx;

/// Where a song came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was imported here, and is the venue's own.
    Here,
    /// It came down.
    Cloud,
}

/// A song's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SongFile {
    /// The song as this hub names it.
    pub song: SongId,
    /// As the catalogue names it.
    pub canonical: SongId,
    /// The sum of the file.
    pub sha256: Sha256,
    /// How long it is.
    pub bytes: u64,
    /// What it is.
    pub content_type: String,
    /// Whether the cloud has it, verified.
    pub stored: bool,
    /// Where it came from.
    pub origin: Origin,
    /// How long it plays, in milliseconds.
    pub duration_ms: u32,
    /// Whether it may be played here.
    pub ready: bool,
    /// It was put, and what the cloud makes of it was not heard yet.
    pub put: bool,
    /// When the cloud refused it last, where it did.
    pub refused_at: Option<UnixMillis>,
}

/// The files of all songs.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<SongFile>> {
    conn.prepare_cached(
        "select songs.id, coalesce(aliases.canonical, songs.id), songs.sha256, bytes, content_type, stored,
             born_here, duration_ms, status = 'ready', uploads_put.sha256 is not null, uploads_refused.refused_at
         from songs left join aliases on aliases.local = songs.id left join uploads_refused using (sha256)
             left join uploads_put on uploads_put.sha256 = songs.sha256
         order by songs.row",
    )?
    .query_map([], |row| {
        Ok(SongFile {
            song: row::id(row, 0)?,
            canonical: row::id(row, 1)?,
            sha256: Sha256(row.get(2)?),
            bytes: row.get::<_, i64>(3)?.cast_unsigned(),
            content_type: row.get(4)?,
            stored: row.get(5)?,
            origin: if row.get(6)? { Origin::Here } else { Origin::Cloud },
            duration_ms: row.get(7)?,
            ready: row.get(8)?,
            put: row.get(9)?,
            refused_at: row.get::<_, Option<i64>>(10)?.map(UnixMillis),
        })
    })?
    .collect()
}

/// Notes that a file was put, and waits to be verified.
pub fn put(tx: &Tx<'_>, sha256: Sha256, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached("insert or replace into uploads_put (sha256, put_at) values (?1, ?2)")?
        .execute(params![sha256.0, at.0])?;
    Ok(())
}

/// Forgets that a file was put: the cloud knows nothing of it.
pub fn not_put(tx: &Tx<'_>, sha256: Sha256) -> rusqlite::Result<()> {
    tx.prepare_cached("delete from uploads_put where sha256 = ?1")?.execute(params![sha256.0])?;
    Ok(())
}

/// Forgets what a cloud made of files: another one may judge otherwise.
pub(super) fn forget(tx: &Tx<'_>) -> rusqlite::Result<()> {
    tx.execute_batch("delete from uploads_put; delete from uploads_refused")
}

/// Notes that the cloud has a file: from now on it may give way.
pub fn verified(tx: &Tx<'_>, sha256: Sha256) -> rusqlite::Result<()> {
    tx.prepare_cached("update songs set stored = 1 where sha256 = ?1")?.execute(params![sha256.0])?;
    tx.prepare_cached("delete from uploads_refused where sha256 = ?1")?.execute(params![sha256.0])?;
    not_put(tx, sha256)
}

/// Notes that the cloud refused a file, and why.
pub fn refused(tx: &Tx<'_>, sha256: Sha256, reason: &str, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into uploads_refused (sha256, reason, refused_at) values (?1, ?2, ?3)
         on conflict (sha256) do update set reason = excluded.reason, refused_at = excluded.refused_at",
    )?
    .execute(params![sha256.0, reason, at.0])?;
    not_put(tx, sha256)
}
