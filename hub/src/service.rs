//! A hub that runs: everything that lives as long as it does, started in order and stopped in the reverse of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{Clock, SystemClock};
use roomtone_server::front::{FrontSettings, Introspection};
use roomtone_sync::supervisor::Supervisor;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::discovery::{self, Announcement};
use crate::hub::{Hub, HubOptions};
use crate::store::make_folder;
use crate::tls::{Secure, Tls};
use crate::trouble::{self, Trouble};
use crate::{address, cloud_link, control, http, upkeep};

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
    /// Where it listens for players and managers, and the key that they know it by; `None` where none is open.
    pub secure: Option<Secure>,
}

/// Where a backup is handed in that is to take the place of the store.
#[derive(Debug, Clone)]
pub struct Successor(mpsc::Sender<PathBuf>);

impl Successor {
    /// Hands one in: the hub ends in order, and begins anew with it.
    ///
    /// # Errors
    /// Where the hub ends already.
    pub async fn hand_in(&self, backup: PathBuf) -> Result<(), ()> {
        self.0.send(backup).await.or(Err(()))
    }
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
    /// Backups that are handed in, where somebody waits for them.
    pub handed_in: Option<mpsc::Receiver<PathBuf>>,
}

impl Setup {
    /// Opens the room without serving it: for commands while no hub runs.
    pub async fn open(&self) -> Result<Hub, Trouble> {
        make_folder(&self.data).map_err(|error| trouble::of_file("make the folder", &self.data, &error))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        Ok(Hub::open(self.options(), clock).await?)
    }

    /// From now on where it is, also where the system chose its ports.
    pub fn stay_at(&mut self, place: &Place) {
        self.config.network.listen.0.clone_from(&place.listening);
        if let Some(secure) = &place.secure {
            self.config.network.tls.0.clone_from(&secure.listening);
        }
    }

    /// Where this hub is, or would be.
    pub fn place(&self) -> Place {
        Place { data: self.data.clone(), listening: self.config.network.listen.0.clone(), secure: None }
    }

    /// What the room is opened with.
    pub fn options(&self) -> HubOptions {
        HubOptions {
            data: self.data.clone(),
            venue_name: self.config.venue.name.clone(),
            time_zone: self.config.time_zone(),
            zones: self.config.zones.clone().into_iter().collect(),
            licence: self.config.venue.licence,
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

    /// The address that managers are told, where there is one.
    pub fn secure_to_print(&self) -> Option<SocketAddr> {
        self.secure.as_ref()?.listening.first().copied().map(address::to_print)
    }
}

impl Service {
    /// Listens, opens the room and starts everything around it.
    pub async fn start(setup: &Setup) -> Result<Self, Trouble> {
        Self::start_with(setup, None).await
    }

    /// The same for whoever begins anew with a backup that is handed in.
    pub async fn start_replaceable(setup: &Setup) -> Result<Self, Trouble> {
        let (successor, handed_in) = mpsc::channel(1);
        let service = Self::start_with(setup, Some(Successor(successor))).await?;
        Ok(Self { handed_in: Some(handed_in), ..service })
    }

    async fn start_with(setup: &Setup, successor: Option<Successor>) -> Result<Self, Trouble> {
        let network = &setup.config.network;
        let listeners = listen_on(&network.listen.0)?;
        let secure_listeners = listen_securely(&network.listen.0, &network.tls.0)?;
        let hub = setup.open().await?;
        tell_who_may_look(&setup.data);
        http::sweep(&setup.data);
        let tls = open_key(&setup.data, &hub)?;
        let secure = Secure { listening: addresses(&secure_listeners), key: tls.key };
        let place =
            Place { data: setup.data.clone(), listening: addresses(&listeners), secure: Some(secure) };
        let service = Self { hub, place, supervisor: Supervisor::new(), handed_in: None };
        service.keep_the_room();
        service.keep_in_shape(setup);
        service.take_orders();
        service.keep_in_touch(setup);
        let settings = FrontSettings { introspection: setup.introspection, ..setup.config.front() };
        let hosts = setup.config.network.hosts.0.clone();
        let serving = setup.config.connections.serving();
        let front = http::Front::with_settings(service.hub.clone(), hosts.clone(), settings.clone());
        let secure = http::Front::secure(service.hub.clone(), hosts, settings, tls);
        let fronts =
            [(front.clone().beside(&secure), listeners), (secure.clone().beside(&front), secure_listeners)];
        for (front, listeners) in fronts {
            let front = front.holding(serving).standing(service.place.clone(), successor.clone());
            for listener in listeners {
                service.serve_on(listener, front.clone());
            }
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
        let hub = self.hub.clone();
        self.supervisor.keep_running("drills", move |stop| hub.clone().keep_drills(stop));
        let place = self.place.clone();
        self.supervisor.keep_running("poster check", move |stop| upkeep::watch_address(place.clone(), stop));
    }

    fn keep_in_touch(&self, setup: &Setup) {
        let (hub, config) = (self.hub.clone(), setup.config.cloud.clone());
        if !config.sync {
            tracing::info!("[cloud] sync is off: this hub keeps everything to itself");
            return;
        }
        let jitter =
            Box::new(|| f64::from(u32::from_le_bytes(crate::secrets::random())) / f64::from(u32::MAX));
        self.supervisor.keep_running_spread("cloud", jitter, move |stop| {
            cloud_link::keep_in_touch(hub.clone(), config.clone(), stop)
        });
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
            async move { http::serve_but_in_drills(front, listener?, stop).await }
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
                tls: self.place.secure.as_ref().and_then(Secure::port),
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

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

/// A folder that others made open stays so: it may be meant.
fn tell_who_may_look(data: &Path) {
    let mode = std::fs::metadata(data).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::info!(
            "the data folder {} is open to others on this machine; `chmod 700` closes it",
            data.display()
        );
    }
}

/// The hub's key. That a new one was made is news only where players knew another.
fn open_key(data: &Path, hub: &Hub) -> Result<Tls, Trouble> {
    let (tls, is_new) = Tls::open(data, hub.id())?;
    let paired = hub.player_states().iter().filter(|state| state.player.paired).count();
    if is_new && 0 < paired {
        tracing::warn!(
            "this hub has a new key, which no player knows: pair all {paired} again with `roomtone-hub pair --as NAME`"
        );
    }
    Ok(tls)
}

/// Where players and managers connect: at the addresses that were named, else beside those of the phones. A port that
/// nobody has chosen may be another one: players are told.
fn listen_securely(plain: &[SocketAddr], named: &[SocketAddr]) -> Result<Vec<TcpListener>, Trouble> {
    if !named.is_empty() {
        return listen_on(named);
    }
    plain.iter().map(|address| listen_beside(*address)).collect()
}

fn listen_beside(plain: SocketAddr) -> Result<TcpListener, Trouble> {
    let any = SocketAddr::new(plain.ip(), 0);
    let Some(port) = plain.port().checked_add(1).filter(|_| plain.port() != 0) else { return listen_at(any) };
    listen_at(SocketAddr::new(plain.ip(), port)).or_else(|_taken| {
        let listener = listen_at(any)?;
        let found = listener.local_addr().map_or(0, |address| address.port());
        tracing::info!(
            "port {port} is taken, so players connect at port {found}; [network] tls names one that stays"
        );
        Ok(listener)
    })
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
    prepared.map_err(|error| trouble::cannot_listen(address, &error))
}
