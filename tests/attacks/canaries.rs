//! Secrets stay out of logs, answers and metrics (C9), however much is logged.

use roomtone_tests::TestVenue;
use serde_json::json;

use crate::wire::{escaped, post, request};

/// A word that stands nowhere else.
fn canary(number: u32) -> String {
    format!("canary{number:04}SECRETsecretSECRET{number:04}")
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let mut venue = TestVenue::closed();
    roomtone_tests::write_tones(&venue.library(), 1, 6);
    venue = venue
        .import()
        .open_with_env([("ROOMTONE_LOG", "trace".to_owned()), ("RUST_LOG", "trace".to_owned())]);
    let ana = venue.check_in("ana").await;
    let mut secrets = vec![ana.token().unwrap().to_owned(), venue.player_token("bar")];
    let said = venue.run::<&str>("manager token", []).succeeded().stdout;
    secrets.push(said.split_whitespace().max_by_key(|word| word.len()).unwrap().to_owned());
    let mut next = 0;
    let mut secret = || {
        next += 1;
        secrets.push(canary(next));
        canary(next)
    };
    // A token in every place where somebody may put one, also a wrong one.
    let query = "{\"query\":\"{ me { id } }\"}";
    for headers in [
        format!("authorization: Bearer {}\r\n", secret()),
        format!("authorization: {}\r\n", secret()),
        format!("authorization: Basic {}\r\n", secret()),
        format!("cookie: roomtone_device={}\r\n", secret()),
        format!("cookie: other={}\r\n", secret()),
    ] {
        assert_eq!(post(&venue, &headers, query).status, 200, "{headers}");
    }
    let input =
        json!({ "venueCode": secret(), "ticket": secret(), "idempotencyKey": roomtone_tests::new_key() });
    let check_in =
        "mutation($input: CheckInInput!) { checkIn(input: $input) { token userErrors { message } } }";
    let answers = [
        post(&venue, "", &json!({ "query": check_in, "variables": { "input": input } }).to_string()),
        post(
            &venue,
            "",
            &format!("{{\"query\":\"mutation {{ checkIn(input: {{ venueCode: \\\"{}\\\" ", secret()),
        ),
        post(&venue, "", &json!({ "query": "{ me { id } }", "variables": { "x": secret() } }).to_string()),
        request(&venue, "GET", &format!("/api/player/next-song?token={}", secret()), "", ""),
        request(
            &venue,
            "GET",
            "/api/player/next-song",
            &format!("authorization: Bearer {}\r\n", secret()),
            "",
        ),
        request(&venue, "GET", &format!("/media/{}?sig={}", "0".repeat(64), secret()), "", ""),
        request(&venue, "GET", &format!("/graphql?query={}&token={}", escaped("{me{id}}"), secret()), "", ""),
    ];
    let mut socket = ana.subscribe("subscription { vibe { consensus } }").await;
    socket.next_within(crate::wire::PATIENCE).await;
    drop(socket);
    let metrics = request(&venue, "GET", "/metrics", "", "").body;
    let log = venue.hub().log().join("\n");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "nothing was logged at that level: {log}");
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "logged: {line:?}");
        assert!(!metrics.contains(secret), "in the metrics: {secret}");
        assert!(answers.iter().all(|answer| !answer.body.contains(secret)), "answered: {secret}");
    }
    venue.close();
}
