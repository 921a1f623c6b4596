//! What a write is given: the transaction, and where it stands in time.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;

use roomtone_schema::vote::Hlc;
use roomtone_schema::{BootId, UnixMillis};
use rusqlite::{CachedStatement, Connection, Params, Row};

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
pub struct Tx<'a> {
    conn: &'a Connection,
    stamp: Stamp,
    hlc: &'a Cell<Hlc>,
    last_seq: &'a Cell<i64>,
    pub(super) known: &'a Known,
    /// Statements at hand, found by where their text lies.
    at_hand: RefCell<Vec<(&'static str, CachedStatement<'a>)>>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        stamp: Stamp,
        (hlc, last_seq, known): (&'a Cell<Hlc>, &'a Cell<i64>, &'a Known),
    ) -> Self {
        Self { conn, stamp, hlc, last_seq, known, at_hand: RefCell::default() }
    }

    /// Executes a statement that many of a batch need, and keeps it at hand until the batch is done.
    pub(super) fn execute_again(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<usize> {
        self.at_hand(sql, |statement| statement.execute(params))
    }

    /// As [`Tx::execute_again`], for a question that has exactly one row for an answer.
    pub(super) fn ask_again<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.at_hand(sql, |statement| statement.query_row(params, read))
    }

    fn at_hand<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut CachedStatement<'a>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let mut at_hand = self.at_hand.borrow_mut();
        let known = at_hand.iter().position(|(text, _)| std::ptr::eq(*text, sql));
        let index = if let Some(index) = known {
            index
        } else {
            at_hand.push((sql, self.conn.prepare_cached(sql)?));
            at_hand.len() - 1
        };
        run(&mut at_hand[index].1)
    }

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

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}
