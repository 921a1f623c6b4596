//! The older plan's terminal API.

use serde_json::json;

use crate::venue::{Answer, Venue};

async fn next(venue: &Venue, token: &str) -> Answer {
    venue.get("/api/player/next-song", &format!("authorization: Bearer {token}\r\n")).await
}

async fn report(venue: &Venue, token: &str, body: &str) -> Answer {
    let headers = format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
    venue.request("POST", "/api/player/status", &headers, body).await
}

#[tokio::test]
async fn it_is_off_until_a_player_exists() {
    let venue = Venue::with_songs(1).await;
    let answer = next(&venue, "anything").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.json()["error"].as_str().unwrap().contains("roomtone-hub player add"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_wrong_token_is_unauthorised() {
    let venue = Venue::with_songs(1).await;
    let _token = venue.player_token().await;
    for answer in [
        next(&venue, "wrong").await,
        venue.get("/api/player/next-song", "").await,
        report(&venue, "wrong", "{}").await,
    ] {
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("bearer")));
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn an_empty_library_says_how_to_fill_it_and_when_to_ask_again() {
    let venue = Venue::empty().await;
    let token = venue.player_token().await;
    let answer = next(&venue, &token).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")));
    assert_eq!(answer.json()["error"], "no music yet: run `roomtone-hub import DIR`");
}

#[tokio::test]
async fn the_song_is_what_the_plan_says_and_its_address_plays() {
    let venue = Venue::with_songs(3).await;
    let token = venue.player_token().await;
    let song = next(&venue, &token).await.json();
    assert_eq!(song["crossfade"], 5_000);
    assert_eq!(song["duration"], 180.0);
    assert!(song["title"].is_string() && song["artist"].is_string());
    let url = song["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", venue.address)).unwrap_or_else(|| panic!("{url}"));
    assert_eq!(venue.get(path, "").await.body.len(), 1_000);
}

#[tokio::test]
async fn the_song_is_repeated_until_a_report_ends_it() {
    let venue = Venue::with_songs(3).await;
    let token = venue.player_token().await;
    let first = next(&venue, &token).await.json();
    let again = next(&venue, &token).await.json();
    assert_eq!(first["pick_id"], again["pick_id"]);
    let playing = json!({ "song_id": first["song_id"], "status": "active", "position": 12.5 });
    let answer = report(&venue, &token, &playing.to_string()).await;
    assert_eq!((answer.status, &answer.json()["current_song_id"]), (200, &first["song_id"]));
    let ended = json!({ "song_id": first["song_id"], "status": "active", "ended": "finished" });
    assert_eq!(report(&venue, &token, &ended.to_string()).await.status, 200);
    let second = next(&venue, &token).await.json();
    assert_ne!(first["song_id"], second["song_id"]);
}

#[tokio::test]
async fn a_report_that_is_none_is_told_what_would_be_one() {
    let venue = Venue::with_songs(1).await;
    let token = venue.player_token().await;
    for body in ["", "{", "[]", r#"{"status":"dancing"}"#, r#"{"status":"active","position":-5}"#] {
        let answer = report(&venue, &token, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"].is_string());
    }
    let unknown = r#"{"status":"active","song_id":"00000000-0000-7000-8000-000000000000"}"#;
    assert_eq!(report(&venue, &token, unknown).await.status, 404);
    assert_eq!(report(&venue, &token, &"x".repeat(20_000)).await.status, 413);
}
