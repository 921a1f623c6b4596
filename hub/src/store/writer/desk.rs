//! What the writer's thread holds, and what it does when the disk fails it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::vote::Hlc;
use roomtone_schema::{BootId, Clock};
use rusqlite::{Connection, TransactionBehavior};

use super::answers::Answers;
use super::{Fault, Job};
use crate::store::ballast::Ballast;
use crate::store::connection;
use crate::store::damage::{BETWEEN_LOOKS, LOOKS};
use crate::store::error::{StoreError, Trouble, trouble};
use crate::store::gate::Gate;
use crate::store::lock::Lock;
use crate::store::opening::Parts;
use crate::store::stats::{Counters, Health, size, wal_of};
use crate::store::tx::{Known, Stamp, Tx};
use crate::store::{hub_state, outbox};

/// So many failures of the disk within [`FAILURE_WINDOW`] make the store read-only.
const FAILURES: usize = 3;

/// See [`FAILURES`].
const FAILURE_WINDOW: Duration = Duration::from_mins(1);

/// How often a read-only store tries the disk again.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// So many pages wait in the log before they are written down in a quiet second. Fewer would wear the flash for
/// nothing: the log is as durable as the database.
const PAGES_WORTH_A_CHECKPOINT: i64 = 1000;

/// A log longer than this is cut at the next chance; checkpoints of themselves keep it at two thirds of that.
const LOG_IS_LONG: u64 = 12 << 20;

/// A log longer than this is cut now: whoever still reads is ended before their deadline. On a fast disk the deadline
/// alone would let it grow by all that is written in two seconds.
const LOG_IS_TOO_LONG: u64 = 18 << 20;

/// How long a checkpoint waits for readers: hardly, for a vote waits behind it, and it is tried again after the next.
const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(5);

pub(super) struct Desk {
    conn: Connection,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    boot: BootId,
    hlc: Cell<Hlc>,
    last_seq: Cell<i64>,
    known: Known,
    stats: Arc<Counters>,
    gate: Arc<Gate>,
    gate_closed: bool,
    answers: Answers,
    ballast: Ballast,
    failures: VecDeque<i64>,
    probed_at: i64,
    unwritten: bool,
    _lock: Lock,
}

impl Desk {
    pub(super) fn new(
        parts: Parts,
        path: PathBuf,
        clock: Arc<dyn Clock>,
        stats: Arc<Counters>,
        gate: Arc<Gate>,
        answers: Answers,
    ) -> Self {
        let ballast = Ballast::of(&path);
        ballast.lay();
        Self {
            conn: parts.conn,
            path,
            clock,
            boot: parts.boot,
            hlc: Cell::new(parts.hlc),
            last_seq: Cell::new(parts.last_seq),
            known: Known::default(),
            stats,
            gate,
            gate_closed: false,
            answers,
            ballast,
            failures: VecDeque::new(),
            probed_at: i64::MIN,
            unwritten: true,
            _lock: parts.lock,
        }
    }

    /// Writes a batch and answers everybody in it.
    pub(super) fn write(&mut self, mut batch: Vec<Box<dyn Job>>) {
        match self.stats.health() {
            Health::Damaged => return self.refuse(batch, &StoreError::Damaged),
            Health::ReadOnly if !self.try_again() => return self.refuse(batch, &StoreError::ReadOnly),
            _ => {}
        }
        match self.commit(&mut batch) {
            Ok(()) => self.answers.tell(batch),
            Err(fault) => self.recover(batch, fault),
        }
    }

    /// The work of a quiet second: the log into the database, the ballast back in its place, a failed disk tried.
    pub(super) fn look_after(&mut self) {
        if self.stats.health() == Health::ReadOnly {
            self.try_again();
        }
        if self.gate_closed {
            self.cut_log_down();
        }
        if std::mem::take(&mut self.unwritten) {
            self.write_log_down();
            self.ballast.lay();
        }
        if self.stats.health() == Health::DiskFull && self.probe().is_ok() {
            self.stats.set_health(Health::Good);
        }
    }

