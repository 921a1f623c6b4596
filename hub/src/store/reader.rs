//! The readers: a few threads, each with a connection that cannot write and a deadline for every question.
//!
//! The deadline is what keeps the WAL small: a snapshot that is held for long stops every checkpoint.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roomtone_schema::Clock;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection;
use super::error::{OpenError, StoreError};
use super::gate::Gate;
use super::threads::Threads;

/// How many questions are answered at a time; more would only wait for the same disk.
const READERS: usize = 3;

/// How many questions may wait. Past this the hub is overloaded and says so.
const WAITING: usize = 256;

/// How long a question may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many steps of SQLite's machine pass between two looks at the clock (well below a millisecond).
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

type Job = Box<dyn FnOnce(&Desk) + Send>;

enum Message {
    Ask(Job),
    Close,
}

/// The readers' handle.
pub(super) struct Readers {
    questions: SyncSender<Message>,
    threads: Threads,
}

/// Where one reader sits.
struct Desk {
    conn: Connection,
    clock: Arc<dyn Clock>,
    deadline: Arc<AtomicI64>,
    gate: Arc<Gate>,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(path: &Path, clock: &Arc<dyn Clock>, gate: &Arc<Gate>) -> Result<Self, OpenError> {
        let (questions, queue) = sync_channel(WAITING);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..READERS)
            .map(|number| {
                let desk = Desk::new(path, Arc::clone(clock), Arc::clone(gate))?;
                let queue = Arc::clone(&queue);
                let name = format!("store-reader-{number}");
                Ok(std::thread::Builder::new().name(name).spawn(move || desk.work(&queue))?)
            })
            .collect::<Result<_, OpenError>>()?;
        Ok(Self { questions, threads: Threads::new(threads) })
    }

    /// Puts a question to whichever reader is free first.
    pub(super) fn submit<T, F>(
        &self,
        work: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Result<(), StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let job: Job = Box::new(move |desk| {
            // Nobody waits for the answer any more: then there is no question.
            if !reply.is_closed() {
                let _nobody_waits = reply.send(desk.answer(work));
            }
        });
        self.questions.try_send(Message::Ask(job)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Answers what is queued, then ends the threads. A second call does nothing.
    pub(super) fn close(&self) {
        self.threads.end(|| {
            let _ended_already = self.questions.send(Message::Close);
        });
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl Desk {
    fn new(path: &Path, clock: Arc<dyn Clock>, gate: Arc<Gate>) -> rusqlite::Result<Self> {
        let conn = connection::reader(path)?;
        let deadline = Arc::new(AtomicI64::new(i64::MAX));
        let (watched, watch, door) = (Arc::clone(&deadline), Arc::clone(&clock), Arc::clone(&gate));
        let is_over = move || door.is_hurried() || watch.monotonic_ms() > watched.load(Ordering::Relaxed);
        conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over))?;
        Ok(Self { conn, clock, deadline, gate })
    }

    fn work(&self, queue: &Mutex<Receiver<Message>>) {
        loop {
            // The guard is gone before the question is answered, so that the next reader can take the next one.
            let message = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match message {
                Ok(Message::Ask(job)) => job(self),
                Ok(Message::Close) | Err(_) => return,
            }
        }
    }

    fn answer<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T>,
    {
        self.gate.pass();
        let until = self.clock.monotonic_ms().saturating_add(DEADLINE.as_millis() as i64);
        self.deadline.store(until, Ordering::Relaxed);
        let answer = catch_unwind(AssertUnwindSafe(|| {
            // One snapshot for all statements of a question; dropping it ends it.
            let snapshot = self.conn.unchecked_transaction()?;
            work(&snapshot)
        }));
        self.deadline.store(i64::MAX, Ordering::Relaxed);
        answer.map_err(|_panic| StoreError::Panicked)?.map_err(StoreError::from)
    }
}
