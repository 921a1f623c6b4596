//! A cloud that runs: everything that lives as long as it does, started in order and stopped in the reverse of it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use roomtone_schema::{Clock, SystemClock};
use roomtone_server::doors::Names;
use roomtone_server::front::{FrontSettings, Introspection};
use roomtone_sync::supervisor::Supervisor;
use roomtone_sync::wire::Hash;
use tokio_util::sync::CancellationToken;

use crate::auth::Gatekeeper;
use crate::bus::{self, Bus, Link};
use crate::cloud::Cloud;
use crate::config::{Config, HubSection};
use crate::database::Database;
use crate::guests::Guests;
use crate::hub_store::PgStore;
use crate::media::Media;
use crate::sync::routes::{Office, routes};
use crate::sync::{self, snapshots};
use crate::trouble::{self, NOT_STARTED, Trouble, sentence};
use crate::{analysing, doctor, exporting, http, tickets, upkeep};

/// How long an orderly stop may take before what is left is cut off.
const GRACE: Duration = Duration::from_secs(10);
/// The time that connections of the database have to be closed after that.
const CLOSING: Duration = Duration::from_secs(2);

/// What a cloud is started with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Its configuration.
    pub config: Config,
    /// Who may ask what the schema is.
    pub introspection: Introspection,
    /// Routes besides its own.
    pub extra: Router,
}

/// A cloud that runs.
#[derive(Debug)]
pub struct Service {
    /// Where it listens, with real ports.
    pub listening: Vec<SocketAddr>,
    /// The handle that its parts work with.
    pub cloud: Cloud,
    /// What keeps it running.
    supervisor: Supervisor,
}

impl Service {
    /// Listens, looks whether the database is what it should be, and starts everything.
    ///
    /// # Errors
    /// [`Trouble`], where this cannot be a cloud.
    pub async fn start(setup: Setup) -> Result<Self, Trouble> {
        let listeners = listen_on(&setup.config.server.listen.0)?;
        Self::start_at(listeners, setup).await
    }

    /// The same with listeners that are open already.
    ///
    /// # Errors
    /// [`Trouble`], where this cannot be a cloud.
    pub async fn start_at(listeners: Vec<TcpListener>, setup: Setup) -> Result<Self, Trouble> {
        let config = &setup.config;
        config.is_complete()?;
        let database = open_database(config)?;
        let media = Media::open(&config.media.settings()).map_err(|error| unusable(&error))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        doctor::admit(config, &database, &*clock).await?;
        let (bus, link) = Bus::linked();
        let gate = Gatekeeper::new(&config.auth, database.clone(), Arc::clone(&clock))
            .map_err(|error| unusable(&format!("{error:#}")))?;
        if !config.auth.jwt_secret.is_empty() {
            tracing::warn!(
                "JWT_SECRET is set: whoever has it can be anybody here. Move the project to signing keys, then take it out"
            );
        }
        let listening = addresses(&listeners);
        let cloud = Cloud { database, bus, media, clock };
        let service = Self { listening, cloud, supervisor: Supervisor::new() };
        service.carry(config, &link);
        service.keep_the_gate(&gate);
        service.work();
        let keys = tickets::keys(&service.cloud).await.map_err(|error| {
            tracing::error!(?error, "the keys of check-in tickets cannot be read");
            unusable(&"the keys of check-in tickets cannot be read or made")
        })?;
        service.open(listeners, gate, &keys, setup);
        Ok(service)
    }

    /// Stops what serves people first and what it stands on last.
    pub async fn stop(self) {
        self.supervisor.stop(GRACE).await;
        // Whoever holds a connection for longer loses it with the process.
        let _late = tokio::time::timeout(CLOSING, self.cloud.database.pool().close()).await;
    }

    /// Wakes the other replicas, and is woken by them.
    fn carry(&self, config: &Config, link: &Arc<Link>) {
        let (database, url) = (self.cloud.database.clone(), config.bus.nats_url.clone());
        let link = Arc::clone(link);
        self.supervisor.keep_running("bus", move |stop| {
            let (database, url, link) = (database.clone(), url.clone(), Arc::clone(&link));
            async move {
                if url.is_empty() {
                    bus::postgres::work(database, link, stop).await
                } else {
                    bus::nats::work(url, link, stop).await
                }
            }
        });
    }

