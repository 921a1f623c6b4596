//! What is shown of a player: on the hub, to its operator, to programs.

use roomtone_tests::{Loudspeaker, eventually_within, player as command};
use serde_json::Value;

use super::{SOME_SECONDS, playing, venue};

#[tokio::test]
async fn the_hub_shows_how_its_player_is() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    eventually_within(SOME_SECONDS, "metrics know it", async || {
        let metrics = reqwest::get(venue.url("/metrics")).await.unwrap().text().await.unwrap();
        let lines: Vec<&str> = metrics.lines().filter(|line| line.contains("player=\"bar\"")).collect();
        lines.iter().any(|line| line.contains("silence")) && lines.iter().any(|line| line.contains("up"))
    })
    .await;
    let listed = venue.run("player list", [] as [&str; 0]).succeeded().stdout;
    assert!(listed.contains("bar"), "{listed}");
    player.stop(&[]);
    venue.close();
}

#[tokio::test]
async fn a_paired_secret_opens_nothing_in_the_clear() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    let identity = std::fs::read_to_string(player.data().join("identity.json")).unwrap();
    let identity: Value = serde_json::from_str(&identity).unwrap();
    let secret = identity["secret"].as_str().unwrap();
    let client = reqwest::Client::new();
    let asked = client.get(venue.url("/api/player/next-song")).bearer_auth(secret).send().await.unwrap();
    assert!(matches!(asked.status().as_u16(), 401 | 404), "{}", asked.status());
    let plan = serde_json::json!({ "query": "{ playerPlan { plan { id } } }" });
    let asked = client.post(venue.url("/graphql")).bearer_auth(secret).json(&plan).send().await.unwrap();
    let answer: Value = asked.json().await.unwrap();
    assert!(answer["data"]["playerPlan"].is_null(), "{answer}");
    let log = player.stop(&[]);
    assert!(!log.iter().any(|line| line.contains(secret)), "the secret is in the log");
    venue.close();
}

#[tokio::test]
async fn only_one_player_runs_on_a_folder_and_the_second_says_so() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    let refused = player.run(["--output", "discard"]).refused();
    assert!(refused.contains("Another player is running"), "{refused}");
    player.stop(&[]);
    venue.close();
}

#[test]
fn outputs_are_listed_and_a_wrong_one_is_told_what_would_do() {
    let listed = command(["--output", "list"]).succeeded().stdout;
    assert!(listed.contains("discard") && listed.contains("file:PATH.wav"), "{listed}");
    let refused = command(["--output", "loud"]).refused();
    assert!(refused.contains("discard"), "{refused}");
}

#[test]
fn a_code_that_is_none_is_told_what_one_looks_like() {
    let mut venue = venue(2);
    let player = Loudspeaker::at(&venue, "bar");
    for code in ["123", "hello", "roomtone://pair?hub=x"] {
        let refused = player.run(["pair", code]).refused();
        assert!(refused.contains("roomtone-hub pair"), "{refused}");
    }
    venue.close();
}
