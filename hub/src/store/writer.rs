//! The writer: one thread, one connection, and everybody's transactions in as few commits as they come in.
//!
//! It takes what is queued, up to [`BATCH`], and never waits for more. The batch is one transaction; where a piece of
//! work fails, the batch is undone and each piece is run again by itself, so that nobody pays for another's mistake.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use roomtone_schema::Clock;
use tokio::sync::oneshot;

use super::error::{OpenError, StoreError};
use super::gate::Gate;
use super::opening::Parts;
use super::stats::Counters;
use super::threads::Threads;
use super::tx::Tx;

mod answers;
mod desk;

use answers::Answers;
use desk::Desk;

/// How many writes may wait. Past this the hub is overloaded and says so instead of growing.
const WAITING: usize = 1024;

/// How many writes share a commit at most: all that can wait.
pub(super) const BATCH: usize = WAITING;

/// After this long without a write the writer looks after the file.
const IDLE: Duration = Duration::from_secs(1);

/// A piece of work that can be run again, and whoever waits for it.
pub(super) trait Job: Send {
    /// Runs the work; its value is kept until [`Job::finish`].
    fn attempt(&mut self, tx: &Tx<'_>) -> Result<(), Fault>;

    /// Answers whoever waits.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// Why a piece of work, or the batch it is in, came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Panicked,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sqlite(error) => error.into(),
            Fault::Panicked => Self::Panicked,
        }
    }
}

enum Message {
    Work(Box<dyn Job>),
    Close,
}

/// The writer's handle.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    thread: Threads,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        parts: Parts,
        path: &Path,
        clock: &Arc<dyn Clock>,
        stats: &Arc<Counters>,
        gate: &Arc<Gate>,
        batch: usize,
    ) -> Result<Self, OpenError> {
        let (queue, work) = sync_channel(WAITING);
        let desk = Desk::new(
            parts,
            path.to_owned(),
            Arc::clone(clock),
            Arc::clone(stats),
            Arc::clone(gate),
            Answers::start()?,
        );
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || serve(desk, &work, batch))?;
        Ok(Self { queue, thread: Threads::new(vec![thread]) })
    }

    /// Queues a piece of work; refuses it where too many wait.
    pub(super) fn submit<T, F>(
        &self,
        work: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Result<(), StoreError>
    where
        F: Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let job = Box::new(Pending { work, value: None, reply });
        self.queue.try_send(Message::Work(job)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Writes what is queued, leaves the file clean and ends the thread. A second call does nothing.
    pub(super) fn close(&self) {
        self.thread.end(|| {
            let _ended_already = self.queue.send(Message::Close);
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// The thread: batches until it is told to stop.
fn serve(mut desk: Desk, work: &Receiver<Message>, batch: usize) {
    loop {
        match work.recv_timeout(IDLE) {
            Ok(Message::Work(first)) => {
                let (jobs, stop) = collect(first, work, batch);
                desk.write(jobs);
                if stop {
                    break;
                }
            }
            Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => desk.look_after(),
        }
    }
    desk.leave_clean();
}

/// What is queued right now, and whether the end was among it.
fn collect(first: Box<dyn Job>, work: &Receiver<Message>, most: usize) -> (Vec<Box<dyn Job>>, bool) {
    let mut batch = vec![first];
    while batch.len() < most {
        match work.try_recv() {
            Ok(Message::Work(job)) => batch.push(job),
            Ok(Message::Close) => return (batch, true),
            Err(_) => break,
        }
    }
    (batch, false)
}

struct Pending<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    F: Fn(&Tx<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn attempt(&mut self, tx: &Tx<'_>) -> Result<(), Fault> {
        // The transaction is undone after a panic, so nothing half done is seen by anybody.
        let value = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)));
        self.value = Some(value.or(Err(Fault::Panicked))??);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let answer = outcome.and_then(|()| value.ok_or(StoreError::Closed));
        // A request that was given up does not need its answer; what it wrote stays written.
        let _given_up = reply.send(answer);
    }
}
