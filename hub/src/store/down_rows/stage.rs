//! Rows that are collected aside, in the parts that they came in. A part is one value, so that collecting costs next to
//! nothing; the work is done when they are put in place.

use roomtone_sync::wire::{Cursor, Scope};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::super::tx::Tx;
use super::super::{hub_state, link};

/// What is being put in place in bites. Where it is found at a start, it is done to its end before anything is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unstaging {
    /// Of which scope.
    pub scope: Scope,
    /// Where the cursor is moved to.
    pub to: Cursor,
    /// Whether rows that were not collected are gone.
    pub whole: bool,
}

/// Begins to collect, or goes on; how many parts there are.
pub fn stage(tx: &Tx<'_>, scope: Scope, name: &str) -> rusqlite::Result<u64> {
    let number = link::scope_number(tx, scope)?;
    let before: Option<String> =
        tx.query_row("select collecting from sync_scopes where id = ?1", params![number], |row| row.get(0))?;
    if before.as_deref() != Some(name) {
        tx.execute("delete from sync_stage where scope = ?1", params![number])?;
        tx.execute("update sync_scopes set collecting = ?2 where id = ?1", params![number, name])?;
    }
    let parts: i64 =
        tx.query_row("select count(*) from sync_stage where scope = ?1", params![number], |row| row.get(0))?;
    Ok(parts.cast_unsigned())
}

/// A part that was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: i64,
    /// A message with a list of rows; without their content where they are in place.
    pub rows: Vec<u8>,
    /// Whether they are in place already.
    pub placed: bool,
}

/// Whether nothing plays here but what this scope has begun to tell: then its parts are put in place as they come, because
/// something to play is better than nothing. A hub that has a catalogue, of a cloud or its own, never gets half of another.
pub fn takes_what_comes(conn: &Connection, scope: Scope) -> rusqlite::Result<bool> {
    let plays_its_own = "select exists (select 1 from songs where born_here = 1 and status = 'ready')";
    Ok(link::cursor(conn, scope)? == Cursor::default()
        && !conn.query_row(plays_its_own, [], |row| row.get::<_, bool>(0))?)
}

/// Collects a part.
pub fn put_part(tx: &Tx<'_>, scope: Scope, part: &Part) -> rusqlite::Result<()> {
    let number = link::scope_number(tx, scope)?;
    tx.prepare_cached(
        "insert into sync_stage (scope, part, rows, placed) values (?1, ?2, ?3, ?4)
         on conflict (scope, part) do update set rows = excluded.rows, placed = excluded.placed",
    )?
    .execute(params![number, part.number, part.rows, part.placed])?;
    Ok(())
}

/// The first part from number `from` on.
pub fn part(conn: &Connection, scope: Scope, from: i64) -> rusqlite::Result<Option<Part>> {
    let Some(number) = link::known_number(conn, scope)? else { return Ok(None) };
    conn.prepare_cached(
        "select part, rows, placed from sync_stage where scope = ?1 and part >= ?2 order by part limit 1",
    )?
    .query_row(params![number, from], |row| {
        Ok(Part { number: row.get(0)?, rows: row.get(1)?, placed: row.get(2)? })
    })
    .optional()
}

/// Forgets what was collected.
pub fn clear_stage(tx: &Tx<'_>, scope: Scope) -> rusqlite::Result<()> {
    let number = link::scope_number(tx, scope)?;
    tx.execute("delete from sync_stage where scope = ?1", params![number])?;
    tx.execute("update sync_scopes set collecting = null where id = ?1", params![number])?;
    hub_state::remove(tx, hub_state::UNSTAGING)
}

/// What was being put in place when the hub ended.
pub fn unstaging(conn: &Connection) -> rusqlite::Result<Option<Unstaging>> {
    let found: Option<String> = hub_state::get(conn, hub_state::UNSTAGING)?;
    Ok(found.and_then(|found| serde_json::from_str(&found).ok()))
}

impl Unstaging {
    /// Notes that this is being put in place.
    pub fn begin(&self, tx: &Tx<'_>) -> rusqlite::Result<()> {
        let text = serde_json::to_string(self)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        hub_state::put(tx, hub_state::UNSTAGING, text)
    }
}
