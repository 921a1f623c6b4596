//! State subscriptions: the current value first, then the latest.

use serde_json::{Value, json};

use crate::venue::{Socket, Venue, global};

async fn until(socket: &mut Socket, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = socket.event().await;
        if fits(&event) {
            return event;
        }
    }
}

#[tokio::test]
async fn the_current_value_comes_first() {
    let venue = Venue::with_songs(3).await;
    let player = venue.player_token().await;
    let auth = format!("authorization: Bearer {player}\r\n");
    let song = venue.get("/api/player/next-song", &auth).await.json();
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", "subscription { nowPlaying { song { title } asOf positionMs skipVotesNeeded zone { name } player { name } } }").await;
    let now = socket.event().await["nowPlaying"].clone();
    assert_eq!(now["song"]["title"], song["title"]);
    assert_eq!((&now["zone"]["name"], &now["player"]["name"]), (&json!("main"), &json!("bar")));
    socket.subscribe("2", "subscription { syncStatus { state pendingOperations totalSongs } }").await;
    let status = socket.event().await["syncStatus"].clone();
    assert_eq!((&status["state"], &status["totalSongs"]), (&json!("OFFLINE"), &json!(3)));
    socket.subscribe("3", "subscription { players { name status } }").await;
    assert_eq!(socket.event().await["players"][0]["name"], "bar");
}

#[tokio::test]
async fn nothing_plays_is_a_value_too() {
    let venue = Venue::empty().await;
    let mut socket = venue.greeted(None).await;
    socket.subscribe("1", "subscription { nowPlaying { song { title } } }").await;
    assert_eq!(socket.event().await, json!({ "nowPlaying": null }));
}

#[tokio::test]
async fn a_check_in_and_a_like_are_seen_on_another_phone() {
    let venue = Venue::empty().await;
    let song = global(venue.add_song(1).await);
    venue.hub.settle().await;
    let mut other = venue.greeted(None).await;
    other.subscribe("1", "subscription { vibe { activeListeners source axes { name value } } }").await;
    assert_eq!(other.event().await["vibe"]["activeListeners"], 0);
    let token = venue.check_in().await;
    until(&mut other, |event| event["vibe"]["activeListeners"] == 1).await;
    let input = json!({ "songId": song, "value": "LIKE" });
    let voted = venue.mutate(Some(&token), "vote", "VoteInput", input, "vote { id }").await;
    assert_eq!(voted["userErrors"], json!([]));
    until(&mut other, |event| event["vibe"]["source"] == "LISTENERS").await;
}

#[tokio::test]
async fn the_position_is_reckoned_at_the_moment_of_the_answer() {
    let venue = Venue::with_songs(3).await;
    let player = venue.player_token().await;
    let auth = format!("authorization: Bearer {player}\r\n");
    assert_eq!(venue.get("/api/player/next-song", &auth).await.status, 200);
    let query = "{ nowPlaying { positionMs asOf } }";
    let before =
        venue.ask(None, query, json!({})).await["data"]["nowPlaying"]["positionMs"].as_i64().unwrap();
    venue.clock.advance(std::time::Duration::from_secs(10));
    let after = venue.ask(None, query, json!({})).await["data"]["nowPlaying"]["positionMs"].as_i64().unwrap();
    assert_eq!(after - before, 10_000);
}

#[tokio::test]
async fn a_player_is_given_its_own_orders_and_nobody_elses() {
    let venue = Venue::with_songs(3).await;
    let added = venue.hub.add_player("bar".to_owned(), None, None).await.unwrap();
    let mut stranger = venue.greeted(None).await;
    stranger.subscribe("1", "subscription { playerCommands { kind } }").await;
    let refused = stranger.hear().await;
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    let mut player = venue.greeted(Some(&added.token)).await;
    player.subscribe("1", "subscription { playerCommands { kind volume } }").await;
    assert_eq!(player.event().await["playerCommands"], json!({ "kind": "VOLUME", "volume": 1.0 }));
    assert_eq!(player.event().await["playerCommands"]["kind"], "RESUME", "what holds comes first");
    let kind = roomtone_hub::view::PlayerCommandKind::Volume;
    venue.hub.command(added.player.id, kind, Some(0.5)).await.unwrap();
    assert_eq!(player.event().await["playerCommands"], json!({ "kind": "VOLUME", "volume": 0.5 }));
}

#[tokio::test]
async fn a_claim_brings_the_song_and_the_plan() {
    let venue = Venue::with_songs(8).await;
    let player = venue.player_token().await;
    let select = "pick { id sha256 bytes mediaUrl gainDb cueOutMs crossfadeMs song { title } explanation { reasons { code value } } } plan { song { title } }";
    let claim = venue.mutate(Some(&player), "claimNextSong", "ClaimNextSongInput", json!({}), select).await;
    assert_eq!(claim["userErrors"], json!([]));
    assert_eq!(claim["pick"]["bytes"], 1_000);
    assert!(!claim["plan"].as_array().unwrap().is_empty());
    let file = venue.get(claim["pick"]["mediaUrl"].as_str().unwrap(), "").await;
    assert_eq!(file.status, 200);
    let input =
        json!({ "status": "ACTIVE", "pickId": claim["pick"]["id"], "positionMs": 1_000, "silenceMs": 250 });
    let report = venue
        .mutate(Some(&player), "reportPlayback", "ReportPlaybackInput", input, "player { name status }")
        .await;
    assert_eq!(report["player"], json!({ "name": "bar", "status": "ACTIVE" }));
}
