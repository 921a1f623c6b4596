//! When the database is damaged: it is put aside whole, and the best that is left takes its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::Clock;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::OpenError;
use super::lock::Lock;
use super::opening::{Restored, open_writer};
use super::stats::beside;
use super::{FILE_NAME, backup, connection, hub_state, outbox, salvage};

/// How often a file that seems damaged is looked at before it is believed.
pub(super) const LOOKS: u32 = 4;

/// Between two looks: together they leave the hub well within its five seconds to start.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// The database and the files that belong to it: they are only ever moved together.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// Puts the damaged files aside, brings back the newest sound backup or starts anew, and saves what the damaged file
/// still tells.
pub(super) fn mend(dir: &Path, clock: &Arc<dyn Clock>) -> Result<Restored, OpenError> {
    let path = dir.join(FILE_NAME);
    let kept_at = put_aside(dir, "damaged", clock)?;
    let from_backup = backup::newest_sound(dir);
    if let Some(source) = &from_backup {
        backup::copy_file(source, &path)?;
    }
    let (mut conn, _) = open_writer(&path)?;
    next_epoch(&conn, &kept_at.join(FILE_NAME))?;
    let saved = salvage::salvage(&mut conn, &kept_at.join(FILE_NAME))?;
    Ok(Restored { kept_at: Some(kept_at), from_backup, salvaged: saved.salvaged, lost: saved.lost })
}

/// Puts a backup in the place of the database; what stood there is kept.
pub(super) fn restore(source: &Path, dir: &Path, clock: &Arc<dyn Clock>) -> Result<Restored, OpenError> {
    let _lock = Lock::take(dir)?;
    if !backup::is_sound(source) {
        return Err(OpenError::Foreign { path: source.to_owned() });
    }
    let path = dir.join(FILE_NAME);
    // Read before anything is moved: the backup may lie anywhere.
    let incoming = beside(&path, ".incoming");
    backup::copy_file(source, &incoming)?;
    let kept_at = if path.exists() { Some(put_aside(dir, "replaced", clock)?) } else { None };
    std::fs::rename(&incoming, &path)?;
    let (conn, _) = open_writer(&path)?;
    let before = kept_at.as_deref().unwrap_or(dir).join(FILE_NAME);
    next_epoch(&conn, &before)?;
    keep_what_opens(&conn, &before)?;
    hub_state::put(&conn, hub_state::CLEAN, 1)?;
    Ok(Restored { kept_at, from_backup: Some(source.to_owned()), salvaged: 0, lost: None })
}

/// A new life of the database: its numbers are used again, so its epoch is one that was never used.
fn next_epoch(conn: &Connection, before: &Path) -> Result<(), OpenError> {
    let last = |conn: &Connection| hub_state::epoch(conn).unwrap_or(1);
    let ended = connection::reader(before).map_or(1, |conn| last(&conn));
    hub_state::put(conn, hub_state::EPOCH_START, outbox::acknowledged(conn)?)?;
    Ok(hub_state::put(conn, hub_state::EPOCH, ended.max(last(conn)) + 1)?)
}

/// What opens the manager's doors is today's and not the backup's: a PIN that was changed since stays changed.
fn keep_what_opens(conn: &Connection, before: &Path) -> Result<(), OpenError> {
    let Ok(before) = connection::reader(before) else { return Ok(()) };
    for key in [hub_state::MANAGER, hub_state::MANAGER_PIN] {
        if let Ok(Some(value)) = hub_state::get::<Value>(&before, key) {
            hub_state::put(conn, key, value)?;
        }
    }
    Ok(())
}

/// Moves the database and its log into a folder of their own; gives the folder.
fn put_aside(dir: &Path, why: &str, clock: &Arc<dyn Clock>) -> Result<PathBuf, OpenError> {
    let kept_at = free_name(dir, why, clock.wall().0);
    let path = dir.join(FILE_NAME);
    let moved = std::fs::create_dir(&kept_at).and_then(|()| {
        ENDINGS.iter().try_for_each(|ending| {
            let name = beside(Path::new(FILE_NAME), ending);
            match std::fs::rename(beside(&path, ending), kept_at.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    });
    moved.map_err(|why| OpenError::Damaged { kept_at: kept_at.clone(), why })?;
    backup::sync_dir(dir)?;
    Ok(kept_at)
}

fn free_name(dir: &Path, why: &str, mut stamp: i64) -> PathBuf {
    loop {
        let name = dir.join(format!("{why}-{stamp}"));
        if !name.exists() {
            return name;
        }
        stamp += 1;
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::{ManualClock, UnixMillis};

    use super::super::Store;
    use super::*;

    #[test]
    fn a_backup_brings_back_no_pin_that_was_changed_since() {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(UnixMillis(1_800_000_000_000)));
        let store = Store::open(folder.path(), Arc::clone(&clock)).unwrap().0;
        let put = |token: u8, pin: &'static str, store: &Store| {
            let work = move |tx: &super::super::Tx<'_>| {
                hub_state::put(tx, hub_state::MANAGER, [token; 32])?;
                hub_state::put(tx, hub_state::MANAGER_PIN, pin)?;
                hub_state::put(tx, hub_state::POSTER, i64::from(token))
            };
            store.write_blocking(work).unwrap();
        };
        put(1, "before", &store);
        let backup = folder.path().join("backup.db");
        store.backup_to(&backup).unwrap();
        put(2, "after", &store);
        store.close();
        drop(store);
        restore(&backup, folder.path(), &clock).unwrap();
        let conn = connection::reader(&folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(hub_state::get(&conn, hub_state::MANAGER).unwrap(), Some([2_u8; 32]));
        assert_eq!(hub_state::get(&conn, hub_state::MANAGER_PIN).unwrap(), Some("after".to_owned()));
        assert_eq!(hub_state::get(&conn, hub_state::POSTER).unwrap(), Some(1), "all else is the backup's");
    }
}
