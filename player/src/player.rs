//! A player that runs: the sound, the conductor, the link to the hub and what fetches files, started in order and stopped
//! in the reverse of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use roomtone_schema::{Clock, SystemClock};
use roomtone_sync::supervisor::Supervisor;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::{Engine, EngineSettings};
use crate::files::{Files, Room};
use crate::hub_finder::Finder;
use crate::journal::Journal;
use crate::place::Place;
use crate::stamp::Stamps;
use conductor::{Conductor, Parts};
use fetcher::Fetcher;
use link::Link;
pub use view::{HubState, SongView, View, title_of};

mod conductor;
mod fetcher;
mod link;
mod plan;
mod view;

/// How long an orderly stop may take before what is left is cut off.
const GRACE: Duration = Duration::from_secs(3);

/// News that wait for the conductor, which waits for nobody: it is never far behind.
const NEWS_WAITING: usize = 64;

/// As disks are sold.
const MB: u64 = 1_000_000;

/// What a player is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The data folder.
    pub data: PathBuf,
    /// Its configuration.
    pub config: Config,
}

/// A player that runs.
#[derive(Debug)]
pub struct Player {
    /// What it is doing.
    pub shown: watch::Receiver<View>,
    /// What keeps it running; more may be added.
    pub supervisor: Supervisor,
    /// Cancelled where it cannot go on: then the program ends, and whoever supervises it starts it again at the same
    /// place.
    pub ended: CancellationToken,
}

impl Player {
    /// Starts the sound, takes up the place, and looks for the hub.
    ///
    /// # Errors
    /// Where the data folder cannot be used. A missing output or hub is no error: both are waited for.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        let data = setup.data.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let stamps = Stamps::of_this_machine(Arc::clone(&clock));
        let room = Room { most_bytes: setup.config.cache_mb * MB, reserve: setup.config.keep_free_mb * MB };
        let files = Arc::new(Files::open(&data, room).context("the folder of songs cannot be opened")?);
        let journal =
            Journal::open(&data.join("journal")).context("the journal of plays cannot be opened")?;
        let place = Place::load(&data);
        let volume = place.as_ref().map_or(1.0, |place| place.volume);
        let (engine, sounds) =
            Engine::start(EngineSettings { output: setup.config.output.clone(), volume }, clock)?;
        let (news, heard) = mpsc::channel(NEWS_WAITING);
        let (shown, watching) = watch::channel(View::beginning(setup.config.name()));
        let (wanted, wants) = watch::channel(Vec::new());
        let (client, clients) = watch::channel(None);
        let finder = Finder::new(None);
        let doubt = Arc::new(Notify::new());
        let parts = Parts {
            plan: plan::load(&data),
            name: setup.config.name(),
            data: data.clone(),
            stamps: stamps.clone(),
            engine,
            sounds,
            files: Arc::clone(&files),
            journal,
            place,
            news: heard,
            shown,
            wanted,
            doubt: Arc::clone(&doubt),
        };
        let (supervisor, ended) = (Supervisor::new(), CancellationToken::new());
        let player = Self { shown: watching, supervisor, ended };
        player.conduct(parts);
        let seeking = finder.clone();
        player.supervisor.keep_running("finder", move |stop| {
            let finder = seeking.clone();
            async move { finder.run(stop).await }
        });
        let hub = setup.config.hub.clone();
        let link =
            Link { data, hub, finder, news: news.clone(), client, doubt, stamps, told: Arc::default() };
        player.supervisor.keep_running("link", move |stop| link.clone().keep(stop));
        let fetcher = Fetcher { files, wanted: wants, client: clients, news };
        player.supervisor.keep_running("files", move |stop| fetcher.clone().keep(stop));
        Ok(player)
    }

    /// Stops the link first and the sound last. The place is kept.
    pub async fn stop(self) {
        self.supervisor.stop(GRACE).await;
    }

    /// The conductor holds the sound, so it runs once: where it dies, the program has to.
    fn conduct(&self, parts: Parts) {
        let mut conductor = Some(Conductor::new(parts));
        let ended = self.ended.clone();
        self.supervisor.keep_running("conductor", move |stop| {
            let (conductor, ended) = (conductor.take(), ended.clone());
            async move {
                if let Some(conductor) = conductor {
                    conductor.conduct(stop.clone()).await;
                    if !stop.is_cancelled() {
                        tracing::error!(
                            "the sound has ended by itself, so this player ends; it must be started again"
                        );
                        ended.cancel();
                    }
                } else {
                    tracing::error!("the conductor is gone, so this player ends; it must be started again");
                    ended.cancel();
                }
                Ok(())
            }
        });
    }
}
