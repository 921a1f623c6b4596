//! A file that only takes up room, to be given back when the disk is full.
//!
//! On a full disk SQLite cannot even delete: that, too, needs room in the log. Dropping this file makes the room.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// How much is held back: enough for the log to be written down and for days of votes.
const BYTES: u64 = 16 << 20;

/// The ballast is laid only where this much stays free beside it, so that it never fills the disk itself.
const ROOM: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub(super) fn of(database: &Path) -> Self {
        Self { path: database.with_file_name("hub.ballast") }
    }

    /// Lays the ballast where there is none and room enough.
    pub(super) fn lay(&self) {
        if self.path.exists() || free_bytes(&self.path) < BYTES + ROOM {
            return;
        }
        if let Err(error) = self.try_lay() {
            tracing::debug!("could not lay the ballast file: {error}");
            let _half_made = std::fs::remove_file(&self.path);
        }
    }

    /// Gives the room back. False where it was given before.
    pub(super) fn release(&self) -> bool {
        let released = std::fs::remove_file(&self.path).is_ok();
        if released {
            tracing::warn!("the disk is full: gave back the hub's last reserve of {} MiB", BYTES >> 20);
        }
        released
    }

    fn try_lay(&self) -> std::io::Result<()> {
        let file = File::create(&self.path)?;
        fallocate(&file, FallocateFlags::empty(), 0, BYTES)?;
        file.sync_all()
    }
}

/// Bytes that are free on the disk of `path`; nothing where the system does not say.
pub(super) fn free_bytes(path: &Path) -> u64 {
    let dir = path.parent().unwrap_or(path);
    statvfs(dir).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
