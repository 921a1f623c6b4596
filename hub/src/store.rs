//! The hub's memory: one SQLite file, one writer, a few readers. The only place that holds SQL.
//!
//! An answer that says "recorded" is sent after [`Store::write`] has returned: by then the transaction is on the
//! disk (`synchronous = full`), together with the rows of others that came in the same moment (group commit). What
//! is absent on purpose: a lock that a request holds while the disk works, a queue without a bound, and a second
//! connection that writes.

pub mod aliases;
mod backup;
mod ballast;
pub mod ballots;
mod connection;
mod damage;
pub mod dead_letters;
pub mod devices;
pub mod down_rows;
mod error;
mod gate;
pub mod guests;
pub mod hub_state;
pub mod idempotency;
pub mod limits;
pub mod link;
mod lock;
pub mod media_checks;
pub mod media_sync;
mod migrate;
pub mod occasions;
mod opening;
pub mod outbox;
pub mod picks;
pub mod players;
pub mod plays;
pub mod preferences;
mod reader;
mod retention;
mod row;
mod salvage;
pub mod sessions;
pub mod sign_ins;
pub mod skip_votes;
pub mod songs;
mod soundness;
mod stats;
pub mod tally;
pub mod tastes;
mod threads;
mod tx;
pub mod vec;
pub mod votes;
mod writer;
pub mod zone_plays;
pub mod zones;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use roomtone_schema::{BootId, Clock};
use rusqlite::Connection;
use rusqlite::auto_extension::{RawAutoExtension, register_auto_extension};
use tokio::sync::{Notify, oneshot};

#[cfg(test)]
pub(crate) use error::disk_full;
pub use error::{OpenError, StoreError};
pub use lock::make_folder;
pub use opening::{Opened, Restored};
pub use outbox::{Fact, FactKind};
pub use retention::{Purged, Retention};
pub use soundness::Soundness;
pub use stats::{COMMIT_BOUNDS_MS, Health, StoreStats};
pub use tx::{Stamp, Tx};

/// The name of the database within the data folder.
pub const FILE_NAME: &str = "hub.db";

/// A backup that was handed in to take the place of the database, within the data folder.
pub const HANDED_IN: &str = "handed-in.db";

/// What work on the store answers with: only this folder names the database's own types.
pub type TxResult<T> = rusqlite::Result<T>;

/// What a question to the store is asked of.
pub type Snapshot = Connection;

/// The store's handle; clones share everything.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: writer::Writer,
    readers: reader::Readers,
    stats: Arc<stats::Counters>,
    clock: Arc<dyn Clock>,
    gate: Arc<gate::Gate>,
    boot: BootId,
}

