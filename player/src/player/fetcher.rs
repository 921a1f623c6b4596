//! Every file of the plan on the disk, the most urgent first, long before it is needed.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::song::Sha256;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conductor::News;
use crate::files::{FetchError, Files};
use crate::hub_client::HubClient;
use crate::pick::Pick;

/// Files on their way at once: one large song does not hold up all others, and a weak network is not torn apart.
const AT_ONCE: usize = 2;

/// After a file could not be had, before the list is gone through again.
const PAUSE: Duration = Duration::from_secs(3);

/// What it needs.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    pub(super) files: Arc<Files>,
    pub(super) wanted: watch::Receiver<Vec<Pick>>,
    pub(super) client: watch::Receiver<Option<HubClient>>,
    pub(super) news: mpsc::Sender<News>,
}

impl Fetcher {
    /// Fetches until told to stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(self.endless()).await;
        Ok(())
    }

    async fn endless(&mut self) {
        let mut under_way: JoinSet<(Sha256, Result<(), FetchError>)> = JoinSet::new();
        let mut fetching: Vec<Sha256> = Vec::new();
        let mut refused: Vec<Sha256> = Vec::new();
        // When those that could not be had are tried again, whatever else goes on meanwhile.
        let mut again = Instant::now();
        loop {
            self.start(&mut under_way, &mut fetching, &refused);
            tokio::select! {
                Some(done) = under_way.join_next() => {
                    let Ok((sha256, outcome)) = done else { continue };
                    fetching.retain(|other| *other != sha256);
                    match outcome {
                        Ok(()) => drop(self.news.send(News::Arrived).await),
                        Err(error) => {
                            tracing::debug!("a file could not be had: {error}");
                            if refused.is_empty() {
                                again = Instant::now() + PAUSE;
                            }
                            refused.push(sha256);
                        }
                    }
                }
                () = tokio::time::sleep_until(again), if !refused.is_empty() => refused.clear(),
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.forget_beginnings(&fetching);
                }
                changed = self.client.changed() => {
                    if changed.is_err() { return }
                    refused.clear();
                }
            }
        }
    }

    /// Beginnings of songs that nobody wants any more are no use to anybody.
    fn forget_beginnings(&self, fetching: &[Sha256]) {
        let mut wanted: Vec<Sha256> = self.wanted.borrow().iter().map(|pick| pick.sha256).collect();
        wanted.extend(fetching);
        if let Err(error) = self.files.forget_arriving_besides(&wanted) {
            tracing::debug!("beginnings of old songs could not be removed: {error}");
        }
    }

    fn start(
        &mut self,
        under_way: &mut JoinSet<(Sha256, Result<(), FetchError>)>,
        fetching: &mut Vec<Sha256>,
        refused: &[Sha256],
    ) {
        let Some(client) = self.client.borrow_and_update().clone() else { return };
        let wanted = self.wanted.borrow_and_update().clone();
        let missing = wanted.into_iter().filter(|pick| {
            !self.files.has(&pick.sha256)
                && !fetching.contains(&pick.sha256)
                && !refused.contains(&pick.sha256)
        });
        let next: Vec<Pick> = missing.take(AT_ONCE.saturating_sub(under_way.len())).collect();
        for pick in next {
            // The same song may stand in the plan twice.
            if fetching.contains(&pick.sha256) {
                continue;
            }
            fetching.push(pick.sha256);
            let (files, client) = (Arc::clone(&self.files), client.clone());
            under_way.spawn(async move {
                let outcome = files.fetch(&client, &pick).await.map(drop);
                (pick.sha256, outcome)
            });
        }
    }
}
