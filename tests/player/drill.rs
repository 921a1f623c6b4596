//! An outage that is rehearsed on the built programs, and listened to.

use std::time::Duration;

use roomtone_tests::{TestVenue, eventually_within};
use serde_json::Value;

use super::{HUB_GONE, hears, playing, venue};

/// A plan of so many short songs lasts longer than what a drill keeps in reserve.
const SONGS: u32 = 40;

/// For so long the hub is gone: a song begins meanwhile.
const FOR: &str = "25s";

#[tokio::test]
async fn a_drill_cuts_the_hub_off_and_tells_that_nobody_has_heard_it() {
    let mut venue = venue(SONGS);
    // With nobody who plays there is nothing to rehearse, and a time that is none is not understood.
    let refused = drill(&venue, &["--cut", "hub", "--for", FOR]);
    let refused = refused.refused();
    assert!(refused.contains("No player is in reach"), "{refused}");
    let alone = drill(&venue, &["--cut", "cloud", "--for", FOR]).refused();
    assert!(alone.contains("no cloud to be cut off from"), "{alone}");

    let mut player = playing(&venue, "bar").await;
    let too_long = drill(&venue, &["--cut", "hub", "--for", "2h"]).refused();
    assert!(too_long.contains("player bar could play on for"), "{too_long}");
    eventually_within(Duration::from_mins(1), "its plan is long enough", async || {
        let players: Value =
            serde_json::from_str(&venue.run("player", ["list", "--json"]).stdout).expect("JSON");
        players[0]["health"]["planned_ms"].as_u64().is_some_and(|planned| 160_000 < planned)
    })
    .await;
    hears(&player, 1).await;
    let guest = venue.check_in("ana").await;
    let song = guest.songs().await.swap_remove(0).0;
    guest.likes(&song).await;

    let data = venue.data();
    let rehearsed = tokio::task::spawn_blocking(move || {
        let words = ["--data", data.to_str().expect("text"), "drill", "--cut", "hub", "--for", FOR, "--json"];
        roomtone_tests::hub(words.map(str::to_owned))
    });
    eventually_within(Duration::from_secs(20), "the player knows", async || !player.is_linked()).await;
    let rehearsed = rehearsed.await.expect("it ends").succeeded();
    let report: Value = serde_json::from_str(&rehearsed.stdout).expect("JSON");
    assert_eq!(report["silence"], serde_json::json!([["bar", 0]]), "{report}");
    assert_eq!(report["missing"], serde_json::json!([]), "{report}");
    assert!(1 <= report["plays"]["plan"].as_u64().expect("a number"), "{report}");
    assert_eq!(report["votes"], serde_json::json!([0, 0]), "{report}");

    eventually_within(Duration::from_secs(20), "it is with its hub again", async || player.is_linked()).await;
    assert_eq!(player.recording().gaps(0.05), [], "nobody has heard it");
    assert_eq!(guest.votes().await.len(), 1, "what was voted is kept, and phones are answered again");
    player.stop(HUB_GONE);
    venue.close();
}

fn drill(venue: &TestVenue, words: &[&str]) -> roomtone_tests::Finished {
    venue.run("drill", words)
}
