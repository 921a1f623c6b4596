//! Backups: complete, checked copies beside the database.

use std::fs::File;
use std::path::{Path, PathBuf};

use roomtone_schema::UnixMillis;
use rusqlite::{Connection, OpenFlags};

use super::ballast::free_bytes;
use super::connection::{self, APPLICATION_ID};
use super::error::StoreError;
use super::migrate;
use super::stats::{beside, size};

/// The folder of the regular backups, within the data folder.
const FOLDER: &str = "backups";

/// How many of the newest backups are kept, beside the newest of an earlier day.
const KEPT: usize = 2;

const DAY_MS: i64 = 86_400_000;

/// Makes the regular backup and drops those that are too old.
pub(super) fn rotate(database: &Path, now: UnixMillis) -> Result<Option<PathBuf>, StoreError> {
    if free_bytes(database) < 2 * size(database) {
        tracing::warn!("too little room on the disk for a backup of the hub's database");
        return Ok(None);
    }
    let folder = folder_of(database);
    std::fs::create_dir_all(&folder).map_err(io)?;
    let newest = newest_first(&folder).first().map_or(0, |(stamp, _)| stamp + 1);
    // The wall clock may have been turned back; the newest backup has the highest number all the same.
    let stamp = now.0.max(newest);
    let made = folder.join(format!("hub-{stamp:015}.db"));
    copy(database, &made)?;
    for old in superfluous(&newest_first(&folder)) {
        std::fs::remove_file(old).map_err(io)?;
    }
    Ok(Some(made))
}

/// Writes a complete copy to `to`: made under another name, flushed, checked, then given its name.
pub(super) fn copy(database: &Path, to: &Path) -> Result<(), StoreError> {
    let half_made = beside(to, ".tmp");
    let _left_over = std::fs::remove_file(&half_made);
    let made = vacuum_into(database, &half_made).and_then(|()| publish(&half_made, to).map_err(io));
    if made.is_err() {
        let _half_made = std::fs::remove_file(&half_made);
    }
    made
}

/// The newest backup that is sound.
pub(super) fn newest_sound(dir: &Path) -> Option<PathBuf> {
    let backups = newest_first(&dir.join(FOLDER));
    backups.into_iter().map(|(_, path)| path).find(|path| is_sound(path))
}

/// Whether a file is a sound database of a hub that this program can read.
pub(super) fn is_sound(path: &Path) -> bool {
    let look = || -> rusqlite::Result<bool> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let ours = id == APPLICATION_ID && matches!(migrate::check_version(&conn), Ok(1..));
        Ok(ours && connection::quick_check(&conn)?.is_none())
    };
    look().unwrap_or(false)
}

/// Copies a backup to where a database belongs.
pub(super) fn copy_file(source: &Path, to: &Path) -> std::io::Result<()> {
    let half_made = beside(to, ".tmp");
    std::fs::copy(source, &half_made)?;
    publish(&half_made, to)
}

/// Makes what happened to the names in a folder survive a power cut.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

fn vacuum_into(database: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| io(std::io::Error::other("the name of a backup must be UTF-8")))?;
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.busy_timeout(connection::BUSY_TIMEOUT)?;
    conn.execute("vacuum into ?1", [name])?;
    if is_sound(to) { Ok(()) } else { Err(StoreError::Damaged) }
}

/// SQLite does not flush what it vacuums into.
fn publish(half_made: &Path, to: &Path) -> std::io::Result<()> {
    File::open(half_made)?.sync_all()?;
    std::fs::rename(half_made, to)?;
    to.parent().map_or(Ok(()), sync_dir)
}

fn folder_of(database: &Path) -> PathBuf {
    database.with_file_name(FOLDER)
}

/// The backups of a folder with their times, newest first.
fn newest_first(folder: &Path) -> Vec<(i64, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> =
        entries.flatten().filter_map(|entry| Some((stamp_of(&entry.path())?, entry.path()))).collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

fn stamp_of(path: &Path) -> Option<i64> {
    path.file_name()?.to_str()?.strip_prefix("hub-")?.strip_suffix(".db")?.parse().ok()
}

/// What is neither among the newest nor the newest of an earlier day.
fn superfluous(newest_first: &[(i64, PathBuf)]) -> Vec<&PathBuf> {
    let Some((newest, _)) = newest_first.first() else { return Vec::new() };
    let today = newest.div_euclid(DAY_MS);
    let rest = newest_first.iter().skip(KEPT);
    let daily = rest.clone().find(|(stamp, _)| stamp.div_euclid(DAY_MS) < today).map(|(stamp, _)| *stamp);
    rest.filter(|(stamp, _)| Some(*stamp) != daily).map(|(_, path)| path).collect()
}

fn io(error: std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return StoreError::DiskFull;
    }
    StoreError::Io(std::sync::Arc::new(rusqlite::Error::ToSqlConversionFailure(error.into())))
}
