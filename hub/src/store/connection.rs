//! How every connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;

/// "RMTN": what says that a SQLite file is ours.
pub(super) const APPLICATION_ID: i32 = 0x524D_544E;

/// The page size of new databases. Small, because every commit writes whole pages to flash: a vote that comes alone
/// costs 18 KB with pages of 1 KiB, 24 KB with 2 KiB and 37 KB with 4 KiB (`tests/durability/wear.rs`). Not smaller,
/// because in a rush small pages are more work: a vote costs the writer a quarter more with 1 KiB than with 2
/// (`tests/bench/run votes`), and no less with 4.
const PAGE_SIZE: i64 = 2048;

/// So many pages (8 MiB) of log are written down by the commit that fills them, where no quiet second came before. In a
/// rush each such commit costs two more flushes and many scattered writes, so it must not be every third one.
const CHECKPOINT_AT: i64 = 4000;

/// How long one connection waits for another: only backups and checkpoints ever make it wait.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps; there are fewer than this in the whole store.
const STATEMENTS: usize = 128;

/// The WAL is cut down to this when it is checkpointed.
const WAL_LIMIT: i64 = 16 << 20;

/// Opens the writer's connection; makes the file where there is none.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI)?;
    if fresh(&conn)? {
        conn.pragma_update(None, "page_size", PAGE_SIZE)?;
        conn.pragma_update(None, "auto_vacuum", "incremental")?;
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    harden(&conn)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_AT, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_LIMIT, |_| Ok(()))?;
    Ok(conn)
}

/// Opens a reader's connection.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    harden(&conn)?;
    // Looking at a file changes nothing in it, not even when the last one who looked goes.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// Whether the file is ours; an empty one is nobody's yet.
pub(super) fn check_owner(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID && !fresh(conn)? {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    Ok(())
}

/// `pragma quick_check`: what is wrong with the file, `None` where nothing is.
pub(super) fn quick_check(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = conn.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// `pragma integrity_check`: as [`quick_check`], and whether each index has what its table has. Takes ten times as long.
pub(super) fn integrity_check(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let verdict: String = conn.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

fn fresh(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("select count(*) = 0 from sqlite_schema", [], |row| row.get(0))
}

/// No mmap (an I/O error would kill the process), nothing that a schema could smuggle in, damaged cells are errors.
fn harden(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(())).or_else(no_rows_is_fine)?;
    conn.pragma_update(None, "temp_store", "memory")?;
    conn.pragma_update(None, "cache_size", -8000)
}

/// SQLite built without mmap answers with no row.
fn no_rows_is_fine(error: rusqlite::Error) -> rusqlite::Result<()> {
    if error == rusqlite::Error::QueryReturnedNoRows { Ok(()) } else { Err(error) }
}
