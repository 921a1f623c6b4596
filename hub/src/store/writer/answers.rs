//! Who tells many at once that their writes are on the disk.
//!
//! Each answer wakes somebody, and a thousand of them take the writer as long as writing a hundred votes. So large batches
//! are answered by a thread of their own, while the writer goes on with the next. Small ones are not worth the detour:
//! whoever votes alone is answered at once.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::Job;

/// From so many on a batch is answered by the thread.
const MANY: usize = 64;

/// How many batches may wait to be answered; past this the writer answers, which slows it down as it should.
const WAITING: usize = 2;

/// The thread, while it runs.
#[derive(Debug)]
pub(super) struct Answers(Option<Running>);

#[derive(Debug)]
struct Running {
    queue: SyncSender<Vec<Box<dyn Job>>>,
    thread: JoinHandle<()>,
}

impl Answers {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (queue, batches) = sync_channel(WAITING);
        let thread =
            std::thread::Builder::new().name("store-answers".into()).spawn(move || answer_all(&batches))?;
        Ok(Self(Some(Running { queue, thread })))
    }

    /// Tells everybody in the batch that their work is on the disk.
    pub(super) fn tell(&self, batch: Vec<Box<dyn Job>>) {
        let unanswered = match &self.0 {
            Some(running) if batch.len() >= MANY => running.queue.try_send(batch).err(),
            _ => Some(TrySendError::Full(batch)),
        };
        if let Some(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = unanswered {
            answer(batch);
        }
    }
}

impl Drop for Answers {
    /// Ends the thread once everybody has their answer.
    fn drop(&mut self) {
        if let Some(Running { queue, thread }) = self.0.take() {
            drop(queue);
            let _panicked = thread.join();
        }
    }
}

fn answer_all(batches: &Receiver<Vec<Box<dyn Job>>>) {
    for batch in batches {
        answer(batch);
    }
}

fn answer(batch: Vec<Box<dyn Job>>) {
    for job in batch {
        job.finish(Ok(()));
    }
}
