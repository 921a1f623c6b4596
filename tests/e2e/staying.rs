//! What a restart, a power cut and a wrong clock leave untouched.

use roomtone_tests::{Guest, TestVenue, eventually};
use serde_json::json;

#[tokio::test]
async fn a_restart_keeps_everything() {
    let venue = TestVenue::with_songs(12);
    let (ana, terminal) = (venue.check_in("ana").await, venue.terminal("bar"));
    let code = venue.code().to_owned();
    likes_three(&ana).await;
    let song = terminal.next_song().await;
    let before = remembered(&ana).await;

    let mut venue = venue.restart();

    assert_eq!(venue.code(), code, "the poster still opens the door");
    assert_eq!(remembered(&ana).await, before);
    assert_eq!(terminal.next_song().await["song_id"], song["song_id"], "the same song is current");
    venue.close();
}

#[tokio::test]
async fn a_power_cut_loses_no_vote_that_was_acknowledged() {
    let mut venue = TestVenue::with_songs(12);
    let ana = venue.check_in("ana").await;
    likes_three(&ana).await;
    let votes = ana.votes().await;
    assert_eq!(votes.len(), 3);

    venue.power_cut();
    let mut venue = venue.open();

    assert_eq!(ana.votes().await, votes);
    venue.close_apart_from(&["not shut down", "unclean", "was not stopped"]);
}

#[tokio::test]
async fn the_eleventh_vote_in_a_minute_is_refused_also_after_a_restart() {
    let venue = TestVenue::with_songs(12);
    let ana = venue.check_in("ana").await;
    let songs = ana.songs().await;
    for (song, _) in &songs[..10] {
        ana.likes(song).await;
    }
    assert_eq!(ana.vote(&songs[10].0, "LIKE").await.refusal().0, "RATE_LIMITED");

    let mut venue = venue.restart();

    assert_eq!(ana.vote(&songs[10].0, "LIKE").await.refusal().0, "RATE_LIMITED");
    assert_eq!(ana.votes().await.len(), 10, "nothing was stored");
    venue.close();
}

#[tokio::test]
async fn whoever_checks_out_leaves_the_vibe_at_once() {
    let mut venue = TestVenue::with_songs(4);
    let (ana, bo) = (venue.check_in("ana").await, venue.check_in("bo").await);
    ana.likes(&ana.songs().await[0].0).await;
    let answer = ana.mutate("checkOut", "CheckOutInput", json!({}), "session { status }").await;
    assert_eq!(answer.data()["checkOut"]["session"]["status"], "ENDED");
    eventually("one is left", async || bo.vibe().await["activeListeners"] == 1).await;
    venue.close();
}

async fn likes_three(guest: &Guest) {
    for (song, _) in guest.songs().await.iter().take(3) {
        guest.likes(song).await;
    }
}

/// What the hub knows of a guest and of the music: compared before and after.
async fn remembered(guest: &Guest) -> serde_json::Value {
    eventually("the room listens to them", async || guest.vibe().await["source"] == "LISTENERS").await;
    let query = "{ me { id session { id status } preference } songs(first: 100) { totalCount nodes { id title viewerVote } } \
                 players { id name } vibe { source activeListeners } }";
    let known = guest.ask(query, json!({})).await.data().clone();
    json!([known, guest.votes().await])
}
