//! Where the venue's licence lets no song be kept: what lies on a player's disk, and that nobody hears of it.

use std::collections::BTreeSet;
use std::time::Duration;

use roomtone_tests::{Loudspeaker, TestVenue, eventually_within, write_tones};
use serde_json::Value;

use super::{FADE_MS, HUB_GONE, SOME_SECONDS, SONG_S, hears, playing};

/// Songs are told to be of this length, and are over in some seconds: with their fades three begin within an hour.
const TOLD: Duration = Duration::from_mins(21);

const SONGS: u32 = 12;

fn open(venue: TestVenue, may_be_kept: bool) -> TestVenue {
    venue.open_with_env([
        ("ROOMTONE_ZONES_MAIN_CROSSFADE_MS", FADE_MS.to_string()),
        ("ROOMTONE_VENUE_LICENCE_OFFLINE_STORAGE", may_be_kept.to_string()),
    ])
}

fn read(player: &Loudspeaker, name: &str) -> Value {
    let text = std::fs::read(player.data().join(name)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The sums of the files that lie there.
fn on_disk(player: &Loudspeaker) -> BTreeSet<String> {
    let below = |folder: std::path::PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = below(player.data().join("media")).filter(|entry| entry.file_name() != "arriving");
    folders
        .flat_map(|folder| below(folder.path()))
        .map(|file| file.file_name().into_string().expect("a name"))
        .collect()
}

/// The sums of what sounds and of the plan.
fn needed(player: &Loudspeaker) -> BTreeSet<String> {
    let (plan, place) = (read(player, "plan.json"), read(player, "place.json"));
    let planned = plan.as_array().into_iter().flatten().map(|pick| &pick["sha256"]);
    let sounding = [&place["song"]["pick"]["sha256"]];
    planned.chain(sounding).filter_map(|sum| sum.as_str().map(str::to_owned)).collect()
}

/// Waits until nothing but what sounds and the plan of an hour lies on the disk, and all of it.
async fn holds_what_it_needs(player: &Loudspeaker) {
    let mut last = (BTreeSet::new(), BTreeSet::new());
    eventually_within(SOME_SECONDS, "what sounds and the plan is here, and nothing else", async || {
        last = (on_disk(player), needed(player));
        (3..=4).contains(&last.0.len()) && last.0 == last.1
    })
    .await;
}

#[tokio::test]
async fn a_player_holds_the_next_hour_alone_and_without_its_hub_plays_on_with_that() {
    let venue = TestVenue::closed();
    write_tones(&venue.library(), SONGS, SONG_S);
    let venue = venue.import();
    venue.tell_lengths(TOLD);
    let mut venue = open(venue, false);
    let mut player = playing(&venue, "bar").await;
    hears(&player, 2).await;
    holds_what_it_needs(&player).await;

    venue.power_cut();
    eventually_within(SOME_SECONDS, "the player knows", async || !player.is_linked()).await;
    hears(&player, 2).await;
    assert_eq!(player.status().unwrap()["song"]["tier"], "plan");
    hears(&player, 4).await;
    assert_eq!(player.status().unwrap()["song"]["tier"], "cache", "the plan has run out");
    let here = on_disk(&player);
    assert!((3..=5).contains(&here.len()), "an hour stays, beside what sounds and what lies ready: {here:?}");

    let mut venue = open(venue, false);
    eventually_within(SOME_SECONDS, "it is with its hub again", async || player.is_linked()).await;
    hears(&player, 1).await;
    holds_what_it_needs(&player).await;
    eventually_within(SOME_SECONDS, "what was heard again is counted", async || {
        1.0 <= venue.metric("roomtone_relaxations_total{rule=\"storage\"}").await
    })
    .await;
    assert_eq!(player.recording().gaps(0.05), [], "nobody has heard any of it");
    assert_eq!(player.status().unwrap()["silence_ms"], 0);
    player.stop(HUB_GONE);
    venue.close_apart_from(&["salvage", "unclean", "killed"]);
}

#[tokio::test]
async fn the_disk_is_emptied_and_fills_again_as_the_licence_says() {
    let venue = TestVenue::closed();
    write_tones(&venue.library(), SONGS, SONG_S);
    let venue = venue.import();
    venue.tell_lengths(TOLD);
    let mut venue = open(venue, true);
    let mut player = playing(&venue, "bar").await;
    let all_are_here = async |player: &Loudspeaker| {
        eventually_within(SOME_SECONDS, "all songs are here", async || {
            on_disk(player).len() == SONGS as usize
        })
        .await;
    };
    all_are_here(&player).await;
    venue.close();
    let mut venue = open(venue, false);
    eventually_within(SOME_SECONDS, "it is with its hub again", async || player.is_linked()).await;
    holds_what_it_needs(&player).await;
    // It knows that by itself from now on.
    player.stop(HUB_GONE);
    venue.close();
    player.start();
    hears(&player, 5).await;
    assert!(on_disk(&player).len() <= 5, "{:?}", on_disk(&player));
    let mut venue = open(venue, true);
    all_are_here(&player).await;
    player.stop(HUB_GONE);
    venue.close();
}
