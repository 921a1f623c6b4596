//! What a write is given: the transaction, and where it stands in time.

use std::cell::Cell;
use std::ops::Deref;

use roomtone_schema::vote::Hlc;
use roomtone_schema::{BootId, UnixMillis};
use rusqlite::Connection;

/// A moment as the machine saw it, for the cloud to repair wrong clocks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which run of the machine.
    pub boot: BootId,
    /// The monotonic clock within that run.
    pub mono_ms: i64,
    /// The wall clock, as wrong as it may be.
    pub wall_ms: i64,
}

/// What every fact needs of the store and only the writer changes: known here, it is not read again for each.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The epoch that facts belong to.
    pub(super) epoch: Cell<Option<i64>>,
    /// The digest that the next fact is chained to.
    pub(super) chain: Cell<Option<[u8; 32]>>,
}

impl Known {
    /// After a transaction was rolled back: what it taught is not so.
    pub(super) fn forget(&self) {
        self.epoch.set(None);
        self.chain.set(None);
    }
}

/// A transaction on the single writer. Dereferences to the connection.
#[derive(Debug)]
pub struct Tx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) stamp: Stamp,
    pub(super) hlc: &'a Cell<Hlc>,
    pub(super) last_seq: &'a Cell<i64>,
    pub(super) known: &'a Known,
}

impl Tx<'_> {
    /// Boot, monotonic and wall clock of the batch that this transaction belongs to.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The next reading of the hybrid clock, not before `now` (steady time) and after all that were given out.
    pub fn hlc(&self, now: UnixMillis) -> Hlc {
        let next = self.hlc.get().tick(now);
        self.hlc.set(next);
        next
    }

    /// Tells the store that a fact got this number.
    pub(super) fn note_seq(&self, seq: i64) {
        self.last_seq.set(seq);
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.conn
    }
}
