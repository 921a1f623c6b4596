//! Streams over real connections: what a slow, a silent and a leaving reader cost, and what each is told at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{EmptyMutation, Object, Schema, Subscription};
use futures_util::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::caller::Caller;
use crate::front::FrontSettings;
use crate::lease::Lease;
use crate::serve::{Entrance, ServeSettings, serve};

/// Long enough for a debug build on a busy machine; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const EVENT_BYTES: usize = 64 * 1024;

/// What the tests see of a running operation.
#[derive(Clone, Default)]
struct Tap {
    events: Arc<AtomicUsize>,
    closed: Arc<Notify>,
}

/// Held by an operation while it runs.
struct Open(Tap);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.notify_one();
    }
}

struct Query;

#[Object]
impl Query {
    async fn one(&self) -> i32 {
        1
    }
}

struct Events(Tap);

#[Subscription]
impl Events {
    /// Has always something more to say.
    async fn flood(&self) -> impl Stream<Item = String> + use<> {
        let open = Open(self.0.clone());
        stream::repeat_with(move || {
            open.0.events.fetch_add(1, Ordering::Relaxed);
            "x".repeat(EVENT_BYTES)
        })
    }

    /// Says how it stands, and nothing changes ever after.
    async fn quiet(&self) -> impl Stream<Item = i32> + use<> {
        let open = Open(self.0.clone());
        stream::once(future::ready(1)).chain(stream::pending()).inspect(move |_| {
            open.0.events.fetch_add(1, Ordering::Relaxed);
        })
    }
}

#[derive(Clone)]
struct Anybody;

impl Gate for Anybody {
    async fn admit(&self, _token: Option<&str>) -> Caller {
        Caller::Anonymous
    }

    fn lease(&self, _token: Option<&str>) -> Lease {
        Lease::endless()
    }
}

struct Server {
    address: SocketAddr,
    tap: Tap,
    stop: CancellationToken,
    _serving: JoinSet<std::io::Result<()>>,
}

async fn served(front: FrontSettings, connections: ServeSettings) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tap, stop) = (Tap::default(), CancellationToken::new());
    let schema = Schema::new(Query, EmptyMutation, Events(tap.clone()));
    let router = Front::new(schema, Anybody, front, stop.clone()).router("/graphql");
    let mut serving = JoinSet::new();
    serving.spawn(serve(Entrance::plain(listener), router, connections, stop.clone()));
    Server { address, tap, stop, _serving: serving }
}

impl Server {
    async fn subscribed(&self, accept: &str, query: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let body = format!(r#"{{"query":"subscription {{ {query} }}"}}"#);
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        stream
    }

    async fn operation_is_closed(&self) {
        tokio::time::timeout(PATIENCE, self.tap.closed.notified()).await.expect("the operation is let go");
    }
}

/// Reads until `enough` or the end of the connection.
async fn heard(stream: &mut TcpStream, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let reading = async {
        while !enough(&text) {
            let mut bytes = [0; 4_096];
            let n = stream.read(&mut bytes).await.unwrap();
            if n == 0 {
                break;
            }
            text += std::str::from_utf8(&bytes[..n]).unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("enough was said");
    text
}

const EVENTS: &str = "text/event-stream";
const PARTS: &str = "multipart/mixed;subscriptionSpec=1.0";

#[tokio::test]
async fn who_reads_nothing_is_cut_off_and_holds_no_memory_meanwhile() {
    let connections = ServeSettings { write_time: Duration::from_millis(200), ..ServeSettings::default() };
    for accept in [EVENTS, PARTS] {
        let server = served(FrontSettings::default(), connections).await;
        let _unread = server.subscribed(accept, "flood").await;
        server.operation_is_closed().await;
        let fetched = server.tap.events.load(Ordering::Relaxed) * EVENT_BYTES;
        assert!(fetched < 32 << 20, "{fetched} bytes: more than the system's buffers hold");
    }
}

#[tokio::test]
async fn who_leaves_frees_the_operation_also_where_it_has_nothing_to_say() {
    let server = served(FrontSettings::default(), ServeSettings::default()).await;
    for accept in [EVENTS, PARTS] {
        let mut stream = server.subscribed(accept, "quiet").await;
        heard(&mut stream, |text| text.contains(r#"{"quiet":1}"#)).await;
        drop(stream);
        server.operation_is_closed().await;
    }
}

#[tokio::test]
async fn a_healthy_stream_outlives_every_timeout_and_shows_signs_of_life() {
    let (blink, short) = (Duration::from_millis(20), Duration::from_millis(200));
    let front =
        FrontSettings { ping_every: blink, answer_time: short, body_time: short, ..FrontSettings::default() };
    let connections = ServeSettings { head_time: short, write_time: short, ..ServeSettings::default() };
    let server = served(front, connections).await;
    for (accept, beat) in [(EVENTS, "\n:\n\n"), (PARTS, "\r\n\r\n{}\r\n--graphql")] {
        let mut stream = server.subscribed(accept, "quiet").await;
        // Forty of them take four times as long as any of the timeouts.
        let text = heard(&mut stream, |text| text.matches(beat).count() >= 40).await;
        assert!(text.contains(r#"{"quiet":1}"#), "{text}");
    }
}

#[tokio::test]
async fn a_stop_ends_streams_and_says_so_where_the_protocol_has_a_word_for_it() {
    for (accept, last) in [(EVENTS, "{\"data\":{\"quiet\":1}}\n\n"), (PARTS, "\r\n--graphql--\r\n")] {
        let server = served(FrontSettings::default(), ServeSettings::default()).await;
        let mut stream = server.subscribed(accept, "quiet").await;
        let mut text = heard(&mut stream, |text| text.contains(r#"{"quiet":1}"#)).await;
        server.stop.cancel();
        text += &heard(&mut stream, |_| false).await;
        assert_eq!(text.contains(r#"{"payload":null,"errors":["#), accept == PARTS, "{text}");
        let body = text.trim_end_matches("\r\n0\r\n\r\n").trim_end_matches("\r\n");
        assert!(body.ends_with(last.trim_end_matches("\r\n")), "{text:?}");
        assert!(text.ends_with("\r\n0\r\n\r\n"), "the body has its end: {text:?}");
    }
}

#[tokio::test]
async fn streams_take_places_and_give_them_back() {
    the_only_place_is_taken_and_given_back(FrontSettings { sockets: 1, ..FrontSettings::default() }).await;
}

#[tokio::test]
async fn streams_of_guests_take_their_places_only() {
    let front = FrontSettings { sockets_for_guests: Some(1), ..FrontSettings::default() };
    the_only_place_is_taken_and_given_back(front).await;
}

async fn the_only_place_is_taken_and_given_back(front: FrontSettings) {
    let server = served(front, ServeSettings::default()).await;
    let mut first = server.subscribed(EVENTS, "quiet").await;
    heard(&mut first, |text| text.contains("data:")).await;
    let mut second = server.subscribed(EVENTS, "quiet").await;
    let refused = heard(&mut second, |text| text.contains("RATE_LIMITED")).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: "), "{refused}");
    drop(first);
    server.operation_is_closed().await;
    let mut third = server.subscribed(EVENTS, "quiet").await;
    assert!(heard(&mut third, |text| text.contains("data:")).await.starts_with("HTTP/1.1 200 "));
}