impl Store {
    /// Opens the database in `dir`, or makes it; tells what was found.
    ///
    /// Takes the folder for this process, refuses files of others and of newer programs, checks the file after an
    /// unclean stop, and mends what can be mended: see [`Opened`].
    ///
    /// # Errors
    /// [`OpenError`], worded for whoever started the hub.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<(Self, Opened), OpenError> {
        Self::open_with(dir, clock, writer::BATCH)
    }

    /// As [`Store::open`], with at most `batch` writes in a commit. One shows what group commit is worth.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(dir: &Path, clock: Arc<dyn Clock>, batch: usize) -> Result<(Self, Opened), OpenError> {
        register_vec();
        let (parts, opened) = opening::open(dir, &clock)?;
        let stats = Arc::new(stats::Counters::new(parts.last_seq, parts.acknowledged));
        let boot = parts.boot;
        let path = dir.join(FILE_NAME);
        let gate = Arc::default();
        let readers = reader::Readers::start(&path, &clock, &gate)?;
        let writer = writer::Writer::start(parts, &path, &clock, &stats, &gate, batch)?;
        Ok((Self { inner: Arc::new(Inner { path, writer, readers, stats, clock, gate, boot }) }, opened))
    }

    /// Runs `work` in a transaction on the single writer; returns once it is on the disk.
    ///
    /// `work` may run more than once: where another piece of work in the same batch fails, the batch is undone and
    /// each is run again by itself. So it captures values and changes nothing but the database.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of `work` was kept.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.inner.writer.submit(work, reply)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Store::write`], for threads outside the async runtime.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of `work` was kept.
    pub fn write_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.inner.writer.submit(work, reply)?;
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Runs `work` on one snapshot of the database, on one of the readers, within their deadline.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] past the deadline, [`StoreError::Busy`] where too many wait.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.inner.readers.submit(work, reply)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Store::read`], for threads outside the async runtime.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_blocking<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.inner.readers.submit(work, reply)?;
        answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Now, as facts that are written now are stamped.
    pub fn stamp(&self) -> Stamp {
        let clock = &self.inner.clock;
        Stamp { boot: self.inner.boot, mono_ms: clock.monotonic_ms(), wall_ms: clock.wall().0 }
    }

    /// What is told when facts were written: one waits for it at a time.
    pub fn new_facts(&self) -> Arc<Notify> {
        self.inner.stats.facts()
    }

    /// How the store is doing.
    pub fn stats(&self) -> StoreStats {
        self.inner.stats.snapshot(&self.inner.path)
    }

    /// Writes a complete copy of the database to `to`, checked and on the disk when this returns. Blocks; the copy
    /// is made beside the writer, which goes on.
    ///
    /// # Errors
    /// [`StoreError`]; then there is no copy.
    pub fn backup_to(&self, to: &Path) -> Result<(), StoreError> {
        backup::copy(&self.inner.path, to)
    }

    /// Makes the regular backup in the data folder and drops the ones that are too old. Blocks. `None` where the disk
    /// has too little room for one.
    ///
    /// # Errors
    /// [`StoreError`]; the older backups are still there.
    pub fn back_up(&self) -> Result<Option<PathBuf>, StoreError> {
        backup::rotate(&self.inner.path, self.inner.clock.wall())
    }

    /// Forgets what is older than `retention` allows, a little at a time. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]; what was forgotten before it stays forgotten.
    pub fn purge(
        &self,
        retention: &Retention,
        now: roomtone_schema::UnixMillis,
    ) -> Result<Purged, StoreError> {
        retention::purge(self, retention, now)
    }

    /// Reads the whole database and compares its indexes with its tables. Blocks for seconds. An index that fails is made
    /// anew; votes wait for that.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::TooSlow`] where it gave way to votes.
    pub fn look_closely(&self) -> Result<Soundness, StoreError> {
        let look = || soundness::look(&self.inner.path, &self.inner.gate);
        let Some(found) = look()? else { return Ok(Soundness::Sound) };
        self.write_blocking(|tx| tx.execute_batch("reindex"))?;
        Ok(look()?.map_or(Soundness::Mended(found), Soundness::Damaged))
    }

    /// Ends all work in order: what is queued is still written, then the file is left clean. Blocks.
    pub fn close(&self) {
        self.inner.readers.close();
        self.inner.writer.close();
    }
}

/// Asks the database in `dir` something while another process may be writing to it. Blocks, and has no deadline: while
/// it takes, that process's log of changes is not cut.
///
/// # Errors
/// [`OpenError`] where there is none, or one of another version than this program's.
pub fn look<T>(dir: &Path, work: impl FnOnce(&Snapshot) -> TxResult<T>) -> Result<T, OpenError> {
    register_vec();
    opening::only_look(&dir.join(FILE_NAME), work)
}

/// Puts a backup in the place of the database in `dir`; what stood there is kept beside it. The hub must not run.
///
/// # Errors
/// [`OpenError`] where the folder is in use or the backup is not sound.
pub fn restore(backup: &Path, dir: &Path, clock: &Arc<dyn Clock>) -> Result<Restored, OpenError> {
    register_vec();
    damage::restore(backup, dir, clock)
}

/// Whether a file is a sound backup that this program can read. Blocks.
pub fn is_backup(file: &Path) -> bool {
    register_vec();
    backup::is_sound(file)
}

/// Makes every connection of this process know vec0.
#[expect(
    unsafe_code,
    reason = "SQLite takes extensions as C functions; there is no safe door for one linked in"
)]
fn register_vec() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: sqlite3_vec_init is SQLite's extension entry point (db, error message, api) -> int, which is what
        // RawAutoExtension describes; the crate declares it without its parameters.
        let registered = unsafe {
            let entry =
                std::mem::transmute::<*const (), RawAutoExtension>(sqlite_vec::sqlite3_vec_init as *const ());
            register_auto_extension(entry)
        };
        if let Err(error) = registered {
            // Opening fails next, at the table that needs it, with SQLite's own words.
            tracing::error!("could not register the vector index: {error}");
        }
    });
}

#[cfg(test)]
mod tests;
