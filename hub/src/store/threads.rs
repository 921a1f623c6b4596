//! Threads that end when they are told to, each of them once.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// The threads that work on one queue.
#[derive(Debug)]
pub(super) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    /// Takes over what was started.
    pub(super) fn new(started: Vec<JoinHandle<()>>) -> Self {
        Self(Mutex::new(started))
    }

    /// Tells each thread to end by `tell`, then waits until all have. A second call does nothing.
    pub(super) fn end(&self, tell: impl Fn()) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            tell();
        }
        for thread in threads {
            // One that panicked has ended, too.
            let _panicked = thread.join();
        }
    }
}
