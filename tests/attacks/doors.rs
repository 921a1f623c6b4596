//! What is read at all, from whom and under which name (G8 to G10, G13, G17, G18).

use std::fmt::Write as _;
use std::io::Write as _;

use roomtone_tests::TestVenue;
use serde_json::json;

use crate::cost::{assert_cheap, cost_of};
use crate::wire::{assert_alive, connect, escaped, exchange, post, request};

const MUTATION: &str = "mutation($input: CheckInInput!) { checkIn(input: $input) { token } }";

/// A check-in that would work, were it read.
fn check_in(venue: &TestVenue) -> String {
    let input = json!({ "idempotencyKey": roomtone_tests::new_key(), "venueCode": venue.code() });
    json!({ "query": MUTATION, "variables": { "input": input } }).to_string()
}

async fn nobody_came(venue: &TestVenue) {
    assert_eq!(venue.passer_by().vibe().await["activeListeners"], 0);
}

#[tokio::test]
async fn g8_lists_of_operations_are_not_run() {
    let mut venue = TestVenue::empty();
    for operations in [1, 1_000] {
        let one = if operations == 1 { check_in(&venue) } else { "{\"query\":\"{venue{name}}\"}".to_owned() };
        let batch = format!("[{}]", vec![one; operations].join(","));
        let reply = post(&venue, "", &batch);
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.body.contains("one operation per request"), "{reply:?}");
        assert_cheap(&venue, || drop(post(&venue, "", &batch)));
    }
    let huge = format!("[{}]", vec!["{\"query\":\"{venue{name}}\"}"; 100_000].join(","));
    assert_eq!(post(&venue, "", &huge).status, 413);
    nobody_came(&venue).await;
    venue.close();
}

#[tokio::test]
async fn g9_what_a_foreign_page_can_send_changes_nothing() {
    let mut venue = TestVenue::empty();
    let body = check_in(&venue);
    for kind in [
        "",
        "content-type: text/plain\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: multipart/form-data; boundary=x\r\n",
        "content-type: text/plain; application/json\r\n",
        "content-type: application/graphql\r\n",
    ] {
        let reply = request(&venue, "POST", "/graphql", kind, &body);
        assert_eq!(reply.status, 415, "{kind}: {reply:?}");
    }
    let inline = format!(
        "mutation {{ checkIn(input: {{ idempotencyKey: \"{}\", venueCode: \"{}\" }}) {{ token }} }}",
        roomtone_tests::new_key(),
        venue.code()
    );
    for path in
        [format!("/graphql?query={}", escaped(&inline)), format!("/graphql?query={}&x=1", escaped(&inline))]
    {
        let reply = request(&venue, "GET", &path, "", "");
        assert_eq!(reply.status, 405, "{reply:?}");
        assert!(reply.head.contains("allow: post"), "{reply:?}");
    }
    for origin in
        ["https://attacker.example", "null", "http://127.0.0.1", "http://127.0.0.1.attacker.example"]
    {
        let reply = post(&venue, &format!("origin: {origin}\r\n"), &body);
        assert_eq!(reply.status, 403, "{origin}: {reply:?}");
    }
    nobody_came(&venue).await;
    let own = post(&venue, &format!("origin: http://127.0.0.1:{}\r\n", venue.port()), &body);
    assert!(own.json()["data"]["checkIn"]["token"].is_string(), "{own:?}");
    venue.close();
}

