//! Finds hubs on the local network by mDNS, so that nobody types an address.
//!
//! What the network says is hearsay: anybody can announce anything, as often as they like. So the table is bounded, a
//! hub is known by the id of its TXT record, and only its key, shown when it is called, proves that it is the one
//! ([`crate::pinned`]). A hub that dies says no goodbye: whoever cannot reach it says so by [`Finder::doubt`], and the
//! network is asked again.

use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use mdns_sd::{DaemonStatus, Metrics, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use roomtone_schema::HubId;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

mod advert;
mod table;

pub use advert::Advert;
pub use table::{Hubs, SeenHub};

/// What hubs announce.
pub const SERVICE: &str = "_roomtone._tcp.local.";

/// How often the machine's addresses are looked at: a cable put back is noticed about as fast as it clicks.
const ADDRESS_CHECK_S: u32 = 2;

/// How long a doubted hub has to speak up.
const VERIFY: Duration = Duration::from_secs(3);

/// Before the network is asked again where the line to the mDNS thread broke: it breaks when more comes than is read.
const BROWSE_AGAIN: Duration = Duration::from_millis(500);

/// How often the mDNS thread's memory is looked at.
const MEMORY_CHECK: Duration = Duration::from_secs(2);

/// And after so many events: a flood brings them within milliseconds.
const EVENTS_TO_CHECK: u32 = 128;

/// Records that the mDNS thread may hold: 64 hubs on several interfaces are a few hundred. The library has no bound of
/// its own, and is slower the more it holds, so beyond this the look ends. Whoever looks again does so after a pause,
/// so that a flood that lasts costs a moment now and then.
const MOST_RECORDS: i64 = 1024;

/// For how long the end of the mDNS thread is awaited.
const FAREWELL: Duration = Duration::from_secs(1);

/// Who looks for hubs, and what has been found. Cheap to clone; clones share both.
#[derive(Debug, Clone)]
pub struct Finder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    found: watch::Sender<Hubs>,
    doubted: Mutex<BTreeSet<HubId>>,
    doubt: Notify,
}

impl Finder {
    /// Somebody who has found nothing yet. A place is kept for `own`, however many others announce themselves.
    pub fn new(own: Option<HubId>) -> Self {
        let found = watch::Sender::new(Hubs::keeping(own));
        Self { shared: Arc::new(Shared { found, doubted: Mutex::default(), doubt: Notify::new() }) }
    }

    /// What has been found, as it changes.
    pub fn hubs(&self) -> watch::Receiver<Hubs> {
        self.shared.found.subscribe()
    }

    /// Keeps a place for another hub: the one that this player is paired with now.
    pub fn keep(&self, own: Option<HubId>) {
        self.shared.found.send_if_modified(|hubs| hubs.keep(own));
    }

    /// Says that a hub does not answer where it is said to be: the network is asked whether it is still there.
    pub fn doubt(&self, hub: HubId) {
        self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(hub);
        self.shared.doubt.notify_one();
    }

