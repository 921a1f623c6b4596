//! How the store is doing: counters that anybody may read at any time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;

/// The upper bounds of the commit histogram, in milliseconds.
pub const COMMIT_BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 250, 1000, 5000];

/// Whether the store takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Good,
    /// The disk is full; it will again as soon as there is room.
    DiskFull,
    /// The disk fails; it is tried every few seconds.
    ReadOnly,
    /// The database is damaged; the next start mends it.
    Damaged,
}

/// A moment of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreStats {
    /// Whether it takes writes.
    pub health: Health,
    /// Commits by duration: how many took at most `COMMIT_BOUNDS_MS[i]` and longer than the bound before; the last
    /// counts those above all bounds.
    pub commits_by_ms: [u64; COMMIT_BOUNDS_MS.len() + 1],
    /// Commits since the start.
    pub commits: u64,
    /// Milliseconds they took together.
    pub commit_ms_total: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Writes that were refused or failed.
    pub failed_writes: u64,
    /// Times the disk failed.
    pub disk_failures: u64,
    /// Facts that the cloud has not acknowledged.
    pub outbox_pending: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Counters {
    health: AtomicU8,
    buckets: [AtomicU64; COMMIT_BOUNDS_MS.len() + 1],
    commit_ms: AtomicU64,
    writes: AtomicU64,
    failed_writes: AtomicU64,
    disk_failures: AtomicU64,
    last_seq: AtomicI64,
    acknowledged: AtomicI64,
    /// Told when facts were written.
    facts: Arc<Notify>,
}

impl Counters {
    pub(super) fn new(last_seq: i64, acknowledged: i64) -> Self {
        Self {
            health: AtomicU8::new(0),
            buckets: Default::default(),
            commit_ms: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            failed_writes: AtomicU64::new(0),
            disk_failures: AtomicU64::new(0),
            last_seq: AtomicI64::new(last_seq),
            acknowledged: AtomicI64::new(acknowledged),
            facts: Arc::default(),
        }
    }

    pub(super) fn committed(&self, writes: usize, ms: i64, last_seq: i64) {
        let ms = ms.max(0).cast_unsigned();
        let bucket = COMMIT_BOUNDS_MS.partition_point(|&bound| bound < ms);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.commit_ms.fetch_add(ms, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        if self.last_seq.swap(last_seq, Ordering::Relaxed) != last_seq {
            self.facts.notify_one();
        }
    }

    /// What is told when facts were written.
    pub(super) fn facts(&self) -> Arc<Notify> {
        Arc::clone(&self.facts)
    }

    pub(super) fn failed(&self, writes: usize) {
        self.failed_writes.fetch_add(writes as u64, Ordering::Relaxed);
    }

    pub(super) fn disk_failed(&self) {
        self.disk_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn acknowledged(&self, seq: i64) {
        self.acknowledged.store(seq, Ordering::Relaxed);
    }

    pub(super) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    pub(super) fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Good,
            1 => Health::DiskFull,
            2 => Health::ReadOnly,
            _ => Health::Damaged,
        }
    }

    pub(super) fn snapshot(&self, path: &Path) -> StoreStats {
        let commits_by_ms = std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed));
        let pending = self.last_seq.load(Ordering::Relaxed) - self.acknowledged.load(Ordering::Relaxed);
        StoreStats {
            health: self.health(),
            commits_by_ms,
            commits: commits_by_ms.iter().sum(),
            commit_ms_total: self.commit_ms.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            failed_writes: self.failed_writes.load(Ordering::Relaxed),
            disk_failures: self.disk_failures.load(Ordering::Relaxed),
            outbox_pending: pending.max(0).cast_unsigned(),
            database_bytes: size(path),
            wal_bytes: size(&wal_of(path)),
        }
    }
}

/// The write-ahead log that belongs to a database.
pub(super) fn wal_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The file beside the database whose name is the database's and `ending`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The size of a file; none where there is no file.
pub(super) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
