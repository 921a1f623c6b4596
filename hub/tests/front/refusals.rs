//! What the API says to input that cannot be meant: a code for programs, a sentence for people, nothing stored.

use std::time::Duration;

use serde_json::{Value, json};

use crate::venue::{Venue, global, key};

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("not refused: {payload:#}"))
}

async fn vote(venue: &Venue, token: Option<&str>, song: &str) -> Value {
    venue
        .mutate(
            token,
            "vote",
            "VoteInput",
            json!({ "songId": song, "value": "LIKE" }),
            "vote { id } taste { value }",
        )
        .await
}

#[tokio::test]
async fn a_wrong_room_code_lets_nobody_in() {
    let venue = Venue::empty().await;
    let payload = venue
        .mutate(
            None,
            "checkIn",
            "CheckInInput",
            json!({ "venueCode": "WRONG-CODES" }),
            "token session { id }",
        )
        .await;
    assert_eq!(code(&payload), "FORBIDDEN");
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "venueCode"]));
    assert_eq!((&payload["token"], &payload["session"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn voting_without_having_checked_in_is_refused() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    assert_eq!(code(&vote(&venue, None, &song).await), "NOT_CHECKED_IN");
    assert_eq!(code(&vote(&venue, Some("a-token-of-nobody"), &song).await), "NOT_CHECKED_IN");
}

#[tokio::test]
async fn a_session_that_ran_out_is_told_so() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    let token = venue.check_in().await;
    venue.clock.advance(Duration::from_hours(13));
    venue.hub.tick().await.unwrap();
    let payload = vote(&venue, Some(&token), &song).await;
    assert_eq!(code(&payload), "EXPIRED");
    assert!(payload["userErrors"][0]["message"].as_str().unwrap().contains("check in again"));
    assert_eq!(venue.ask(Some(&token), "{ me { id } }", json!({})).await["data"]["me"], Value::Null);
}

#[tokio::test]
async fn songs_that_are_not_here_take_no_votes() {
    let venue = Venue::empty().await;
    let song = venue.add_song(1).await;
    let token = venue.check_in().await;
    let stranger = "U29uZzowMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA";
    let unknown = vote(&venue, Some(&token), stranger).await;
    assert_eq!(code(&unknown), "NOT_FOUND");
    assert_eq!(unknown["userErrors"][0]["field"], json!(["input", "songId"]));
    assert_eq!(code(&vote(&venue, Some(&token), "nonsense").await), "INVALID");
    assert!(venue.hub.withdraw_song(song).await.unwrap());
    assert_eq!(code(&vote(&venue, Some(&token), &global(song)).await), "NOT_FOUND");
}

#[tokio::test]
async fn the_eleventh_vote_in_a_minute_waits() {
    let venue = Venue::empty().await;
    let token = venue.check_in().await;
    for number in 0..10 {
        let song = global(venue.add_song(number).await);
        assert_eq!(vote(&venue, Some(&token), &song).await["userErrors"], json!([]));
    }
    let song = global(venue.add_song(10).await);
    assert_eq!(code(&vote(&venue, Some(&token), &song).await), "RATE_LIMITED");
    venue.clock.advance(Duration::from_mins(1));
    assert_eq!(vote(&venue, Some(&token), &song).await["userErrors"], json!([]));
}

#[tokio::test]
async fn a_vote_counts_and_is_shown_to_its_voter_only() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    let (token, other) = (venue.check_in().await, venue.check_in().await);
    let payload = vote(&venue, Some(&token), &song).await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["taste"].as_array().unwrap().len(), 5);
    let query = "query($id: ID!) { node(id: $id) { ... on Song { viewerVote } } }";
    let asked = json!({ "id": song });
    assert_eq!(venue.ask(Some(&token), query, asked.clone()).await["data"]["node"]["viewerVote"], "LIKE");
    assert_eq!(
        venue.ask(Some(&other), query, asked.clone()).await["data"]["node"]["viewerVote"],
        Value::Null
    );
    assert_eq!(venue.ask(None, query, asked).await["data"]["node"]["viewerVote"], Value::Null);
    let mine = venue
        .ask(Some(&token), "{ me { votes { totalCount nodes { value song { title } } } } }", json!({}))
        .await;
    assert_eq!(
        mine["data"]["me"]["votes"]["nodes"][0],
        json!({ "value": "LIKE", "song": { "title": "Song 1" } })
    );
}

#[tokio::test]
async fn a_key_that_is_no_uuid_is_refused() {
    let venue = Venue::empty().await;
    let input = json!({ "venueCode": venue.code(), "idempotencyKey": "again" });
    let payload = venue.mutate(None, "checkIn", "CheckInInput", input, "token").await;
    assert_eq!(
        (code(&payload), &payload["userErrors"][0]["field"]),
        ("INVALID", &json!(["input", "idempotencyKey"]))
    );
}

#[tokio::test]
async fn a_repeated_vote_returns_the_first_result() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    let token = venue.check_in().await;
    let input = json!({ "songId": song, "value": "LIKE", "idempotencyKey": key() });
    let first = venue.mutate(Some(&token), "vote", "VoteInput", input.clone(), "vote { id }").await;
    let again = venue.mutate(Some(&token), "vote", "VoteInput", input, "vote { id }").await;
    assert_eq!(first, again);
}

#[tokio::test]
async fn listeners_claim_no_songs_and_players_cast_no_votes() {
    let venue = Venue::with_songs(1).await;
    let (listener, player) = (venue.check_in().await, venue.player_token().await);
    let claim =
        venue.mutate(Some(&listener), "claimNextSong", "ClaimNextSongInput", json!({}), "pick { id }").await;
    assert_eq!(code(&claim), "FORBIDDEN");
    let song = "U29uZzowMDAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA";
    assert_eq!(code(&vote(&venue, Some(&player), song).await), "FORBIDDEN");
}

#[tokio::test]
async fn a_player_of_an_empty_library_is_told_how_to_fill_it() {
    let venue = Venue::empty().await;
    let player = venue.player_token().await;
    let claim =
        venue.mutate(Some(&player), "claimNextSong", "ClaimNextSongInput", json!({}), "pick { id }").await;
    assert_eq!(code(&claim), "NOT_FOUND");
    assert_eq!(claim["userErrors"][0]["message"], "no music yet: run `roomtone-hub import DIR`");
}

#[tokio::test]
async fn an_unknown_zone_is_an_error_with_a_code() {
    let venue = Venue::empty().await;
    for query in [
        "{ vibe(zoneId: \"x\") { consensus } }",
        "{ upNext(zoneId: \"x\") { rank } }",
        "{ nowPlaying(zoneId: \"x\") { skipVotes } }",
    ] {
        let answer = venue.ask(None, query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
    }
    let answer = venue.ask(None, "{ upNext(first: 51) { rank } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID");
}

#[tokio::test]
async fn checking_out_ends_the_visit() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    let token = venue.check_in().await;
    let out = venue.mutate(Some(&token), "checkOut", "CheckOutInput", json!({}), "session { status }").await;
    assert_eq!(out["session"]["status"], "ENDED");
    assert!(["EXPIRED", "NOT_CHECKED_IN"].contains(&code(&vote(&venue, Some(&token), &song).await)));
}
