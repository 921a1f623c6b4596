//! Our player behind a real hub, listened to: what came out of its output is recorded and looked at, and held against
//! what the hub's history says.
//!
//! Most tests let it play into a file, in real time; `pulse` gives it a sound server with a loudspeaker that is not there.

mod continuity;
mod drill;
mod hours;
mod orders;
mod outlook;
mod pulse;

use roomtone_tests::{Loudspeaker, TestVenue, eventually_within, write_tones};
use std::time::Duration;

/// How long a song is; with the fades that the venues here have, five come in half a minute.
const SONG_S: u32 = 7;

/// Overlap of two songs.
const FADE_MS: u32 = 1_000;

/// What the product promises between a code typed and the first sound.
const PAIRED: Duration = Duration::from_secs(30);

/// What may take a few seconds, with room for a machine that does other things as well.
const SOME_SECONDS: Duration = Duration::from_secs(20);

/// What a player says when its hub has gone or changed, which some of these tests bring about.
const HUB_GONE: &[&str] = &["out of reach", "does not answer", "cannot be reached"];

/// The strongest frequency of the n-th tone of a venue.
fn tone_hz(n: usize) -> f32 {
    110.0 * 1.13_f32.powi(n as i32 % 30) + n as f32
}

/// A venue with so many songs that can be told apart by ear, open, with short fades.
fn venue(songs: u32) -> TestVenue {
    let venue = TestVenue::closed();
    write_tones(&venue.library(), songs, SONG_S);
    open(venue.import())
}

fn open(venue: TestVenue) -> TestVenue {
    venue.open_with_env([("ROOMTONE_ZONES_MAIN_CROSSFADE_MS", FADE_MS.to_string())])
}

/// A player that is paired with the venue and plays.
async fn playing(venue: &TestVenue, name: &str) -> Loudspeaker {
    let mut player = Loudspeaker::at(venue, name);
    player.pair(venue);
    player.start();
    plays(&player).await;
    player
}

async fn plays(player: &Loudspeaker) {
    eventually_within(PAIRED, "it plays", async || {
        player.title().is_some() && player.recording().sounds_at_its_end(0.5)
    })
    .await;
}

/// Waits until `count` other songs have begun.
async fn hears(player: &Loudspeaker, count: usize) {
    eventually_within(SOME_SECONDS, "it says what it plays", async || player.title().is_some()).await;
    let mut titles = vec![player.title()];
    let patience = Duration::from_secs(u64::from(SONG_S)) * (count as u32 + 2);
    eventually_within(patience, "songs follow each other", async || {
        let title = player.title();
        if title.is_some() && titles.last() != Some(&title) {
            titles.push(title);
        }
        count < titles.len()
    })
    .await;
}

/// The songs that were heard, in their order, by their titles.
fn heard(player: &Loudspeaker, songs: usize) -> Vec<String> {
    let tones: Vec<f32> = (0..songs).map(tone_hz).collect();
    let heard = player.recording().tones(&tones);
    // In a fade both sound; what is the strongest only there for a moment is none of its own.
    let songs = heard.into_iter().filter(|(_, stretch)| 1.0 <= stretch.seconds());
    let mut titles: Vec<String> = songs.map(|(tone, _)| format!("tone {tone:03}")).collect();
    titles.dedup();
    titles
}

#[tokio::test]
async fn a_player_is_paired_by_eight_digits_and_plays_what_the_hub_decides() {
    let mut venue = venue(6);
    let mut player = Loudspeaker::at(&venue, "bar");
    player.start();
    eventually_within(SOME_SECONDS, "it says that it is not paired", async || {
        player.status().is_some_and(|status| status["hub"]["is"] == "not_paired")
    })
    .await;
    player.pair(&venue);
    plays(&player).await;
    hears(&player, 3).await;
    assert_eq!(player.recording().gaps(0.05), [], "one song fades into the next");

    let log = player.stop(&[]);
    assert!(log.iter().any(|line| line.contains("plays")), "{log:?}");
    let history: Vec<String> = venue.history().into_iter().map(|play| play.0).collect();
    let heard = heard(&player, 6);
    assert!(3 <= heard.len(), "{heard:?}");
    assert_eq!(history[..heard.len()], heard[..], "history is what was heard, in its order");
    venue.close();
}

#[tokio::test]
async fn two_players_of_a_zone_play_the_same_songs() {
    let mut venue = venue(6);
    let mut bar = playing(&venue, "bar").await;
    let mut shelf = playing(&venue, "shelf").await;
    for _ in 0..2 {
        hears(&bar, 1).await;
        eventually_within(SOME_SECONDS, "both play the same", async || bar.title() == shelf.title()).await;
    }
    bar.stop(&[]);
    shelf.stop(&[]);
    venue.close();
}