    /// Looks until told to stop. Ends with an error where mDNS is beyond use, to be started again.
    pub async fn run(&self, stop: CancellationToken) -> anyhow::Result<()> {
        let daemon = ServiceDaemon::new().context("mDNS could not start")?;
        daemon.set_ip_check_interval(ADDRESS_CHECK_S)?;
        let looking = async {
            loop {
                self.browse(&daemon).await?;
                tokio::time::sleep(BROWSE_AGAIN).await;
                // Goodbyes may have been missed, and a new look tells first whatever is still known.
                self.shared.found.send_if_modified(Hubs::forget);
            }
        };
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = looking => ended,
        };
        shut_down(&daemon).await;
        // What a dead ear has heard is nobody's knowledge.
        self.shared.found.send_if_modified(Hubs::forget);
        ended
    }

    /// Follows one look until its channel breaks.
    async fn browse(&self, daemon: &ServiceDaemon) -> anyhow::Result<()> {
        let events = daemon.browse(SERVICE).context("mDNS does not look for hubs")?;
        let mut memory = interval(MEMORY_CHECK);
        memory.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut n_events = 0_u32;
        loop {
            tokio::select! {
                event = events.recv_async() => match event {
                    Ok(event) => {
                        self.heed(event);
                        n_events = n_events.wrapping_add(1);
                        if n_events.is_multiple_of(EVENTS_TO_CHECK) {
                            check_memory(daemon).await?;
                        }
                    }
                    Err(_closed) => {
                        check_memory(daemon).await?;
                        return Ok(());
                    }
                },
                () = self.shared.doubt.notified() => self.verify(daemon)?,
                _tick = memory.tick() => check_memory(daemon).await?,
            }
        }
    }

    fn heed(&self, event: ServiceEvent) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                if let Some(advert) = read(&service) {
                    self.shared.found.send_if_modified(|hubs| hubs.seen(advert));
                }
            }
            ServiceEvent::ServiceRemoved(_, full_name) => {
                self.shared.found.send_if_modified(|hubs| hubs.gone(&full_name));
            }
            _ => {}
        }
    }

    fn verify(&self, daemon: &ServiceDaemon) -> anyhow::Result<()> {
        let doubted =
            std::mem::take(&mut *self.shared.doubted.lock().unwrap_or_else(PoisonError::into_inner));
        let names: Vec<String> = {
            let hubs = self.shared.found.borrow();
            let doubted = hubs.iter().filter(|seen| doubted.contains(&seen.hub));
            doubted.map(|seen| seen.full_name.clone()).collect()
        };
        for name in names {
            match daemon.verify(name, VERIFY) {
                Ok(()) | Err(mdns_sd::Error::Again) => {}
                Err(error) => return Err(error).context("mDNS cannot verify a hub"),
            }
        }
        Ok(())
    }
}

/// What a service says of itself, with the addresses that can be called.
fn read(service: &ResolvedService) -> Option<Advert> {
    let txt = service.txt_properties.iter().map(|property| (property.key(), property.val()));
    let addresses = service.addresses.iter().filter_map(|ip| address(ip, service.port));
    Advert::read(&service.fullname, txt, service.port, addresses)
}

/// With the interface on which a link-local address means something.
fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match ip {
        ScopedIp::V4(v4) => Some(SocketAddr::from((*v4.addr(), port))),
        ScopedIp::V6(v6) => {
            let scope = if v6.addr().is_unicast_link_local() { v6.scope_id().index } else { 0 };
            Some(SocketAddrV6::new(*v6.addr(), port, 0, scope).into())
        }
        _ => None,
    }
}

/// Ends the look where the mDNS thread holds more than a network of hubs can mean.
async fn check_memory(daemon: &ServiceDaemon) -> anyhow::Result<()> {
    let metrics = match daemon.get_metrics() {
        Ok(metrics) => metrics,
        // Too busy to say: asked again soon.
        Err(mdns_sd::Error::Again) => return Ok(()),
        Err(error) => return Err(error).context("mDNS has stopped"),
    };
    match timeout(FAREWELL, metrics.recv_async()).await {
        Ok(Ok(metrics)) if MOST_RECORDS < records(&metrics) => {
            bail!("somebody floods this network with mDNS records ({})", records(&metrics))
        }
        Ok(Ok(_)) => Ok(()),
        Err(_late) => bail!("the mDNS thread is too busy to answer: somebody floods this network"),
        Ok(Err(_closed)) => bail!("mDNS stopped by itself"),
    }
}

fn records(metrics: &Metrics) -> i64 {
    metrics.iter().filter(|(name, _)| name.starts_with("cached-")).map(|(_, count)| *count).sum()
}

async fn shut_down(daemon: &ServiceDaemon) {
    let Ok(down) = daemon.shutdown() else { return };
    let down = timeout(FAREWELL, async {
        while let Ok(status) = down.recv_async().await {
            if status == DaemonStatus::Shutdown {
                break;
            }
        }
    });
    if down.await.is_err() {
        tracing::debug!("the mDNS thread takes its time to end");
    }
}
