//! The second exact ranking engine: sqlite-vec over the table `song_vec`, within the database.
//!
//! It serves while the in-memory index is being built, and a property test holds the two against each other. The
//! truth is `songs.embedding`; `song_vec` is filled behind it in pieces ([`fill`]), because filling costs ten times
//! what inserting the songs costs.
//!
//! Traps of sqlite-vec 0.1.9 that this file knows about: a zero vector wins or loses at random (none is ever
//! inserted, see `Embedding`), ties come in no order (everything near the k-th place is scored again in f64),
//! k ends at 4096, `not in` is applied after the search (rest is expressed as `in`), metadata refuses null, and
//! there is no upsert.

use roomtone_schema::id::Id;
use roomtone_schema::rank::Candidate;
use roomtone_schema::{EmbeddingVersion, SongId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::tx::Tx;
use super::{hub_state, row};

mod engine;
#[cfg(test)]
mod tests;

pub use engine::VecEngine;

/// Up to which song `song_vec` has been filled (integer).
const FILLED_TO: &str = "song_vec_filled_to";

/// Fills up to `limit` more songs into `song_vec`, in the order in which they were added. How many it looked at: fewer
/// than `limit` where all is done.
pub fn fill(tx: &Tx<'_>, limit: u32) -> rusqlite::Result<u32> {
    let from = filled_to(tx)?;
    let rows: Vec<i64> = tx
        .prepare_cached("select row from songs where row > :from order by row limit :limit")?
        .query_map(named_params! { ":from": from, ":limit": limit }, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for row in &rows {
        put(tx, *row)?;
    }
    if let Some(last) = rows.last() {
        hub_state::put(tx, FILLED_TO, last)?;
    }
    Ok(rows.len() as u32)
}

/// Whether `song_vec` holds every song that belongs there.
pub fn is_filled(conn: &Connection) -> rusqlite::Result<bool> {
    let last: Option<i64> = conn.query_row("select max(row) from songs", [], |row| row.get(0))?;
    Ok(last.is_none_or(|last| filled_to(conn).is_ok_and(|filled| filled >= last)))
}

/// Brings `song_vec` in line with one song after it was withdrawn, brought back or analysed anew.
pub(super) fn refresh(tx: &Tx<'_>, song: SongId) -> rusqlite::Result<()> {
    let row: Option<i64> = tx
        .prepare_cached("select row from songs where id = :id")?
        .query_row(named_params! { ":id": song.to_bytes() }, |row| row.get(0))
        .optional()?;
    match row {
        Some(row) if row <= filled_to(tx)? => put(tx, row),
        _ => Ok(()),
    }
}

/// Leaves songs from number `first` on to be filled again: many have changed.
pub(super) fn fill_again_from(tx: &Tx<'_>, first: i64) -> rusqlite::Result<()> {
    let filled = filled_to(tx)?;
    if first <= filled { hub_state::put(tx, FILLED_TO, (first - 1).max(0)) } else { Ok(()) }
}

/// Notes that some zone hears a song. An earlier time than the one it knows changes nothing.
pub(super) fn mark_played(tx: &Tx<'_>, song: SongId, at: UnixMillis) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "update song_vec set last_played = :at
         where song_id = (select row from songs where id = :song) and last_played < :at",
    )?
    .execute(named_params! { ":song": song.to_bytes(), ":at": at.0 })?;
    Ok(())
}

fn filled_to(conn: &Connection) -> rusqlite::Result<i64> {
    // A database that was mended or restored may have the note and no vectors.
    let is_empty = conn
        .prepare_cached("select 1 from song_vec limit 1")?
        .query_row([], |_| Ok(()))
        .optional()?
        .is_none();
    if is_empty { Ok(0) } else { Ok(hub_state::get(conn, FILLED_TO)?.unwrap_or(0)) }
}

/// Takes the song's old vector out, and puts the one in that `songs` has, if it is playable.
fn put(conn: &Connection, row: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("delete from song_vec where song_id = :row")?
        .execute(named_params! { ":row": row })?;
    conn.prepare_cached(
        "insert into song_vec (song_id, embedding, last_played)
         select row, embedding,
             coalesce((select max(last_played_at) from zone_plays where song = songs.row), 0)
         from songs where row = :row and status = 'ready' and embedding is not null
             and embedding_version = :version",
    )?
    .execute(named_params! { ":row": row, ":version": EmbeddingVersion::CURRENT.0 })?;
    Ok(())
}

/// The embedding of a song as a column: none of another version than the current one.
const COMPARABLE: &str = "iif(songs.embedding_version = :version, songs.embedding, null)";

/// A candidate from the columns `id, COMPARABLE, last_played_at`.
fn candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    Ok(Candidate {
        song: row::id(row, 0)?,
        embedding: row::embedding(row, 1)?,
        last_played_at: row::maybe_time(row, 2)?,
    })
}
