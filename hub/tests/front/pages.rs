//! The page, the doors, health and metrics.

use roomtone_server::front::{FrontSettings, Introspection};
use rstest::rstest;

use crate::venue::Venue;

#[tokio::test]
async fn the_page_comes_with_a_policy_and_a_tag() {
    let venue = Venue::empty().await;
    let answer = venue.get("/", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("https:"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "deny"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let tag = answer.header("etag").unwrap().to_owned();
    let again = venue.get("/", &format!("if-none-match: {tag}\r\n")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let venue = Venue::empty().await;
    for path in
        ["/nothing", "/ui/nothing.js", "/ui/..%2f..%2fCargo.toml", "/media", "/media/x", "/api/player"]
    {
        let answer = venue.get(path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[rstest]
#[case::rebound("attacker.example", "", 421)]
#[case::configured("music.example:4700", "", 200)]
#[case::local("cafe.local", "", 200)]
#[case::own_page("127.0.0.1:9", "origin: http://127.0.0.1:9\r\n", 200)]
#[case::foreign_page("127.0.0.1:9", "origin: https://attacker.example\r\n", 403)]
#[case::no_page("127.0.0.1:9", "origin: null\r\n", 403)]
#[tokio::test]
async fn the_doors_stand_before_everything(#[case] host: &str, #[case] headers: &str, #[case] status: u16) {
    let venue = Venue::empty().await;
    for path in ["/", "/health", "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\nhost: {host}\r\n{headers}\r\n");
        assert_eq!(venue.raw(&request).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_misdirected() {
    let venue = Venue::empty().await;
    assert_eq!(venue.raw("GET / HTTP/1.0\r\n\r\n").await.status, 421);
}

#[tokio::test]
async fn health_says_what_is_wrong_in_sentences() {
    let venue = Venue::empty().await;
    let empty = venue.get("/health", "").await.json();
    assert_eq!(empty["status"], "degraded");
    assert_eq!(empty["problems"][0], "no music yet: run `roomtone-hub import DIR`");
    let venue = Venue::with_songs(3).await;
    let health = venue.get("/health", "").await.json();
    assert_eq!(health["songs"]["playable"], 3, "{health:#}");
    assert_eq!(health["venue"], "Test");
    assert!(health["disk"]["free_bytes"].as_u64().unwrap() > 0);
    assert!(health["version"].is_string());
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let venue = Venue::with_songs(3).await;
    let token = venue.check_in().await;
    let player = venue.player_token().await;
    let next = format!("authorization: Bearer {player}\r\n");
    assert_eq!(venue.get("/api/player/next-song", &next).await.status, 200);
    let _socket = venue.greeted(Some(&token)).await;
    let answer = venue.get("/metrics", "").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text().to_owned();
    for line in [
        "roomtone_picks_total 1",
        "roomtone_check_ins_total 1",
        "roomtone_subscribers 1",
        "roomtone_listeners 1",
        "roomtone_songs_playable 3",
        "roomtone_silence_seconds_total{player=\"bar\"} 0",
        "roomtone_relaxations_total{rule=\"rest\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    for name in ["commit_seconds_bucket", "outbox_length", "votes_total", "resident_bytes"] {
        assert!(text.contains(&format!("\nroomtone_{name}")), "{name}");
    }
    let is_sound = |line: &str| {
        line.starts_with('#') || line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok())
    };
    assert!(text.lines().all(is_sound), "{text}");
}

#[tokio::test]
async fn where_everybody_may_ask_for_the_schema_everybody_gets_the_query_page() {
    let venue = Venue::with_settings(FrontSettings {
        introspection: Introspection::Everyone,
        ..FrontSettings::default()
    })
    .await;
    let answer = venue.get("/graphiql", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.text().contains("<title>Queries"), "{}", answer.text());
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn in_a_venue_the_query_page_is_the_managers() {
    let venue = Venue::empty().await;
    let guest = venue.check_in().await;
    let player = venue.player_token().await;
    let manager = venue.hub.mint_manager_token().await.unwrap();
    for (token, status, title) in [
        ("", 401, "<title>Sign in"),
        (guest.as_str(), 401, "<title>Sign in"),
        (player.as_str(), 401, "<title>Sign in"),
        (manager.as_str(), 200, "<title>Queries"),
    ] {
        let answer = venue.get("/graphiql", &format!("authorization: Bearer {token}\r\n")).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(title), "{title}: {}", answer.text());
    }
    assert_eq!(venue.get("/ui/query/index.html", "").await.status, 404);
}

#[tokio::test]
async fn a_managers_token_is_taken_at_the_hub_itself_only() {
    let venue = Venue::empty().await;
    let manager = venue.hub.mint_manager_token().await.unwrap();
    // What a proxy on the same machine forwards under the hub's public name.
    let request = format!(
        "GET /graphiql HTTP/1.1\r\nhost: music.example\r\nconnection: close\r\nauthorization: Bearer {manager}\r\n\r\n"
    );
    let answer = venue.raw(&request).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("on the hub’s own machine"), "{}", answer.text());
}