#[test]
fn g10_a_body_beyond_64_kib_is_not_read_whether_it_says_so_or_not() {
    let mut venue = TestVenue::empty();
    let host = format!("host: 127.0.0.1:{}\r\n", venue.port());
    let head =
        format!("POST /graphql HTTP/1.1\r\n{host}connection: close\r\ncontent-type: application/json\r\n");
    let announced = exchange(&venue, format!("{head}content-length: 50000000\r\n\r\n").as_bytes());
    assert_eq!(announced.status, 413);
    let piece = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    for _ in 0..6_000 {
        chunked += &piece;
    }
    let cost = cost_of(&venue, || assert_eq!(exchange(&venue, chunked.as_bytes()).status, 413));
    assert!(cost.peak_kib < 2 * 1024, "50 MB were read into {} KiB", cost.peak_kib);
    let mut exact = json!({ "query": "{ venue { name } }", "extensions": { "x": "" } }).to_string();
    exact.insert_str(exact.len() - 3, &"x".repeat(64 * 1024 - exact.len()));
    assert_eq!((exact.len(), post(&venue, "", &exact).status), (64 * 1024, 200));
    assert_eq!(post(&venue, "", &format!("{exact} ")).status, 413);
    // A request that is two requests to somebody in between.
    let both = format!("{head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(matches!(exchange(&venue, both.as_bytes()).status, 400 | 200..300));
    venue.close();
}

#[test]
fn g13_a_page_elsewhere_opens_no_websocket() {
    let mut venue = TestVenue::empty();
    // Where it is refused, the connection ends.
    let upgrade = "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n";
    let own = format!("127.0.0.1:{}", venue.port());
    for (host, origin, status) in [
        (own.as_str(), Some("https://attacker.example"), 403),
        (own.as_str(), Some("null"), 403),
        ("attacker.example", Some("http://attacker.example"), 421),
        ("attacker.example", None, 421),
    ] {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        let reply = exchange(
            &venue,
            format!("GET /graphql HTTP/1.1\r\nhost: {host}\r\n{origin}{upgrade}\r\n").as_bytes(),
        );
        assert_eq!(reply.status, status, "{reply:?}");
    }
    let mut stream = connect(&venue);
    let upgrade = upgrade.replace(", close", "");
    write!(stream, "GET /graphql HTTP/1.1\r\nhost: {own}\r\norigin: http://{own}\r\n{upgrade}\r\n").unwrap();
    let mut line = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 101");
    drop(stream);
    venue.close();
}

#[test]
fn g17_a_name_that_somebody_else_could_own_is_misdirected() {
    let mut venue = TestVenue::empty();
    let port = venue.port();
    let body = "{\"query\":\"{venue{name}}\"}";
    for (host, status) in [
        ("attacker.example".to_owned(), 421),
        (format!("attacker.example:{port}"), 421),
        (format!("127.0.0.1.attacker.example:{port}"), 421),
        (format!("127.0.0.1@attacker.example:{port}"), 421),
        (String::new(), 421),
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("cafe.local:{port}"), 200),
    ] {
        assert_eq!(post(&venue, &format!("host: {host}\r\n"), body).status, status, "{host}");
    }
    for path in ["/", "/media/x", "/health", "/metrics", "/api/player/next-song"] {
        assert_eq!(request(&venue, "GET", path, "host: attacker.example\r\n", "").status, 421, "{path}");
    }
    let twice = format!("host: 127.0.0.1:{port}\r\nhost: attacker.example\r\n");
    assert!(matches!(post(&venue, &twice, body).status, 400 | 421));
    assert!(matches!(post(&venue, "x-forwarded-host: attacker.example\r\n", body).status, 200));
    venue.close();
}

#[test]
fn g18_files_are_not_taken_by_graphql() {
    let mut venue = TestVenue::empty();
    let mut upload = String::new();
    for number in 0..50 {
        let _ = write!(
            upload,
            "--x\r\ncontent-disposition: form-data; name=\"{number}\"; filename=\"f\"\r\n\r\n{}\r\n",
            "y".repeat(1_000)
        );
    }
    upload += "--x--\r\n";
    let send =
        || request(&venue, "POST", "/graphql", "content-type: multipart/form-data; boundary=x\r\n", &upload);
    assert_eq!(send().status, 415);
    assert_cheap(&venue, || drop(send()));
    assert!(!include_str!("../../schema/hub.graphql").contains("Upload"));
    assert_alive(&venue);
    venue.close();
}
