//! `roomtone-hub demo`: one command, and a room plays.

use std::time::Duration;

use roomtone_tests::{RunningHub, eventually_within};

/// A debug build makes and analyses two dozen songs in this time, also on a busy machine.
const SONGS_MADE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn the_demo_plays_and_its_guests_vote() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args =
        ["--data", data.to_str().unwrap(), "demo", "--guests", "3", "--no-mdns", "--listen", "127.0.0.1:0"];
    let mut hub = RunningHub::start_with_patience(args, SONGS_MADE);
    let url = hub.printed("the page's address", |line| {
        let (_, rest) = line.split_once("http://")?;
        Some(format!("http://{}", rest.split('/').next()?))
    });

    let page = reqwest::get(format!("{url}/")).await.unwrap();
    assert!(page.status().is_success());
    assert!(page.text().await.unwrap().contains("<html"));

    let room =
        "{ nowPlaying { song { title } } vibe { activeListeners source } songs(first: 100) { totalCount } }";
    eventually_within(SONGS_MADE, "music plays and guests have voted", async || {
        let room = ask(&url, room).await;
        room["nowPlaying"]["song"]["title"].is_string()
            && room["vibe"]["source"] == "LISTENERS"
            && room["songs"]["totalCount"].as_u64().is_some_and(|n| n >= 24)
    })
    .await;
    hub.stop(&[]);
}

async fn ask(url: &str, query: &str) -> serde_json::Value {
    let body = serde_json::json!({ "query": query }).to_string();
    let request =
        reqwest::Client::new().post(format!("{url}/graphql")).header("content-type", "application/json");
    let answer: serde_json::Value = request.body(body).send().await.unwrap().json().await.unwrap();
    answer["data"].clone()
}
