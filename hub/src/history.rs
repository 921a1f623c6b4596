//! What the music leaves in the store: picks, plays, players' signs of life. Music comes first.
//!
//! A vote that cannot be saved is refused, for somebody waits for the answer. A song that cannot be saved is played
//! all the same: its record waits here until the disk takes writes again, in the order in which things happened.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::hub::Inner;
use crate::locks::locked;
use crate::store::{StoreError, Tx, TxResult};

/// So many records wait at most: days of music. Beyond that the oldest is lost, and counted.
const WAITING_AT_MOST: usize = 5_000;

/// So many of them go into one transaction.
const WRITTEN_AT_ONCE: usize = 200;

type Record = Arc<dyn Fn(&Tx<'_>) -> TxResult<()> + Send + Sync>;

/// Records that the disk has not taken yet.
#[derive(Default)]
pub(crate) struct Backlog(Mutex<VecDeque<Record>>);

impl std::fmt::Debug for Backlog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backlog").field("waiting", &locked(&self.0).len()).finish()
    }
}

impl Inner {
    /// Saves what happened, now or as soon as the disk takes it.
    pub(crate) async fn record(&self, record: impl Fn(&Tx<'_>) -> TxResult<()> + Send + Sync + 'static) {
        let record: Record = Arc::new(record);
        // What waits already comes first.
        if locked(&self.backlog.0).is_empty() {
            let now = Arc::clone(&record);
            match self.store.write(move |tx| now(tx)).await {
                Ok(()) => return,
                Err(error) if may_pass(&error) => {
                    tracing::warn!("the history has to wait ({error}); the music goes on");
                }
                Err(error) => {
                    tracing::error!("a part of the history is lost ({error}); the music goes on");
                    self.counters.lost_records.up();
                    return;
                }
            }
        }
        let mut waiting = locked(&self.backlog.0);
        if waiting.len() == WAITING_AT_MOST {
            waiting.pop_front();
            self.counters.lost_records.up();
        }
        waiting.push_back(record);
    }

    /// Saves what waits, if the disk takes it now.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let next: Vec<Record> = locked(&self.backlog.0).iter().take(WRITTEN_AT_ONCE).cloned().collect();
            if next.is_empty() {
                return Ok(());
            }
            let n = next.len();
            match self.store.write(move |tx| next.iter().try_for_each(|record| record(tx))).await {
                Ok(()) => drop(locked(&self.backlog.0).drain(..n)),
                Err(error) if may_pass(&error) => return Err(error),
                Err(error) if n == 1 => {
                    tracing::error!("a part of the history is lost ({error})");
                    self.counters.lost_records.up();
                    locked(&self.backlog.0).pop_front();
                }
                Err(_) => self.catch_up_one_by_one(n).await?,
            }
        }
    }

    /// One of the next `n` cannot be written: finds it without losing the others.
    async fn catch_up_one_by_one(&self, n: usize) -> Result<(), StoreError> {
        for _ in 0..n {
            let Some(record) = locked(&self.backlog.0).front().cloned() else { break };
            match self.store.write(move |tx| record(tx)).await {
                Err(error) if may_pass(&error) => return Err(error),
                Err(error) => {
                    tracing::error!("a part of the history is lost ({error})");
                    self.counters.lost_records.up();
                }
                Ok(()) => {}
            }
            locked(&self.backlog.0).pop_front();
        }
        Ok(())
    }
}

/// Whether trying again later makes sense. A damaged database is mended at the next start, not in this life; but it
/// may be a disk that only seems so.
fn may_pass(error: &StoreError) -> bool {
    error.is_passing() || matches!(error, StoreError::Damaged)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::hub::tests::venue::Venue;
    use crate::store::{disk_full, hub_state};

    #[tokio::test]
    async fn what_a_full_disk_refuses_is_written_in_order_once_there_is_room() {
        let venue = Venue::empty().await;
        let is_full = Arc::new(AtomicBool::new(true));
        for n in 0..3_i64 {
            let is_full = Arc::clone(&is_full);
            let record = move |tx: &Tx<'_>| {
                if is_full.load(Ordering::SeqCst) { Err(disk_full()) } else { hub_state::put(tx, "n", n) }
            };
            venue.hub.0.record(record).await;
        }
        assert!(venue.hub.0.catch_up().await.is_err());
        is_full.store(false, Ordering::SeqCst);
        venue.pass(Duration::from_secs(1)).await;
        let n = venue.hub.store().read(|snapshot| hub_state::get::<i64>(snapshot, "n")).await.unwrap();
        assert_eq!(n, Some(2));
        assert_eq!(venue.hub.counters().lost_records.get(), 0);
    }

    #[tokio::test]
    async fn music_plays_on_though_nothing_can_be_written_any_more() {
        let venue = Venue::with_songs(20).await;
        let bar = venue.player("bar").await.player.id;
        venue.plays(bar, 1).await;
        let store = venue.hub.store().clone();
        tokio::task::spawn_blocking(move || store.close()).await.unwrap();
        let mut heard = std::collections::BTreeSet::new();
        for _ in 0..5 {
            heard.insert(venue.claim(bar).await.pick.song.id);
            venue.clock.advance(super::super::hub::tests::venue::SONG);
        }
        assert_eq!(heard.len(), 5);
    }
}
