//! Looks at the machine and asks the network. Decides nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use roomtone_schema::{Clock as _, SystemClock, UnixMillis};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::evidence::{Call, Evidence, Interface, Multicast, OutputEvidence, Paired, Reached};
use super::{multicast, neighbours};
use crate::files;
use crate::hub_client::line::{CONNECT, secure};
use crate::hub_client::{HubClient, LinkError, in_order};
use crate::hub_finder::{Finder, SeenHub};
use crate::identity::Identity;
use crate::pinned;

/// A port that a router may or may not have: a refusal shows as well as a welcome that it is there.
const ANY_PORT: u16 = 53;

/// Looks at everything. Takes about as long as `listen` and a few calls.
pub async fn gather(data: &Path, told: &[SocketAddr], output: OutputEvidence, listen: Duration) -> Evidence {
    let identity = Identity::load(data).map_err(|error| error.to_string());
    let known = identity.as_ref().ok().and_then(Option::as_ref);
    let interfaces = interfaces();
    let (hubs, multicast) = tokio::join!(hubs(listen), probe(&interfaces, listen));
    let calls = calls(known, &hubs, told).await;
    let (accepted, hub_wall) = match known {
        Some(identity) => ask(identity, &calls).await,
        None => (None, None),
    };
    let paired = identity.map(|known| {
        known.map(|known| Paired {
            hub: known.hub,
            venue: known.venue,
            venue_name: known.venue_name,
            name: known.name,
        })
    });
    Evidence {
        paired,
        interfaces,
        multicast,
        hubs,
        calls,
        neighbours: ask_the_neighbours().await,
        accepted,
        wall: SystemClock::new().wall(),
        hub_wall,
        output,
        disk_free: disk_free(data),
    }
}

/// Up, and not the machine itself.
fn interfaces() -> Vec<Interface> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = all.into_iter().filter(|interface| !interface.is_loopback() && interface.is_oper_up());
    let usable = usable.map(|interface| {
        let prefix = match &interface.addr {
            if_addrs::IfAddr::V4(v4) => v4.prefixlen,
            if_addrs::IfAddr::V6(v6) => v6.prefixlen,
        };
        Interface { ip: interface.ip(), prefix, name: interface.name }
    });
    usable.collect()
}

async fn probe(interfaces: &[Interface], patience: Duration) -> Multicast {
    if interfaces.is_empty() {
        return Multicast::Untried("there is no network".to_owned());
    }
    multicast::probe(patience).await
}

/// The hubs that announce themselves within `listen`.
async fn hubs(listen: Duration) -> Vec<SeenHub> {
    let finder = Finder::new(None);
    let (found, stop) = (finder.hubs(), CancellationToken::new());
    // Before the finder ends: one that stops forgets.
    tokio::select! {
        _ended = finder.run(stop) => Vec::new(),
        () = tokio::time::sleep(listen) => found.borrow().iter().cloned().collect(),
    }
}

/// Calls every place where the hub may be.
async fn calls(known: Option<&Identity>, hubs: &[SeenHub], told: &[SocketAddr]) -> Vec<Call> {
    let seen = hubs.iter().filter(|seen| known.is_none_or(|known| seen.hub == known.hub));
    let mut places: Vec<SocketAddr> = seen.flat_map(SeenHub::for_players).collect();
    places.extend(known.iter().flat_map(|known| &known.addresses));
    places.extend(told);
    let config = known.map_or_else(pinned::whoever, |known| pinned::only(known.key));
    let calls = in_order(&places).into_iter().map(|address| {
        let config = Arc::clone(&config);
        async move { Call { address, outcome: call(address, &config).await } }
    });
    join_all(calls).await
}

async fn call(address: SocketAddr, config: &Arc<ClientConfig>) -> Reached {
    // TCP by itself first: its error says more than a sentence.
    match timeout(CONNECT, TcpStream::connect(address)).await {
        Err(_late) => return Reached::Silence,
        Ok(Err(error)) => return not_reached(&error),
        Ok(Ok(_stream)) => {}
    }
    match secure(address, config).await {
        Ok(_hub) => Reached::Hub,
        Err(LinkError::Unreachable(_)) => Reached::Silence,
        Err(other) => Reached::Other(other),
    }
}

fn not_reached(error: &io::Error) -> Reached {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Reached::Refused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Reached::NoRoute,
        // Nobody has answered for the address: the neighbours say more.
        _ => Reached::Silence,
    }
}

/// Whether the hub accepts us, and its clock.
async fn ask(identity: &Identity, calls: &[Call]) -> (Option<Result<(), LinkError>>, Option<UnixMillis>) {
    let reached: Vec<SocketAddr> =
        calls.iter().filter(|call| call.outcome == Reached::Hub).map(|call| call.address).collect();
    if reached.is_empty() {
        return (None, None);
    }
    match HubClient::connect(&reached, identity).await {
        Ok(client) => {
            let (date, accepted) = client.look().await;
            (Some(accepted), date.as_deref().and_then(neighbours::date))
        }
        Err(error) => (Some(Err(error)), None),
    }
}

/// Who has answered on the wire, the router asked once more.
async fn ask_the_neighbours() -> Vec<(IpAddr, bool)> {
    let read = |path| async move { tokio::fs::read_to_string(path).await.unwrap_or_default() };
    let routers = neighbours::routers(&read("/proc/net/route").await);
    let knocks = routers.iter().map(|router| {
        let knock = TcpStream::connect(SocketAddr::new(*router, ANY_PORT));
        async move { drop(timeout(CONNECT, knock).await) }
    });
    join_all(knocks).await;
    neighbours::neighbours(&read("/proc/net/arp").await)
}

/// Of the disk with the data folder, or of the nearest folder above it that is there.
fn disk_free(data: &Path) -> Option<u64> {
    data.ancestors().find(|folder| folder.exists()).and_then(|folder| files::disk_free(folder).ok())
}
