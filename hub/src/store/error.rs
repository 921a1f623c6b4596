//! What can go wrong with the store, worded for whoever reads it.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why a write or a read was not done. A write that ends with one of these was not recorded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// More writes are waiting than the queue holds.
    #[error("the hub is too busy to record this right now; try again in a moment")]
    Busy,
    /// The store was closed.
    #[error("the hub is stopping")]
    Closed,
    /// The disk has failed several times within a minute; nothing is written until it answers again.
    #[error("the hub's disk does not take writes at the moment")]
    ReadOnly,
    /// No room left on the disk.
    #[error("the hub's disk is full")]
    DiskFull,
    /// The disk failed; the connection was opened anew.
    #[error("the hub's disk failed: {0}")]
    Io(Arc<rusqlite::Error>),
    /// The database is damaged; it is mended at the next start.
    #[error("the hub's database is damaged; restart the hub to mend it")]
    Damaged,
    /// A read took longer than its deadline.
    #[error("the question took too long to answer")]
    TooSlow,
    /// The work panicked. Its own changes were undone, those of others were not touched.
    #[error("the work failed unexpectedly")]
    Panicked,
    /// Anything else that SQLite refuses.
    #[error("the store refused: {0}")]
    Sqlite(Arc<rusqlite::Error>),
}

impl StoreError {
    /// Whether the same request may work a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::ReadOnly | Self::DiskFull | Self::Io(_) | Self::TooSlow)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match trouble(&error) {
            Trouble::DiskFull => Self::DiskFull,
            Trouble::Disk => Self::Io(Arc::new(error)),
            Trouble::Damage => Self::Damaged,
            Trouble::Deadline => Self::TooSlow,
            Trouble::Own => Self::Sqlite(Arc::new(error)),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be written to.
    #[error("cannot write to {}: {why}. Choose another folder with --data, or give this user the right to write there", .path.display())]
    NotWritable {
        /// Which folder.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another hub{}. Stop that one first, or choose another folder with --data", .path.display(), .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// Which folder.
        path: PathBuf,
        /// Whose it is, where it says so.
        pid: Option<u32>,
    },
    /// There is no database to look at.
    #[error("no hub has kept anything at {}; choose its folder with --data", .path.display())]
    Nothing {
        /// Where it would lie.
        path: PathBuf,
    },
    /// Written by an older program, and only looked at.
    #[error(
        "the database has version {found}, this program wants {known}: start this program's `serve` on it once, it brings it up to date"
    )]
    Older {
        /// Its version.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// Written by a newer program.
    #[error(
        "the database has version {found}, this program knows versions up to {known}: install the newer roomtone-hub"
    )]
    Newer {
        /// What stands there.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// A database of something else.
    #[error("{} is not a database of Roomtone; move it away, or choose another folder with --data", .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// Damaged, and it could not be put aside.
    #[error("the database is damaged and could not be moved to {}: {why}", .kept_at.display())]
    Damaged {
        /// Where it was to be kept.
        kept_at: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The system refuses.
    #[error("cannot open the hub's data: {0}")]
    Io(#[from] std::io::Error),
    /// SQLite refuses.
    #[error("cannot open the hub's database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// What SQLite says of a disk without room, for tests that need one.
#[cfg(test)]
pub(crate) fn disk_full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// What an error of SQLite means for everybody else who uses the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No room.
    DiskFull,
    /// The disk failed, or something between us and it.
    Disk,
    /// The file is, or looks, damaged.
    Damage,
    /// A deadline passed.
    Deadline,
    /// The statement's own fault; nobody else is touched.
    Own,
}

/// Sorts an error of SQLite.
pub(crate) fn trouble(error: &rusqlite::Error) -> Trouble {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Trouble::DiskFull,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed,
        ) => Trouble::Disk,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damage,
        Some(ErrorCode::OperationInterrupted) => Trouble::Deadline,
        _ => Trouble::Own,
    }
}
