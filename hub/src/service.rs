//! A hub that runs: everything that lives as long as it does, started in order and stopped in the reverse of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{Clock, SystemClock};
use roomtone_server::front::{FrontSettings, Introspection};
use roomtone_sync::supervisor::Supervisor;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::discovery::{self, Announcement};
use crate::hub::{Hub, HubOptions};
use crate::trouble::Trouble;
use crate::{address, control, http, upkeep};

/// How long an orderly stop may take before what is left is cut off. The store is closed in any case.
const GRACE: Duration = Duration::from_secs(6);

/// What a hub is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The data folder.
    pub data: PathBuf,
    /// Its configuration.
    pub config: Config,
    /// Who may ask what the schema is, and is offered the query page.
    pub introspection: Introspection,
}

/// Where a hub is: on the disk and on the network.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// Where it listens, with real ports.
    pub listening: Vec<SocketAddr>,
}

/// A hub that runs.
#[derive(Debug)]
pub struct Service {
    /// The room.
    pub hub: Hub,
    /// Where it is.
    pub place: Place,
    /// What keeps it running; more may be added.
    pub supervisor: Supervisor,
}

impl Setup {
    /// Opens the room without serving it: for commands while no hub runs.
    pub async fn open(&self) -> Result<Hub, Trouble> {
        std::fs::create_dir_all(&self.data)
            .map_err(|error| Trouble::file("make the folder", &self.data, &error))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Ok(Hub::open(self.options(), clock).await?)
    }

    /// Where this hub is, or would be.
    pub fn place(&self) -> Place {
        Place { data: self.data.clone(), listening: self.config.network.listen.0.clone() }
    }

    fn options(&self) -> HubOptions {
        HubOptions {
            data: self.data.clone(),
            venue_name: self.config.venue.name.clone(),
            time_zone: self.config.time_zone(),
            zones: self.config.zones.clone().into_iter().collect(),
            limits: self.config.limits.clone(),
        }
    }
}

impl Place {
    /// The address that phones are told.
    pub fn to_print(&self) -> SocketAddr {
        let first = self.listening.first().copied();
        address::to_print(first.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
    }
}

impl Service {
    /// Listens, opens the room and starts everything around it.
    pub async fn start(setup: &Setup) -> Result<Self, Trouble> {
        let listeners = listen_on(&setup.config.network.listen.0)?;
        let hub = setup.open().await?;
        let listening = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let place = Place { data: setup.data.clone(), listening };
        let service = Self { hub, place, supervisor: Supervisor::new() };
        service.keep_the_room();
        service.keep_in_shape(setup);
        service.take_orders();
        let settings = FrontSettings { introspection: setup.introspection, ..setup.config.front() };
        let hosts = setup.config.network.hosts.0.clone();
        let front = http::Front::with_settings(service.hub.clone(), hosts, settings)
            .holding(setup.config.connections.serving());
        for listener in listeners {
            service.serve_on(listener, front.clone());
        }
        if setup.config.network.mdns {
            service.announce();
        }
        Ok(service)
    }

    /// Stops what serves people first and the room last, then leaves the store clean.
    pub async fn stop(self) {
        self.supervisor.stop(GRACE).await;
        if let Err(error) = self.hub.close().await {
            tracing::warn!("the last moments could not be saved ({error}); votes and plays are");
        }
    }

    fn keep_the_room(&self) {
        let hub = self.hub.clone();
        self.supervisor.keep_running("room", move |stop| {
            let hub = hub.clone();
            async move { until(stop, hub.conduct()).await }
        });
    }

    fn keep_in_shape(&self, setup: &Setup) {
        let hub = self.hub.clone();
        self.supervisor.keep_running("house", move |stop| {
            let hub = hub.clone();
            async move { until(stop, hub.keep_house()).await }
        });
        let settings = setup.config.upkeep.clone();
        if 0 < settings.media_check_s {
            let (hub, every) = (self.hub.clone(), Duration::from_secs(settings.media_check_s.into()));
            self.supervisor
                .keep_running("media check", move |stop| upkeep::check_media(hub.clone(), every, stop));
        }
        let place = self.place.clone();
        self.supervisor.keep_running("poster check", move |stop| upkeep::watch_address(place.clone(), stop));
    }

    fn take_orders(&self) {
        let (hub, place) = (self.hub.clone(), self.place.clone());
        self.supervisor
            .keep_running("commands", move |stop| control::serve(hub.clone(), place.clone(), stop));
    }

    fn serve_on(&self, listener: TcpListener, front: http::Front) {
        self.supervisor.keep_running("front", move |stop| {
            // The port stays ours while the task starts again.
            let (front, listener) = (front.clone(), listener.try_clone());
            async move { http::serve(front, tokio::net::TcpListener::from_std(listener?)?, stop).await }
        });
    }

    fn announce(&self) {
        for listen in &self.place.listening {
            if listen.ip().is_loopback() {
                tracing::info!(
                    "not announced on the network: {listen} can be reached from this machine only"
                );
                continue;
            }
            let announcement = Announcement {
                hub: self.hub.id(),
                venue: self.hub.venue().id,
                name: self.hub.venue().name.clone(),
                listen: *listen,
            };
            self.supervisor.keep_running("mDNS", move |stop| discovery::announce(announcement.clone(), stop));
        }
    }
}

/// Runs what has no end of its own until it is time to stop.
async fn until(stop: CancellationToken, endless: impl Future<Output = ()>) -> anyhow::Result<()> {
    stop.run_until_cancelled(endless).await;
    Ok(())
}

fn listen_on(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Trouble> {
    addresses.iter().map(|address| listen_at(*address)).collect()
}

/// Where the machine has no IPv6, the IPv6 wildcard means the IPv4 one.
fn listen_at(address: SocketAddr) -> Result<TcpListener, Trouble> {
    let bound = TcpListener::bind(address).or_else(|error| {
        let no_ipv6 =
            !matches!(error.kind(), std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied);
        if address.is_ipv6() && address.ip().is_unspecified() && no_ipv6 {
            return TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()));
        }
        Err(error)
    });
    let prepared = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    prepared.map_err(|error| Trouble::cannot_listen(address, &error))
}
