//! Under which address phones reach this hub: what the QR code shows.
//!
//! An IP address rather than a name, because many phones do not resolve `.local`. Which of several is a guess, made
//! the same way each time: the network that leads out, then other local networks, never a container's bridge.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// One address of one of this machine's networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The interface, such as `eth0`.
    pub interface: String,
    /// Its address.
    pub ip: IpAddr,
}

/// Beginnings of the names of networks that exist inside this machine only, or lead elsewhere.
const INSIDE: [&str; 8] = ["docker", "br-", "veth", "virbr", "lxc", "tun", "wg", "tailscale"];

/// The address to print for a hub that listens on `listen`.
pub fn to_print(listen: SocketAddr) -> SocketAddr {
    let ip = if listen.ip().is_unspecified() { choose(&all(), towards_the_internet()) } else { listen.ip() };
    SocketAddr::new(ip, listen.port())
}

/// The addresses under which players may reach a hub that listens on `listen`: the best first, at most so many.
pub fn to_tell(listen: SocketAddr, most: usize) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let ips = ranked(&all(), towards_the_internet());
    let ips = if ips.is_empty() { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { ips };
    ips.into_iter().take(most).map(|ip| SocketAddr::new(ip, listen.port())).collect()
}

/// The addresses of this machine's networks that are up.
pub fn all() -> Vec<Local> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let up = interfaces.into_iter().filter(if_addrs::Interface::is_oper_up);
    up.map(|interface| Local { ip: interface.ip(), interface: interface.name }).collect()
}

/// The best of `locals` for a phone in the room; loopback where there is nothing else.
pub fn choose(locals: &[Local], towards_the_internet: Option<IpAddr>) -> IpAddr {
    ranked(locals, towards_the_internet).first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Those that somebody in the room can reach, the best first.
fn ranked(locals: &[Local], towards_the_internet: Option<IpAddr>) -> Vec<IpAddr> {
    let mut candidates: Vec<&Local> = locals.iter().filter(|local| reachable(local.ip)).collect();
    // The name and the address decide between equals, so that the answer does not depend on the system's order.
    candidates.sort_by_key(|local| (rank(local, towards_the_internet), local.interface.clone(), local.ip));
    candidates.into_iter().map(|local| local.ip).collect()
}

fn reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        // A link-local IPv6 address needs a scope, which no QR code can carry.
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

fn rank(local: &Local, towards_the_internet: Option<IpAddr>) -> u8 {
    let inside = INSIDE.iter().any(|name| local.interface.starts_with(name));
    let private = matches!(local.ip, IpAddr::V4(v4) if v4.is_private());
    match (inside, local.ip) {
        (true, _) => 4,
        (_, ip) if towards_the_internet == Some(ip) => 0,
        (_, IpAddr::V4(_)) if private => 1,
        (_, IpAddr::V4(_)) => 2,
        (_, IpAddr::V6(_)) => 3,
    }
}

/// The address this machine would send from; nothing is sent to find out.
fn towards_the_internet() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Reserved for documentation: no packet goes there, the system only picks a route.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_network(&["lo 127.0.0.1", "eth0 192.168.1.5"], None, "192.168.1.5")]
    #[case::the_way_out(&["eth0 192.168.1.5", "eth1 10.0.0.5"], Some("10.0.0.5"), "10.0.0.5")]
    #[case::no_container(&["docker0 172.17.0.1", "wlan0 192.168.1.5"], None, "192.168.1.5")]
    #[case::ipv4_first(&["eth0 2001:db8::5", "eth0 192.168.1.5"], None, "192.168.1.5")]
    #[case::ipv6_only(&["lo ::1", "eth0 fe80::5", "eth0 2001:db8::5"], None, "2001:db8::5")]
    #[case::same_each_time(&["wlan0 192.168.1.6", "eth0 192.168.1.5"], None, "192.168.1.5")]
    #[case::nothing(&["lo 127.0.0.1", "eth0 169.254.3.4"], None, "127.0.0.1")]
    fn the_address_that_a_phone_can_reach(
        #[case] locals: &[&str],
        #[case] way_out: Option<&str>,
        #[case] expected: IpAddr,
    ) {
        let read = |text: &&str| {
            let (interface, ip) = text.split_once(' ').unwrap();
            Local { interface: interface.to_owned(), ip: ip.parse().unwrap() }
        };
        let locals: Vec<Local> = locals.iter().map(read).collect();
        assert_eq!(choose(&locals, way_out.map(|ip| ip.parse().unwrap())), expected);
    }

    #[test]
    fn a_hub_that_listens_on_one_address_prints_that() {
        let listen = "127.0.0.1:4711".parse().unwrap();
        assert_eq!(to_print(listen), listen);
    }
}