    fn keep_the_gate(&self, gate: &Gatekeeper) {
        let keys = gate.clone();
        self.supervisor.keep_running("issuer keys", move |stop| keys.clone().keep_keys(stop));
        let (leases, bus) = (gate.clone(), self.cloud.bus.clone());
        self.supervisor.keep_running("leases", move |stop| leases.clone().keep_leases(bus.clone(), stop));
    }

    /// What is done in the background, by whichever replica comes first.
    fn work(&self) {
        let cloud = self.cloud.clone();
        self.supervisor.keep_running("upkeep", move |stop| upkeep::work(cloud.clone(), stop));
        let cloud = self.cloud.clone();
        self.supervisor.keep_running("analysis", move |stop| analysing::work(cloud.clone(), stop));
        let cloud = self.cloud.clone();
        self.supervisor.keep_running("reports", move |stop| exporting::work(cloud.clone(), stop));
    }

    /// What answers hubs, and what keeps it up to date.
    fn hubs(&self, config: &HubSection, ticket_keys: &[Hash], stopping: CancellationToken) -> Router {
        let store = PgStore::new(self.cloud.database.clone(), ticket_keys)
            .telling(self.cloud.bus.clone())
            .hearing(Duration::from_secs(config.news_every_s.into()));
        let clock = Arc::clone(&self.cloud.clock);
        let desk = sync::Desk::new(store.clone(), clock, sync::Limits::default(), stopping);
        let office = Office::new(self.cloud.clone());
        let (heads, of) = (desk.heads.clone(), store.clone());
        self.supervisor.keep_running("heads of feeds", move |stop| heads.clone().keep(of.clone(), stop));
        let (told, bus) = (desk.clone(), self.cloud.bus.clone());
        self.supervisor.keep_running("news for hubs", move |stop| told.clone().listen(bus.clone(), stop));
        let made = office.clone();
        self.supervisor
            .keep_running("snapshots", move |stop| snapshots::work(made.clone(), store.clone(), stop));
        routes(office, desk)
    }

    /// The venues' pages for guests, and what keeps them up to date.
    fn guests(&self, config: &Config, settings: &FrontSettings, stopping: CancellationToken) -> Guests {
        let guests = Guests::new(self.cloud.clone(), config.guests.clone(), settings, stopping);
        let kept = guests.clone();
        self.supervisor.keep_running("guests' pages", move |stop| kept.clone().keep(stop));
        guests
    }

    fn open(&self, listeners: Vec<TcpListener>, gate: Gatekeeper, ticket_keys: &[Hash], setup: Setup) {
        let server = &setup.config.server;
        let names = Names { hosts: server.hosts.0.clone(), origins: server.origins.0.clone() };
        let mut settings = server.front();
        settings.introspection = setup.introspection;
        let front = http::Front::new(self.cloud.clone(), gate, names, settings.clone());
        let guests = self.guests(&setup.config, &settings, front.stopping());
        let hubs = self.hubs(&setup.config.hubs, ticket_keys, front.stopping());
        let page = http::admin::Page::of(&setup.config);
        let front =
            front.holding(server.serving()).showing(page).welcoming(guests).with(setup.extra).with(hubs);
        for listener in listeners {
            let front = front.clone();
            self.supervisor.keep_running("front", move |stop| {
                // The port stays ours while the task starts again.
                let (front, listener) = (front.clone(), listener.try_clone());
                async move { http::serve(front, tokio::net::TcpListener::from_std(listener?)?, stop).await }
            });
        }
    }
}

/// The database of a configuration.
///
/// # Errors
/// Where its address is none.
pub fn open_database(config: &Config) -> Result<Database, Trouble> {
    Database::open(config.database.url.reveal(), &config.database.settings()).map_err(|_with_the_password| {
        Trouble::new(
            "DATABASE_URL is no address of a Postgres.",
            NOT_STARTED,
            "Write it as postgres://LOGIN:PASSWORD@HOST:5432/DATABASE; odd characters of the password as %XX.",
        )
    })
}

fn unusable(why: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(sentence(&why.to_string()), NOT_STARTED, "Mend the setting, then start again.")
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

/// Opens listeners at these addresses.
///
/// # Errors
/// Where one is taken, or not ours.
pub fn listen_on(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Trouble> {
    addresses.iter().map(|address| listen_at(*address)).collect()
}

fn listen_at(address: SocketAddr) -> Result<TcpListener, Trouble> {
    let bound = TcpListener::bind(address);
    let prepared = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    prepared.map_err(|error| trouble::cannot_listen(address, &error))
}
