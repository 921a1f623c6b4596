//! Who does not read is let go, and costs nobody else anything meanwhile.

use std::time::Duration;

use roomtone_server::front::FrontSettings;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use crate::server::{PATIENCE, Server};

/// Large enough to fill whatever the system holds back for a reader within some messages.
const FLOOD: &str = "subscription { flood(bytes: 50000) }";

/// What this process holds in memory, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test]
async fn who_never_reads_is_let_go_when_a_write_has_waited_too_long_and_the_others_are_served_all_along() {
    let settings = FrontSettings { write_time: Duration::from_millis(1_500), ..FrontSettings::default() };
    let server = Server::start(settings).await;
    let mut other = server.greeted(None).await;
    server.holds(1).await;
    let before = resident();
    let mut deaf = Vec::new();
    for _client in 0..20 {
        deaf.push(server.deaf(FLOOD).await);
    }
    let begun = Instant::now();
    let (mut most, mut turn) = (resident(), 0);
    let let_go = server.holds(1);
    tokio::pin!(let_go);
    loop {
        let asking = async {
            let asked = Instant::now();
            other.subscribe(&format!("q{turn}"), "{ hello }").await;
            assert_eq!(other.hear().await["type"], "next");
            assert_eq!(other.hear().await["type"], "complete");
            assert!(asked.elapsed() < Duration::from_secs(1), "the others waited {:?}", asked.elapsed());
        };
        tokio::select! {
            () = &mut let_go => break,
            () = asking => {}
        }
        turn += 1;
        most = most.max(resident());
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "they were held for {:?}", begun.elapsed());
    let grown = most.saturating_sub(before) / 20;
    assert!(grown < 2 << 20, "each of them cost {grown} bytes");
    for mut stream in deaf {
        // What had been on its way may still be read; then the connection is gone, not merely silent.
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(end.is_err(), "a reset");
    }
}

#[tokio::test]
async fn who_reads_late_but_in_time_is_kept() {
    let settings = FrontSettings { write_time: Duration::from_secs(10), ..FrontSettings::default() };
    let server = Server::start(settings).await;
    let mut slow = server.deaf(FLOOD).await;
    let mut piece = vec![0; 8 << 10];
    let mut total = 0;
    while total < 20 << 20 {
        let read = tokio::time::timeout(PATIENCE, slow.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {total} bytes");
        total += read;
    }
    server.holds(1).await;
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_let_go_and_who_answers_pings_is_not() {
    let settings = FrontSettings {
        ping_every: Duration::from_millis(100),
        pong_time: Duration::from_millis(700),
        ..FrontSettings::default()
    };
    let server = Server::start(settings).await;
    let mut other = server.greeted(None).await;
    let _dead = server.deaf("subscription { quiet }").await;
    server.holds(2).await;
    let listening = async {
        loop {
            other.hear().await;
        }
    };
    tokio::select! {
        () = server.holds(1) => {}
        () = listening => {}
    }
    other.subscribe("1", "{ hello }").await;
    assert_eq!(other.hear().await["type"], "next");
}

#[tokio::test]
async fn who_never_reads_does_not_hold_up_a_stop() {
    let settings = FrontSettings { write_time: Duration::from_secs(2), ..FrontSettings::default() };
    let server = Server::start(settings).await;
    let mut other = server.greeted(None).await;
    let _deaf = server.deaf(FLOOD).await;
    server.holds(2).await;
    let (code, ()) = tokio::join!(other.closed(), server.stop());
    assert_eq!(code, 1001);
}
