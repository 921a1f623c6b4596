//! Whether multicast works on this machine: one half announces something of its own, the other half looks for it.
//!
//! That the two find each other says that nothing on this machine is in the way. Whether the network passes multicast
//! on can only be seen by hearing others.

use std::time::Duration;

use anyhow::Context as _;
use mdns_sd::{DaemonEvent, IfKind, Receiver, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::time::timeout;

use super::evidence::Multicast;

/// Nobody else's, so that it is in nobody's list.
const SERVICE: &str = "_roomtone-dr._udp.local.";

/// Nothing listens there: the announcement is all there is.
const PORT: u16 = 9;

/// For how long the ends of both halves are awaited.
const FAREWELL: Duration = Duration::from_millis(500);

/// Announces and looks, for at most `patience`.
pub(super) async fn probe(patience: Duration) -> Multicast {
    match attempt(patience).await {
        Ok(outcome) => outcome,
        Err(error) => Multicast::Untried(format!("{error:#}")),
    }
}

async fn attempt(patience: Duration) -> anyhow::Result<Multicast> {
    let (announcing, looking) = (quiet_on_loopback()?, quiet_on_loopback()?);
    let mut nonce = [0; 4];
    getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let name = format!("doctor-{:08x}", u32::from_ne_bytes(nonce));
    let service = ServiceInfo::new(SERVICE, &name, &format!("{name}.local."), "", PORT, None)?;
    let full_name = service.get_fullname().to_owned();
    let errors = announcing.monitor()?;
    let found = looking.browse(SERVICE)?;
    announcing.register(service.enable_addr_auto())?;
    let heard = timeout(patience, hears(&found, &full_name)).await.unwrap_or(false);
    let outcome = if heard { Multicast::Heard } else { Multicast::Silent(complaint(&errors)) };
    for daemon in [announcing, looking] {
        if let Ok(down) = daemon.shutdown() {
            let _in_time = timeout(FAREWELL, down.recv_async()).await;
        }
    }
    Ok(outcome)
}

/// On real interfaces only: loopback passes everything, and says nothing about a network.
fn quiet_on_loopback() -> anyhow::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new().context("mDNS could not start")?;
    daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    Ok(daemon)
}

async fn hears(found: &Receiver<ServiceEvent>, full_name: &str) -> bool {
    while let Ok(event) = found.recv_async().await {
        let name = match &event {
            ServiceEvent::ServiceFound(_, name) => name,
            ServiceEvent::ServiceResolved(service) => &service.fullname,
            _ => continue,
        };
        if name.eq_ignore_ascii_case(full_name) {
            return true;
        }
    }
    false
}

/// The first thing that the announcing half complained about.
fn complaint(errors: &Receiver<DaemonEvent>) -> Option<String> {
    errors.try_iter().find_map(|event| match event {
        DaemonEvent::Error(error) => Some(error.to_string()),
        _ => None,
    })
}