    /// Leaves the file as one that needs no look at the next start.
    pub(super) fn leave_clean(self) {
        if self.stats.health() == Health::Damaged {
            return;
        }
        let left = hub_state::put(&self.conn, hub_state::CLEAN, 1)
            .and_then(|()| self.checkpoint("truncate").map(drop));
        if let Err(error) = left {
            tracing::warn!("could not leave the database clean; it is checked at the next start: {error}");
        }
    }

    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        let began = self.clock.monotonic_ms();
        let before = self.last_seq.get();
        let stamp = Stamp { boot: self.boot, mono_ms: began, wall_ms: self.clock.wall().0 };
        let result = run(&mut self.conn, stamp, (&self.hlc, &self.last_seq, &self.known), batch);
        if let Ok(acknowledged) = &result {
            let took = self.clock.monotonic_ms() - began;
            self.stats.committed(batch.len(), took, self.last_seq.get());
            self.stats.acknowledged(*acknowledged);
            self.succeeded();
        } else {
            self.last_seq.set(before);
            self.known.forget();
        }
        result.map(|_| ())
    }

    fn succeeded(&mut self) {
        self.unwritten = true;
        if self.stats.health() == Health::DiskFull {
            tracing::info!("there is room on the disk again: votes are recorded");
            self.stats.set_health(Health::Good);
        }
        self.cut_log_down();
    }

    /// Cuts a log that has grown too long. Readers hold it up: no new ones are let in until those that are there have
    /// ended, which their deadline sees to, or [`LOG_IS_TOO_LONG`]. Votes go on meanwhile.
    fn cut_log_down(&mut self) {
        let length = size(&wal_of(&self.path));
        if !self.gate_closed && length <= LOG_IS_LONG {
            return;
        }
        if self.gate_closed && LOG_IS_TOO_LONG < length {
            self.gate.hurry();
        }
        let cut = matches!(self.checkpoint("truncate"), Ok(Checkpoint { held_up: false, .. }));
        if self.gate_closed == cut {
            self.gate_closed = !cut;
            self.gate.set_closed(!cut);
        }
    }

    /// After a batch failed: the least that mends it, and an answer for everybody.
    fn recover(&mut self, mut batch: Vec<Box<dyn Job>>, fault: Fault) {
        let kind = match &fault {
            Fault::Sqlite(error) => trouble(error),
            Fault::Panicked => Trouble::Own,
        };
        match kind {
            Trouble::Own | Trouble::Deadline if batch.len() > 1 => self.one_by_one(batch),
            Trouble::Own | Trouble::Deadline => self.refuse(batch, &fault.into()),
            Trouble::DiskFull if self.ballast.release() => self.one_by_one(batch),
            Trouble::DiskFull => {
                self.stats.set_health(Health::DiskFull);
                self.refuse(batch, &StoreError::DiskFull);
            }
            Trouble::Disk => {
                self.disk_failed(&fault);
                self.refuse(batch, &fault.into());
            }
            Trouble::Damage if self.is_damaged() => {
                tracing::error!("the database is damaged; restart the hub to mend it");
                self.stats.set_health(Health::Damaged);
                self.refuse(batch, &StoreError::Damaged);
            }
            // It only looked damaged: a passing read error. Once more, then it is the disk's failure.
            Trouble::Damage => match self.commit(&mut batch) {
                Ok(()) => self.answers.tell(batch),
                Err(fault) => {
                    self.disk_failed(&fault);
                    self.refuse(batch, &StoreError::ReadOnly);
                }
            },
        }
    }

    fn one_by_one(&mut self, batch: Vec<Box<dyn Job>>) {
        for job in batch {
            self.write(vec![job]);
        }
    }

    fn refuse(&self, batch: Vec<Box<dyn Job>>, why: &StoreError) {
        self.stats.failed(batch.len());
        for job in batch {
            job.finish(Err(why.clone()));
        }
    }

    /// After fsync has failed, what the kernel holds of the file is not what the disk holds: open it anew, and write
    /// the log down before anything is added to it.
    fn disk_failed(&mut self, fault: &Fault) {
        self.stats.disk_failed();
        tracing::warn!("the disk failed a write, which was refused: {fault:?}");
        let now = self.clock.monotonic_ms();
        let window = FAILURE_WINDOW.as_millis() as i64;
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|&at| now - at > window) {
            self.failures.pop_front();
        }
        if self.reopen().is_err() || self.failures.len() >= FAILURES {
            self.probed_at = now;
            if self.stats.health() != Health::ReadOnly {
                tracing::error!(
                    "the disk keeps failing: nothing is recorded until it answers. The music goes on"
                );
            }
            self.stats.set_health(Health::ReadOnly);
        }
    }

    /// Tries a failing disk, not too often. True where it takes writes again.
    fn try_again(&mut self) -> bool {
        let now = self.clock.monotonic_ms();
        if now.saturating_sub(self.probed_at) < PROBE_EVERY.as_millis() as i64 {
            return false;
        }
        self.probed_at = now;
        let answers = self.reopen().is_ok() && self.probe().is_ok();
        if answers {
            tracing::info!("the disk answers again: votes are recorded");
            self.failures.clear();
            self.stats.set_health(Health::Good);
        }
        answers
    }

    fn probe(&self) -> rusqlite::Result<()> {
        hub_state::put(&self.conn, hub_state::PROBE, self.clock.monotonic_ms())
    }

    fn reopen(&mut self) -> rusqlite::Result<()> {
        let anew = connection::writer(&self.path)?;
        self.conn = anew;
        self.checkpoint("truncate").map(drop)
    }

    /// Looks several times, a moment apart, each time through a new connection: a passing read error must not cost
    /// anybody their database.
    fn is_damaged(&mut self) -> bool {
        for _ in 1..LOOKS {
            if self.looks_sound() {
                return false;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        !self.looks_sound()
    }

    fn looks_sound(&mut self) -> bool {
        self.reopen().is_ok() && matches!(connection::quick_check(&self.conn), Ok(None))
    }

    fn write_log_down(&self) {
        if self.checkpoint("noop").is_ok_and(|log| log.waiting >= PAGES_WORTH_A_CHECKPOINT) {
            let _held_up = self.checkpoint("passive");
        }
    }

    fn checkpoint(&self, mode: &str) -> rusqlite::Result<Checkpoint> {
        self.conn.busy_timeout(CHECKPOINT_PATIENCE)?;
        let done = self.conn.query_row(&format!("pragma wal_checkpoint({mode})"), [], |row| {
            let waiting = row.get::<_, i64>(1)? - row.get::<_, i64>(2)?;
            Ok(Checkpoint { held_up: row.get(0)?, waiting })
        });
        self.conn.busy_timeout(connection::BUSY_TIMEOUT)?;
        done
    }
}

/// What a checkpoint came to.
struct Checkpoint {
    /// Somebody reads what was to be cut off.
    held_up: bool,
    /// Pages of the log that are not in the database yet.
    waiting: i64,
}

/// Runs a batch in one transaction; gives the number up to which the cloud has everything.
fn run(
    conn: &mut Connection,
    stamp: Stamp,
    counters: (&Cell<Hlc>, &Cell<i64>, &Known),
    batch: &mut [Box<dyn Job>],
) -> Result<i64, Fault> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tx = Tx::new(&transaction, stamp, counters);
    for job in batch {
        job.attempt(&tx)?;
    }
    let acknowledged = outbox::acknowledged(&tx)?;
    drop(tx);
    transaction.commit()?;
    Ok(acknowledged)
}
