//! Connections that are held and not used (G16): cut, while everybody else is served.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use roomtone_tests::TestVenue;

use crate::sockets::Socket;
use crate::wire::{assert_alive, connect, rest_of};

/// The times of a hub that is tested in seconds.
fn hasty() -> [(&'static str, String); 5] {
    [
        ("ROOMTONE_CONNECTIONS_HEAD_S", "1".to_owned()),
        ("ROOMTONE_CONNECTIONS_BODY_S", "1".to_owned()),
        ("ROOMTONE_CONNECTIONS_IDLE_S", "2".to_owned()),
        ("ROOMTONE_CONNECTIONS_WRITE_S", "1".to_owned()),
        ("ROOMTONE_CONNECTIONS_AT_ONCE", "50".to_owned()),
    ]
}

fn venue() -> TestVenue {
    TestVenue::closed().open_with_env(hasty())
}

/// How long the hub keeps a connection that it is waiting for.
fn kept(stream: &mut TcpStream) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    let said = rest_of(stream);
    (began.elapsed(), said)
}

fn say(venue: &TestVenue, bytes: &str) -> TcpStream {
    let mut stream = connect(venue);
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

const HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
const GENEROUS: Duration = Duration::from_secs(10);

#[test]
fn g16_heads_and_bodies_that_do_not_come_are_not_waited_for() {
    let mut venue = venue();
    for (what, begun) in [
        ("no head", String::new()),
        ("half a head", HEAD.to_owned()),
        ("half a body", format!("{HEAD}content-length: 100\r\n\r\n{{")),
        ("half a chunk", format!("{HEAD}transfer-encoding: chunked\r\n\r\n20\r\nx")),
    ] {
        let (time, said) = kept(&mut say(&venue, &begun));
        assert!(time < GENEROUS, "{what}: kept for {time:?}");
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{what}: {said}");
    }
    venue.close();
}

#[test]
fn g16_a_head_that_drips_has_no_more_time_than_another() {
    let mut venue = venue();
    let mut stream = say(&venue, HEAD);
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let began = Instant::now();
    // Each read waits a while for the end, and each write is one more byte of a header.
    while began.elapsed() < GENEROUS {
        let ended = stream.write_all(b"x").is_err() || matches!(stream.read(&mut [0; 512]), Ok(0));
        if ended {
            break;
        }
    }
    assert!(began.elapsed() < GENEROUS, "it may drip for ever");
    venue.close();
}

#[test]
fn g16_a_connection_is_kept_for_the_next_request_and_not_for_ever() {
    let mut venue = venue();
    let body = "{\"query\":\"{venue{name}}\"}";
    let request = format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len());
    let mut stream = say(&venue, &request);
    let mut piece = [0; 4_096];
    for _ in 0..3 {
        // Longer than a head may take, shorter than a connection is kept.
        stream.set_read_timeout(Some(Duration::from_millis(1_300))).unwrap();
        let mut said = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            said.extend_from_slice(&piece[..read]);
        }
        assert!(said.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
        stream.write_all(request.as_bytes()).unwrap();
    }
    stream.set_read_timeout(Some(crate::wire::PATIENCE)).unwrap();
    let (time, _) = kept(&mut stream);
    assert!(time < GENEROUS, "kept for {time:?}");
    venue.close();
}

#[test]
fn g16_who_holds_every_connection_and_asks_nothing_makes_way() {
    let mut venue = venue();
    let held: Vec<_> = (0..50).map(|_| say(&venue, HEAD)).collect();
    let began = Instant::now();
    for _ in 0..5 {
        assert_alive(&venue);
    }
    assert!(began.elapsed() < GENEROUS, "it took {:?}", began.elapsed());
    drop(held);
    venue.close();
}

/// Readers that take nothing: of a song, of large answers one behind the other, of a socket.
#[tokio::test(flavor = "multi_thread")]
async fn g16_who_never_reads_is_given_up_and_harms_nobody() {
    let mut venue = venue();
    let request = "GET /ui/main.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut deaf: Vec<_> = (0..20).map(|_| connect(&venue)).collect();
    for stream in &mut deaf {
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        // As many requests as the buffers take; the hub stops reading once nobody reads its answers.
        while stream.write_all(request.repeat(200).as_bytes()).is_ok() {}
    }
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let mut socket = Socket::greeted(&venue, None).await;
        for number in 0..10 {
            socket
                .subscribe(&number.to_string(), "subscription { vibe { consensus axes { name value } } }")
                .await;
        }
        sockets.push(socket);
    }
    let began = Instant::now();
    for _ in 0..10 {
        assert_alive(&venue);
    }
    assert!(began.elapsed() < GENEROUS, "others waited {:?}", began.elapsed());
    for stream in &mut deaf {
        // What lies in the buffers is read; then there is an end, because the hub gave up.
        let (time, _) = kept(stream);
        assert!(time < GENEROUS, "kept for {time:?}");
    }
    drop(sockets);
    venue.close();
}
