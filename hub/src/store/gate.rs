//! Keeps new questions waiting while the writer cuts the log down.
//!
//! SQLite starts its log anew only at a moment when nobody reads from it. Where somebody always does, that moment never
//! comes by itself, and the log grows until the disk is full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longer than any question takes; whoever has waited for so long goes through.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    hurried: AtomicBool,
}

impl Gate {
    /// Waits until the gate is open.
    pub(super) fn pass(&self) {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.opened.wait_timeout_while(closed, PATIENCE, |closed| *closed);
        drop(waited);
    }

    /// Closes or opens the gate.
    pub(super) fn set_closed(&self, closed: bool) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        if !closed {
            self.hurried.store(false, Ordering::Relaxed);
            self.opened.notify_all();
        }
    }

    /// Ends the questions that are being answered, as their deadline would: the log cannot wait for it.
    pub(super) fn hurry(&self) {
        self.hurried.store(true, Ordering::Relaxed);
    }

    /// Whether questions that are being answered must end now.
    pub(super) fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed)
    }
}
