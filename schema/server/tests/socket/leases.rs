//! Who may stay no longer is told at once, and nobody is asked in vain.

use std::time::Duration;

use roomtone_server::front::FrontSettings;

use crate::server::Server;

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_own_sockets_and_wakes_no_other() {
    let server = Server::start(FrontSettings::default()).await;
    server.doors.let_in("mine", 1);
    server.doors.let_in("yours", 2);
    let mut own = [server.greeted(Some("mine")).await, server.greeted(Some("mine")).await];
    let mut others = Vec::new();
    for _socket in 0..20 {
        others.push(server.greeted(Some("yours")).await);
        others.push(server.greeted(None).await);
    }
    let asked = server.doors.asked();
    server.doors.revoke("mine");
    for socket in &mut own {
        assert_eq!(socket.closed().await, 4403);
    }
    for socket in &mut others {
        socket.subscribe("1", "{ hello }").await;
        assert_eq!(socket.hear().await["type"], "next");
    }
    assert_eq!(server.doors.asked() - asked, 2, "the gate was asked for the two only");
}

#[tokio::test]
async fn events_ask_the_gate_nothing() {
    let server = Server::start(FrontSettings::default()).await;
    server.doors.let_in("mine", 1);
    let mut socket = server.greeted(Some("mine")).await;
    socket.subscribe("1", "subscription { flood(bytes: 10) }").await;
    let asked = server.doors.asked();
    for _event in 0..1_000 {
        assert_eq!(socket.hear().await["type"], "next");
    }
    assert_eq!(server.doors.asked(), asked);
    server.doors.revoke("mine");
    assert_eq!(socket.closed().await, 4403, "also in the middle of a flood");
}

#[tokio::test]
async fn a_gate_that_says_nothing_is_asked_from_time_to_time() {
    let settings = FrontSettings {
        check_every: Duration::from_millis(200),
        ping_every: Duration::from_millis(50),
        ..FrontSettings::default()
    };
    let server = Server::start(settings).await;
    server.doors.let_in("mine", 1);
    let mut socket = server.greeted(Some("mine")).await;
    server.doors.forget("mine");
    assert_eq!(socket.closed().await, 4403);
}
