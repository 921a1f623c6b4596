//! Places that are for staff: who comes is known before they are given out.

use std::time::Duration;

use roomtone_server::front::FrontSettings;
use roomtone_server::serve::ServeSettings;

use crate::server::{PATIENCE, Server};

/// A place was wanted by somebody who is known, and there is none for them.
const NO_PLACE: u16 = 4503;

fn for_staff() -> FrontSettings {
    FrontSettings {
        sockets: 4,
        sockets_per_device: 2,
        sockets_for_guests: Some(1),
        // These tests end long before.
        hello_time: Duration::from_mins(10),
        ..FrontSettings::default()
    }
}

#[tokio::test]
async fn guests_take_no_place_of_a_player_and_a_player_none_of_another() {
    let server = Server::start(for_staff()).await;
    for (token, player) in [("bar", 1), ("door", 2)] {
        server.doors.let_in(token, player);
    }
    let guest = server.greeted(None).await;
    assert_eq!(server.introduced(None).await.closed().await, NO_PLACE);
    let mut bars = vec![server.greeted(Some("bar")).await, server.greeted(Some("bar")).await];
    assert_eq!(server.introduced(Some("bar")).await.closed().await, NO_PLACE, "it has two");
    let _door = server.greeted(Some("door")).await;
    server.holds(4).await;
    assert_eq!(server.introduced(Some("door")).await.closed().await, NO_PLACE, "all four are taken");
    bars.pop();
    server.holds(3).await;
    assert_eq!(server.introduced(None).await.closed().await, NO_PLACE, "it was no guest's");
    bars.push(server.greeted(Some("bar")).await);
    drop(guest);
    server.holds(3).await;
    let _next = server.greeted(None).await;
}

#[tokio::test]
async fn who_has_not_said_who_it_is_has_no_place_and_counts_as_a_connection() {
    let connections = ServeSettings { connections_per_address: Some(3), ..ServeSettings::default() };
    let server = Server::holding(for_staff(), connections).await;
    server.doors.let_in("bar", 1);
    let mut silent = vec![server.silent().await.unwrap(), server.silent().await.unwrap()];
    server.holds(0).await;
    let _bar = server.greeted(Some("bar")).await;
    assert!(server.silent().await.is_none(), "three came from here, and are here");
    silent.pop();
    let let_in = async {
        while server.silent().await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, let_in).await.expect("who leaves gives back what it counted for");
}
