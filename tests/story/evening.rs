//! One evening with a cloud that comes, goes and comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use roomtone_tests::{Guest, Line, TestVenue, eventually_within, write_tone};

use crate::ledger::{HubLedger, Ledger};
use crate::pair::{AFTER_FAULTS, IN_STEP, Pair, sync_status};

/// Songs that were on the hub before it had a cloud.
const OWN: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_evening_with_a_cloud_that_goes_and_comes_back_is_told_whole_and_once() {
    let test = "an_evening_with_a_cloud_that_goes_and_comes_back_is_told_whole_and_once";
    let Some(mut pair) = Pair::open(test, OWN).await else { return };
    let from_cloud = ["Rain on tin", "Late tram"];
    for (number, title) in from_cloud.iter().enumerate() {
        let file = pair.cloud.data().join(format!("{number}.wav"));
        write_tone(&file, 90.0 + 37.0 * number as f32, 6);
        pair.cloud.brings_in(&pair.at_cloud, &file, title).await;
    }
    let guests = [pair.venue.check_in("ana").await, pair.venue.check_in("bo").await];
    let terminal = pair.venue.terminal("bar");

    // Before it had a cloud.
    everybody_votes(&guests, 1).await;
    terminal.plays_one().await;
    assert_eq!(sync_status(&guests[0]).await["enrolled"], false);

    pair.enrol().await;
    println!("in step after {:?}", pair.in_step(&guests[0]).await);
    let all = OWN as usize + from_cloud.len();
    all_files_here(&guests[0], all).await;
    own_songs_are_ready(&pair, all).await;
    everybody_votes(&guests, 2).await;
    // Nothing comes twice while it rests, so that everything is heard: what came from the cloud, too.
    let mut heard = BTreeSet::new();
    for _ in 1..all {
        heard.insert(terminal.plays_one().await["title"].as_str().unwrap().to_owned());
    }
    assert!(from_cloud.iter().any(|title| heard.contains(*title)), "of the cloud's songs none in {heard:?}");
    println!("in step after {:?}: {:?}", pair.in_step(&guests[0]).await, pair.told_exactly_once().await);

    // Nobody answers, and the evening goes on.
    pair.line.becomes(Line::Silent);
    let before = HubLedger::of(&pair.venue).votes().len();
    everybody_votes(&guests, 3).await;
    terminal.plays_one().await;
    assert!(HubLedger::of(&pair.venue).votes().len() > before);
    eventually_within(IN_STEP, "the hub notices", async || {
        sync_status(&guests[0]).await["state"] == "OFFLINE"
    })
    .await;
    assert!(sync_status(&guests[0]).await["pendingOperations"].as_f64().unwrap() > 0.0);
    println!("silent: {}", cloud_line(&pair.venue));

    // It comes back, badly at first.
    pair.line.becomes(Line::CutAfter(900));
    everybody_votes(&guests, 4).await;
    eventually_within(IN_STEP, "connections are cut", async || pair.line.cuts() >= 2).await;
    pair.line.becomes(Line::Slow(Duration::from_millis(30)));
    println!("in step after {:?}", pair.in_step(&guests[0]).await);
    println!("votes and plays: {:?}", pair.told_exactly_once().await);
    println!("in step: {}", cloud_line(&pair.venue));
    pair.venue.close_apart_from(&AFTER_FAULTS);
    pair.cloud.stop(&[]);
}

/// Every guest on every song, other than the time before: the same again would be nothing new.
pub(crate) async fn everybody_votes(guests: &[Guest], time: usize) {
    for (number, guest) in guests.iter().enumerate() {
        for (song, _) in guest.songs().await {
            let value = if (number + time).is_multiple_of(2) { "LIKE" } else { "DISLIKE" };
            assert_eq!(guest.vote(&song, value).await.data()["vote"]["userErrors"], serde_json::json!([]));
        }
    }
}

pub(crate) async fn all_files_here(guest: &Guest, all: usize) {
    let took = eventually_within(IN_STEP, "every song came down with its file", async || {
        let now = sync_status(guest).await;
        now["totalSongs"] == all && now["cachedSongs"] == all
    });
    println!("all files here after {:?}", took.await);
}

pub(crate) async fn own_songs_are_ready(pair: &Pair, all: usize) {
    let mut ledger = Ledger::of(&pair.cloud).await;
    let took = eventually_within(IN_STEP, "every song of the hub went up with its file", async || {
        let songs = ledger.songs().await;
        songs.len() == all && songs.values().all(|status| status == "ready")
    });
    println!("all songs ready at the cloud after {:?}", took.await);
}

/// What `status` says of the cloud.
fn cloud_line(venue: &TestVenue) -> String {
    let said = venue.run::<&str>("status", []).succeeded().stdout;
    let line = said.lines().find(|line| line.to_lowercase().contains("cloud"));
    line.unwrap_or_else(|| panic!("not a word of the cloud:\n{said}")).trim().to_owned()
}
