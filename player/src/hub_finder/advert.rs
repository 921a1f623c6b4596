//! What a hub's announcement says, read without trust: any bytes give an advert or nothing, and never a panic.

use std::net::{IpAddr, SocketAddr};

use roomtone_schema::{HubId, VenueId};
use roomtone_sync::trouble::is_odd;

use super::SERVICE;

/// The longest label of DNS.
const LONGEST_NAME: usize = 63;

/// Addresses of one announcement that are looked at: two families on a few interfaces.
const MOST_ADDRESSES: usize = 16;

/// Properties that are looked at. Ours are six.
const MOST_PROPERTIES: usize = 32;

/// An id's text, the longest value that means anything.
const LONGEST_VALUE: usize = 64;

/// One announcement, as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// The service's full name: what a goodbye names.
    pub full_name: String,
    /// What the hub calls itself, fit for a terminal.
    pub name: String,
    /// Which hub it says it is.
    pub hub: HubId,
    /// Which venue it says it belongs to.
    pub venue: Option<VenueId>,
    /// The port for players; a hub without one cannot be paired with.
    pub tls: Option<u16>,
    /// Where it can be called, IPv4 first, with the port for phones.
    pub addresses: Vec<SocketAddr>,
}

impl Advert {
    /// Reads an announcement; `None` where it names no hub or no address that can be called.
    pub fn read<'a>(
        full_name: &str,
        txt: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
        port: u16,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Option<Self> {
        let txt: Vec<_> = txt.into_iter().take(MOST_PROPERTIES).collect();
        let addresses = callable(addresses);
        if addresses.is_empty() || port == 0 {
            return None;
        }
        Some(Self {
            full_name: full_name.to_owned(),
            name: name(full_name),
            hub: value(&txt, "id")?.parse().ok()?,
            venue: value(&txt, "venue").and_then(|venue| venue.parse().ok()),
            tls: value(&txt, "tls").and_then(|port| port.parse().ok()).filter(|port| *port != 0),
            addresses,
        })
    }
}

/// The first property of this name, as text (RFC 6763, 6.4: of several the first counts, whatever it is).
fn value<'a>(txt: &[(&str, Option<&'a [u8]>)], key: &str) -> Option<&'a str> {
    let (_, value) = txt.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    let value = (*value)?;
    if LONGEST_VALUE < value.len() { None } else { std::str::from_utf8(value).ok() }
}

/// The instance's label. Somebody else's text: without what would move a terminal's cursor.
fn name(full_name: &str) -> String {
    let suffix = full_name.len().checked_sub(SERVICE.len() + 1);
    let label = suffix
        .and_then(|at| full_name.split_at_checked(at))
        .filter(|(_, rest)| rest.trim_start_matches('.').eq_ignore_ascii_case(SERVICE))
        .map_or(full_name, |(label, _)| label);
    let mut clean = String::new();
    for c in label.chars().filter(|c| !is_odd(*c) && *c != '\\') {
        if LONGEST_NAME < clean.len() + c.len_utf8() {
            break;
        }
        clean.push(c);
    }
    clean
}

fn callable(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut callable = Vec::new();
    for address in addresses.into_iter().take(MOST_ADDRESSES) {
        if can_be_called(address) && !callable.contains(&address) {
            callable.push(address);
        }
    }
    // In one order, whatever set they came from: what has not changed is told once.
    callable.sort_by_key(|address| (rank(address.ip()), address.ip(), scope(*address)));
    callable
}

fn can_be_called(address: SocketAddr) -> bool {
    let ip = address.ip();
    let without_scope = is_link_local_v6(ip) && scope(address) == 0;
    !ip.is_unspecified() && !ip.is_multicast() && !without_scope && address.port() != 0
}

/// IPv4 first, the machine itself before everything, what needs an interface last.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() => 2,
        IpAddr::V4(v4) if v4.is_loopback() => 0,
        IpAddr::V4(_) => 1,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 4,
        IpAddr::V6(_) => 3,
    }
}

fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(v6) => v6.scope_id(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "01890000-0000-7000-8000-00001a2b3c4d";

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn read(full_name: &str, txt: &[(&str, Option<&[u8]>)]) -> Option<Advert> {
        Advert::read(full_name, txt.iter().copied(), 4700, addresses(&["192.0.2.1:4700"]))
    }

    #[test]
    fn an_announcement_tells_who_and_where() {
        let txt = [
            ("txtvers", Some(b"1".as_slice())),
            ("ID", Some(ID.as_bytes())),
            ("venue", Some(b"01890000-0000-7000-8000-000000000002")),
            ("tls", Some(b"4701")),
        ];
        let given =
            addresses(&["[fe80::1%2]:4700", "[2001:db8::1]:4700", "192.0.2.1:4700", "192.0.2.1:4700"]);
        let advert = Advert::read("Café Hüb ☕._roomtone._tcp.local.", txt, 4700, given).unwrap();
        assert_eq!((advert.name.as_str(), advert.tls), ("Café Hüb ☕", Some(4701)));
        assert_eq!(advert.hub.to_string(), ID);
        let expected = addresses(&["192.0.2.1:4700", "[2001:db8::1]:4700", "[fe80::1%2]:4700"]);
        assert_eq!(advert.addresses, expected);
    }

    #[test]
    fn what_names_no_hub_or_no_place_is_nothing() {
        assert_eq!(read("a", &[]), None);
        assert_eq!(read("a", &[("id", None)]), None);
        assert_eq!(read("a", &[("id", Some(b"\xff\xfe"))]), None);
        assert_eq!(read("a", &[("id", Some(&[b'0'; 4096]))]), None);
        let twice = [("id", Some(b"nonsense".as_slice())), ("id", Some(ID.as_bytes()))];
        assert_eq!(read("a", &twice), None, "of two the first counts");
        let id = [("id", Some(ID.as_bytes()))];
        let nowhere = addresses(&["0.0.0.0:1", "224.0.0.251:1", "[fe80::1]:1", "192.0.2.1:0"]);
        assert_eq!(Advert::read("a", id, 4700, nowhere), None);
    }

    #[test]
    fn a_name_cannot_move_a_terminals_cursor_or_fill_its_screen() {
        let id = [("id", Some(ID.as_bytes()))];
        let hostile = format!("\u{1b}[2J\r\n{}._roomtone._tcp.local.", "☕".repeat(100));
        let advert = read(&hostile, &id).unwrap();
        assert!(advert.name.starts_with("[2J☕") && advert.name.len() <= LONGEST_NAME, "{}", advert.name);
        assert_eq!(read("not ours", &id).unwrap().name, "not ours");
    }

    proptest! {
        #[test]
        fn any_announcement_is_read_without_a_panic_and_without_growing(
            full_name in "\\PC{0,300}",
            txt in prop::collection::vec(
                (prop_oneof!["id", "ID", "venue", "tls", "\\PC{0,40}"], prop::option::of(prop::collection::vec(any::<u8>(), 0..400))),
                0..80,
            ),
            genuine in any::<bool>(),
            port in any::<u16>(),
            places in prop::collection::vec((any::<IpAddr>(), any::<u16>()), 0..60),
        ) {
            let id = genuine.then_some(("id", Some(ID.as_bytes())));
            let txt = id.into_iter().chain(txt.iter().map(|(key, value)| (key.as_str(), value.as_deref())));
            let advert = Advert::read(&full_name, txt, port, places.into_iter().map(SocketAddr::from));
            if let Some(advert) = advert {
                prop_assert!(!advert.addresses.is_empty() && advert.addresses.len() <= MOST_ADDRESSES);
                prop_assert!(advert.name.len() <= LONGEST_NAME);
                prop_assert!(advert.tls != Some(0));
                prop_assert!(!advert.name.chars().any(char::is_control));
            }
        }
    }
}
