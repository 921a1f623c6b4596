//! An evening: people come in, like a song, see the room lean, and hear the music follow.

use std::collections::BTreeSet;
use std::time::Duration;

use roomtone_tests::{Guest, SOON, TestVenue};
use serde_json::{Value, json};

/// From a vote to every phone in the room.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_like_moves_the_vibe_and_what_comes_next_on_another_phone_within_a_second() {
    let mut venue = TestVenue::with_songs(24);
    venue.player("bar").plays_one().await;
    let (ana, bo) = (venue.check_in("ana").await, venue.check_in("bo").await);
    let mut vibe = bo.subscribe("subscription { vibe { axes { name value } source activeListeners } }").await;
    let mut next = bo.subscribe("subscription { upNext(first: 5) { song { id } } }").await;
    let (vibe_before, _) = vibe.until(SOON, "two are here", |now| now["vibe"]["activeListeners"] == 2).await;
    let next_before = next.next_within(SOON).await;
    assert_eq!(next_before["upNext"].as_array().map(Vec::len), Some(5));

    ana.likes(&farthest_song(&ana).await).await;

    let leans = |now: &Value| now["vibe"]["axes"] != vibe_before["vibe"]["axes"];
    let (vibe_after, took) = vibe.until(AT_ONCE, "the vibe leans", leans).await;
    println!("the vibe moved on the other phone after {took:?}");
    assert_eq!(vibe_after["vibe"]["source"], "LISTENERS");
    let (_, took) = next.until(AT_ONCE, "the list moves", |now| now != &next_before).await;
    println!("what comes next moved after {took:?}");
    venue.close();
}

#[tokio::test]
async fn the_music_follows_what_the_room_likes() {
    let mut venue = TestVenue::with_songs(24);
    let player = venue.player("bar");
    let guests = [venue.check_in("ana").await, venue.check_in("bo").await, venue.check_in("cleo").await];
    let loved = farthest_song(&guests[0]).await;
    for guest in &guests {
        guest.likes(&loved).await;
    }

    let library = similarities(&guests[0].ask(RANKED, json!({})).await.data()["recommendations"]);
    let mut heard = Vec::new();
    for _ in 0..4 {
        let claim = player.claim().await;
        heard.push(claim["pick"]["explanation"]["similarity"].as_f64().expect("a similarity"));
        let end = json!({ "status": "ACTIVE", "pickId": claim["pick"]["id"], "ended": "FINISHED" });
        player.report(end).await;
    }
    assert!(mean(&heard) > mean(&library), "heard {heard:?}, the library has {library:?}");
    venue.close();
}

#[tokio::test]
async fn no_song_comes_twice_while_it_rests() {
    let mut venue = TestVenue::with_songs(24);
    let player = venue.player("bar");
    let mut heard = BTreeSet::new();
    for n in 0..14 {
        let title = player.plays_one().await;
        assert!(heard.insert(title.clone()), "song {n} is {title} again");
    }
    venue.close();
}

#[tokio::test]
async fn a_player_holds_a_plan_of_what_comes_without_the_hub() {
    let mut venue = TestVenue::with_songs(24);
    let claim = venue.player("bar").claim().await;
    let plan = claim["plan"].as_array().expect("a plan");
    assert!(plan.len() >= 20, "only {} songs ahead", plan.len());
    venue.close();
}

#[tokio::test]
async fn enough_of_the_room_skips_a_song_and_one_phone_does_not() {
    let mut venue = TestVenue::with_songs(12);
    let player = venue.player("bar");
    let first = player.claim().await["pick"]["song"]["id"].clone();
    let mut guests = Vec::new();
    for name in ["ana", "bo", "cleo", "dora"] {
        guests.push(venue.check_in(name).await);
    }
    let mut playing =
        guests[0].subscribe("subscription { nowPlaying { song { id } skipVotes skipVotesNeeded } }").await;
    playing.until(SOON, "the first song plays", |now| now["nowPlaying"]["song"]["id"] == first).await;

    skip(&guests[0]).await;
    let (now, _) =
        playing.until(SOON, "the vote is counted", |now| now["nowPlaying"]["skipVotes"] == 1).await;
    assert_eq!(now["nowPlaying"]["song"]["id"], first, "one phone skipped the song");
    skip(&guests[0]).await;
    for guest in &guests[1..] {
        skip(guest).await;
    }
    playing.until(SOON, "another song plays", |now| now["nowPlaying"]["song"]["id"] != first).await;
    venue.close();
}

async fn skip(guest: &Guest) {
    guest.mutate("voteToSkip", "VoteToSkipInput", json!({}), "nowPlaying { skipVotes }").await;
}

const RANKED: &str = "{ recommendations(first: 50) { song { id } explanation { similarity } } }";

/// The song that the room would hear last.
async fn farthest_song(guest: &Guest) -> String {
    let answer = guest.ask(RANKED, json!({})).await;
    let ranked = answer.data()["recommendations"].as_array().expect("a ranking");
    let similarity = |song: &&Value| song["explanation"]["similarity"].as_f64().unwrap();
    let last = ranked.iter().min_by(|a, b| similarity(a).total_cmp(&similarity(b))).expect("a song");
    last["song"]["id"].as_str().unwrap().to_owned()
}

fn similarities(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|song| song["explanation"]["similarity"].as_f64().unwrap()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
