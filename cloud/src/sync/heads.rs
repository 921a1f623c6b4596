//! Where the feeds end, in memory: those who only wait for news cost the database nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roomtone_sync::store::CloudStore;
use roomtone_sync::wire::Scope;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// It is looked again after this, whatever was heard.
pub const LOOK: Duration = Duration::from_secs(1);
/// Many changes in a moment are looked at once.
const GATHER: Duration = Duration::from_millis(20);
/// After a fault of the database it is looked again after this.
const LATER: Duration = Duration::from_secs(5);

/// What is not known yet.
pub(super) const UNKNOWN: i64 = -1;

/// The table. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    table: Arc<Mutex<HashMap<Scope, watch::Sender<i64>>>>,
    look: Arc<Notify>,
}

impl Heads {
    /// Something may have moved.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Where a scope ends, now and from now on; below zero where that is not known.
    pub(super) fn watch(&self, scope: Scope) -> watch::Receiver<i64> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.entry(scope).or_insert_with(|| watch::Sender::new(UNKNOWN)).subscribe()
    }

    /// Keeps the table until `stop`, with one question for all hubs together.
    ///
    /// # Errors
    /// None: a database that does not answer is asked again.
    pub async fn keep<S: CloudStore>(self, store: S, stop: CancellationToken) -> anyhow::Result<()> {
        let keeping = async {
            let mut since = 0;
            loop {
                let pause = match store.heads_since(since).await {
                    Ok((moved, next)) => {
                        since = next;
                        self.put(moved.into_iter().map(|head| (head.scope, head.seq)));
                        LOOK
                    }
                    Err(problem) => {
                        tracing::warn!(
                            why = problem.message,
                            "where the feeds end cannot be read; hubs look by themselves meanwhile"
                        );
                        LATER
                    }
                };
                let _early = tokio::time::timeout(pause, self.look.notified()).await;
                tokio::time::sleep(GATHER).await;
            }
        };
        stop.run_until_cancelled(keeping).await.unwrap_or(Ok(()))
    }

    fn put(&self, moved: impl IntoIterator<Item = (Scope, i64)>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        for (scope, seq) in moved {
            table.entry(scope).or_insert_with(|| watch::Sender::new(UNKNOWN)).send_if_modified(|head| {
                let moved = *head != seq;
                *head = seq;
                moved
            });
        }
    }
}
