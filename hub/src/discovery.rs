//! Announces the hub on the local network by mDNS, so that players find it without anybody typing an address.
//!
//! A hub is known by the `id` of its TXT record, never by its name: names are settled by whoever comes first, so a
//! neighbour's hub of the same name is renamed and mistaken for nobody.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use mdns_sd::{DaemonEvent, DaemonStatus, ServiceDaemon, ServiceInfo, UnregisterStatus};
use roomtone_schema::{HubId, VenueId};
use tokio_util::sync::CancellationToken;

/// What players browse for.
pub const SERVICE: &str = "_roomtone._tcp.local.";

/// The longest label DNS can carry.
const LONGEST_LABEL: usize = 63;

/// How often the machine's addresses are looked at: a phone finds a moved hub before anybody looks for a cable.
const ADDRESS_CHECK_S: u32 = 2;

/// For how long the goodbye may take: three packets a few hundred milliseconds apart.
const GOODBYE: Duration = Duration::from_secs(2);

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Which hub.
    pub hub: HubId,
    /// Which venue; a player never joins a foreign one.
    pub venue: VenueId,
    /// The venue's name, as lists show it.
    pub name: String,
    /// Where the hub listens.
    pub listen: SocketAddr,
    /// The port on which it speaks TLS.
    pub tls: Option<u16>,
}

impl Announcement {
    /// The hub's own name on the network: from its id, so that a rename cannot imitate another hub.
    pub fn host(&self) -> String {
        host_of(self.hub)
    }

    fn service(&self) -> Result<ServiceInfo, mdns_sd::Error> {
        let (id, venue) = (self.hub.to_string(), self.venue.to_string());
        let tls = self.tls.map(|port| port.to_string());
        let mut txt =
            vec![("txtvers", "1"), ("id", &id), ("venue", &venue), ("path", "/graphql"), ("api", "1")];
        txt.extend(tls.as_deref().map(|port| ("tls", port)));
        let host = format!("{}.", self.host());
        let port = self.listen.port();
        if self.listen.ip().is_unspecified() {
            let service = ServiceInfo::new(SERVICE, label(&self.name), &host, "", port, &txt[..])?;
            return Ok(service.enable_addr_auto());
        }
        ServiceInfo::new(SERVICE, label(&self.name), &host, self.listen.ip(), port, &txt[..])
    }
}

/// `roomtone-1a2b3c4d.local`: the last eight digits of the id, because the first ones of two hubs installed on one
/// day are the same.
pub fn host_of(hub: HubId) -> String {
    let digits = hub.0.simple().to_string();
    format!("roomtone-{}.local", &digits[digits.len() - 8..])
}

/// Announces until told to stop, then says goodbye, so that nobody tries a hub that is gone.
pub async fn announce(announcement: Announcement, stop: CancellationToken) -> anyhow::Result<()> {
    let daemon = ServiceDaemon::new().context("mDNS could not start")?;
    daemon.set_ip_check_interval(ADDRESS_CHECK_S)?;
    let service = announcement.service().context("the venue's name cannot be announced")?;
    let full_name = service.get_fullname().to_owned();
    let events = daemon.monitor()?;
    daemon.register(service)?;
    tracing::info!("announced as {full_name} ({})", announcement.host());
    let watched = tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = watch(&events) => ended,
    };
    say_goodbye(&daemon, &full_name).await;
    watched
}

/// Tells the operator what the network does to us; ends when the mDNS thread has.
async fn watch(events: &mdns_sd::Receiver<DaemonEvent>) -> anyhow::Result<()> {
    loop {
        match events.recv_async().await.context("mDNS stopped by itself")? {
            DaemonEvent::NameChange(change) => tracing::warn!(
                "another device on this network is called {} too, so this hub is {} now; name the venues differently",
                change.original,
                change.new_name
            ),
            DaemonEvent::IpAdd(ip) => tracing::info!("this machine has a new address: {ip}"),
            DaemonEvent::IpDel(ip) => tracing::info!("this machine has lost the address {ip}"),
            DaemonEvent::Error(error) => tracing::debug!("mDNS: {error}"),
            _ => {}
        }
    }
}

async fn say_goodbye(daemon: &ServiceDaemon, full_name: &str) {
    let goodbye = async {
        let gone = daemon.unregister(full_name)?.recv_async().await?;
        if matches!(gone, UnregisterStatus::NotFound) {
            tracing::debug!("{full_name} was not announced any more");
        }
        let down = daemon.shutdown()?;
        while down.recv_async().await? != DaemonStatus::Shutdown {}
        anyhow::Ok(())
    };
    match tokio::time::timeout(GOODBYE, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("no goodbye by mDNS: {error}"),
        Err(_late) => tracing::debug!("the mDNS goodbye took too long"),
    }
}

/// The name cut to what a DNS label holds, at the end of a character.
fn label(name: &str) -> &str {
    let mut end = name.len().min(LONGEST_LABEL);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short("Café Hüb ☕", "Café Hüb ☕")]
    #[case::just_fits(&"a".repeat(63), &"a".repeat(63))]
    #[case::too_long(&"a".repeat(64), &"a".repeat(63))]
    #[case::never_half_a_character(&"☕".repeat(22), &"☕".repeat(21))]
    #[case::no_space_at_the_end(&format!("{} b", "a".repeat(62)), &"a".repeat(62))]
    fn a_name_is_cut_to_a_label(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(label(name), expected);
    }

    #[test]
    fn the_announcement_tells_ids_and_never_a_foreign_name() {
        let hub = "01890000-0000-7000-8000-00001a2b3c4d".parse().unwrap();
        let venue = "01890000-0000-7000-8000-000000000002".parse().unwrap();
        let listen = "192.0.2.7:4700".parse().unwrap();
        let service = Announcement { hub, venue, name: "Bar".to_owned(), listen, tls: Some(4701) };
        let service = service.service().unwrap();
        assert_eq!(service.get_hostname(), "roomtone-1a2b3c4d.local.");
        assert_eq!(service.get_fullname(), "Bar._roomtone._tcp.local.");
        let txt = |key: &str| service.get_property_val_str(key).map(str::to_owned);
        assert_eq!(txt("id"), Some(hub.to_string()));
        assert_eq!(txt("venue"), Some(venue.to_string()));
        assert_eq!(["txtvers", "path", "api"].map(txt), ["1", "/graphql", "1"].map(|v| Some(v.to_owned())));
        assert_eq!(txt("tls").as_deref(), Some("4701"));
        assert!(!service.is_addr_auto());
    }
}
