//! The demo: a venue with music of its own making, a silent player and simulated guests, on the real hub.
//!
//! Everything in it goes the way it would go in a venue: the songs are audio files that are imported, the player and
//! the guests speak to the hub over the network as any other would. Only the sound is missing.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::{is_coloured, say, show};
use crate::config::Listen;
use crate::hub::Hub;
use crate::qr;
use crate::service::{Service, Setup};
use crate::trouble::Trouble;

mod client;
mod guests;
mod library;
mod silent_player;
pub mod synth;

/// What the venue of a demo is called.
pub const VENUE: &str = "Roomtone demo";

/// Ports to look at where the first is taken and nobody chose one.
const PORTS_TO_TRY: u16 = 20;

/// How a demo runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Simulated guests.
    pub guests: u16,
    /// Where their chance begins.
    pub seed: u64,
    /// Whether the next free port will do: nobody has chosen one, and nothing points to this hub yet.
    pub may_move: bool,
}

/// Runs the demo until told to stop.
pub async fn run(mut setup: Setup, options: Options, stop: CancellationToken) -> Result<(), Trouble> {
    if options.may_move {
        move_to_a_free_port(&mut setup.config.network.listen);
    }
    // The guests all come from this machine's own address; they must not use up what is meant for real phones there.
    setup.config.limits.new_devices_burst += u32::from(options.guests);
    let service = Service::start(&setup).await?;
    let played = begin(&service, &setup, options).await;
    if played.is_ok() {
        welcome(&service);
        show_status(&service.hub, &stop).await;
        stop.cancelled().await;
    }
    service.stop().await;
    played
}

async fn begin(service: &Service, setup: &Setup, options: Options) -> Result<(), Trouble> {
    let token = silent_player::token(&service.hub, &setup.data).await?;
    let hub = service.hub.clone();
    let address = own_address(&service.place.listening);
    let folder = setup.data.join("songs");
    let songs = hub.clone();
    service
        .supervisor
        .keep_running("demo songs", move |stop| library::fill(songs.clone(), folder.clone(), stop));
    service
        .supervisor
        .keep_running("demo player", move |stop| silent_player::play(address, token.clone(), stop));
    if 0 < options.guests {
        let code = hub.room_code(hub.main_zone());
        let code =
            code.map(|code| code.for_screens().to_owned()).map_err(|error| Trouble::harmless(error, ""))?;
        let party = guests::Party { address, code, guests: options.guests.into(), seed: options.seed };
        service.supervisor.keep_running("demo guests", move |stop| guests::visit(party.clone(), stop));
    }
    Ok(())
}

/// The first port from the usual one on that nobody has.
fn move_to_a_free_port(listen: &mut Listen) {
    for address in &mut listen.0 {
        let wanted = address.port();
        let free = (wanted..wanted.saturating_add(PORTS_TO_TRY))
            .find(|port| TcpListener::bind(SocketAddr::new(address.ip(), *port)).is_ok());
        if let Some(port) = free.filter(|port| *port != wanted) {
            say(format!("Port {wanted} is taken, so the demo is on port {port}."));
            address.set_port(port);
        }
    }
}

/// How this machine reaches its own hub.
fn own_address(listening: &[SocketAddr]) -> SocketAddr {
    let first = listening.first().copied().unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    match first.ip() {
        ip if !ip.is_unspecified() => first,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, first.port())),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, first.port())),
    }
}

fn welcome(service: &Service) {
    let code = service.hub.room_code(service.hub.main_zone());
    let code = code.map(|code| code.for_screens().to_owned()).unwrap_or_default();
    let url = qr::page_url(service.place.to_print(), &code);
    match qr::for_terminal(&url, is_coloured()) {
        Ok(drawn) => say(drawn.trim_end_matches('\n')),
        Err(error) => tracing::warn!("no QR code: {error}"),
    }
    say(format!("Roomtone is at {url}"));
    say(format!("Its GraphQL can be tried at {}", url.replacen("/#", "/graphiql#", 1)));
    show::secure(service);
    say("Scan the code with a phone on this network, or open the page here. Ctrl-C ends the demo.");
}

/// One line that tells what is going on, where somebody is looking.
async fn show_status(hub: &Hub, stop: &CancellationToken) {
    if !io::stderr().is_terminal() {
        return;
    }
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(each_second.tick()).await.is_some() {
        let _nobody_looks = write!(io::stderr().lock(), "\r\x1b[2K{}", status_line(hub));
    }
    let _nobody_looks = writeln!(io::stderr().lock(), "\r\x1b[2KThe demo ends.");
}

fn status_line(hub: &Hub) -> String {
    let health = hub.health();
    let playing = hub.now_playing(hub.main_zone()).ok().and_then(|playing| playing.borrow().clone());
    let title = playing.as_ref().map_or("making music ...", |now| now.pick.song.facts.title.as_str());
    let position = playing
        .as_ref()
        .map_or(0, |now| u64::from(now.position_ms) / 1_000 + hub.now().since(now.as_of).as_secs());
    let length = playing.as_ref().map_or(0, |now| now.pick.song.facts.duration_ms / 1_000);
    format!(
        "\u{266a} {title} {}:{:02} of {}:{:02} | {} here | {} songs",
        position / 60,
        position % 60,
        length / 60,
        length % 60,
        health.active_listeners,
        health.playable_songs
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_chose_a_port_the_demo_takes_the_next_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = (taken.local_addr().unwrap(), taken);
        let mut listen = Listen(vec![taken.0]);
        move_to_a_free_port(&mut listen);
        assert!(taken.0.port() < listen.0[0].port(), "{listen:?}");
        TcpListener::bind(listen.0[0]).unwrap();
    }

    #[test]
    fn the_demo_reaches_its_own_hub_whatever_it_listens_on() {
        let own = |text: &str| own_address(&[text.parse().unwrap()]).to_string();
        assert_eq!(own("[::]:4700"), "[::1]:4700");
        assert_eq!(own("0.0.0.0:4700"), "127.0.0.1:4700");
        assert_eq!(own("192.0.2.7:4700"), "192.0.2.7:4700");
    }
}
