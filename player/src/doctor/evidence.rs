//! What was seen, without an opinion.

use std::net::{IpAddr, SocketAddr};

use roomtone_schema::{HubId, UnixMillis, VenueId};

use crate::hub_client::LinkError;
use crate::hub_finder::SeenHub;

/// Everything that the doctor knows.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Whom the player belongs to; the error says that the file is damaged.
    pub paired: Result<Option<Paired>, String>,
    /// The network interfaces that are up, without loopback.
    pub interfaces: Vec<Interface>,
    /// Whether our own multicast comes back to us.
    pub multicast: Multicast,
    /// The hubs that announce themselves.
    pub hubs: Vec<SeenHub>,
    /// Calls to where the paired hub may be; without a pairing, to where one is said to be.
    pub calls: Vec<Call>,
    /// Neighbours on the wire that have answered for their address, and those that were asked and have not.
    pub neighbours: Vec<(IpAddr, bool)>,
    /// Whether the hub still accepts our secret, where it could be asked.
    pub accepted: Option<Result<(), LinkError>>,
    /// This machine's clock.
    pub wall: UnixMillis,
    /// The hub's clock, where it could be asked.
    pub hub_wall: Option<UnixMillis>,
    /// The loudspeaker.
    pub output: OutputEvidence,
    /// Bytes that the disk has left; `None` where it could not be asked.
    pub disk_free: Option<u64>,
}

/// The pairing, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// Which hub.
    pub hub: HubId,
    /// Which venue.
    pub venue: VenueId,
    /// As people call it.
    pub venue_name: String,
    /// This player's name.
    pub name: String,
}

/// A network interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// One of its addresses.
    pub ip: IpAddr,
    /// How many of its bits name the network.
    pub prefix: u8,
}

/// What became of our own multicast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Multicast {
    /// It came back.
    Heard,
    /// It did not, and why where somebody says.
    Silent(Option<String>),
    /// It could not be tried.
    Untried(String),
}

/// One attempt to reach the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where.
    pub address: SocketAddr,
    /// What happened.
    pub outcome: Reached,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// The hub, by its key; without a pairing, anybody who speaks TLS.
    Hub,
    /// The machine is there, and nothing listens.
    Refused,
    /// Nothing came back.
    Silence,
    /// This machine knows no way there.
    NoRoute,
    /// Somebody with another key, or who is no hub at all.
    Other(LinkError),
}

/// What is known of the loudspeaker. Gathered by whoever knows sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputEvidence {
    /// What the settings ask for.
    pub wanted: String,
    /// The devices there are.
    pub devices: Vec<String>,
    /// Whether the settings ask for a device at all.
    pub needs_device: bool,
    /// Whether a player is running, which then has the device.
    pub running: bool,
    /// What went wrong when it was opened.
    pub trouble: Option<String>,
}

impl Interface {
    /// Whether `ip` is in this interface's own network, where no router stands in between.
    pub fn reaches(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, true),
            IpAddr::V6(v6) => (u128::from(v6), false),
        };
        let ((own, own_kind), (other, other_kind)) = (bits(self.ip), bits(ip));
        let longest = if own_kind { 32 } else { 128 };
        let mask = match u32::from(self.prefix.min(longest)) {
            0 => 0,
            prefix => u128::MAX << (128 - prefix),
        };
        own_kind == other_kind && own & mask == other & mask
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("192.168.1.7", 24, "192.168.1.250", true)]
    #[case("192.168.1.7", 24, "192.168.2.7", false)]
    #[case("10.0.0.1", 0, "192.168.2.7", true)]
    #[case("10.0.0.1", 32, "10.0.0.1", true)]
    #[case("10.0.0.1", 200, "10.0.0.2", false)]
    #[case("fe80::1", 64, "fe80::abcd", true)]
    #[case("2001:db8::1", 64, "2001:db8:0:1::1", false)]
    #[case("10.0.0.1", 8, "fe80::1", false)]
    fn a_network_is_told_by_its_bits(
        #[case] own: &str,
        #[case] prefix: u8,
        #[case] ip: &str,
        #[case] yes: bool,
    ) {
        let interface = Interface { name: "eth0".to_owned(), ip: own.parse().unwrap(), prefix };
        assert_eq!(interface.reaches(ip.parse().unwrap()), yes);
    }
}
