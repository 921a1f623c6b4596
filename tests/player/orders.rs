//! What a manager orders, heard on the loudspeaker.

use std::time::Duration;

use roomtone_tests::{Loudspeaker, TestVenue, eventually_within};

use super::{SOME_SECONDS, playing, venue};

/// What is heard of an order: the promise is 300 ms in a LAN, plus what a look of this test takes.
const SOON: Duration = Duration::from_secs(5);

fn order(venue: &TestVenue, command: &str, args: &[&str]) {
    let _said = venue.run(command, args.iter().copied()).succeeded();
}

async fn sounds(player: &Loudspeaker, whether: bool) {
    let what = if whether { "it sounds" } else { "it is silent" };
    eventually_within(SOON, what, async || player.recording().sounds_at_its_end(0.2) == whether).await;
}

#[tokio::test]
async fn a_skip_is_another_song_at_once() {
    let mut venue = venue(6);
    let mut player = playing(&venue, "bar").await;
    let before = player.title();
    order(&venue, "player skip", &["bar"]);
    eventually_within(SOON, "another song plays", async || {
        let title = player.title();
        title.is_some() && title != before
    })
    .await;
    assert_eq!(player.recording().gaps(0.05), [], "the one fades into the other");
    player.stop(&[]);
    let history = venue.history();
    assert_eq!(history[0].2.as_deref(), Some("skipped"), "{history:?}");
    venue.close();
}

#[tokio::test]
async fn a_pause_is_no_silence_and_goes_on_at_the_same_place() {
    let mut venue = venue(6);
    let mut player = playing(&venue, "bar").await;
    order(&venue, "player pause", &["bar"]);
    sounds(&player, false).await;
    let paused = player.status().unwrap();
    assert_eq!(paused["mode"], "paused");
    order(&venue, "player resume", &["bar"]);
    sounds(&player, true).await;
    let resumed = player.status().unwrap();
    assert_eq!(resumed["song"]["title"], paused["song"]["title"]);
    assert_eq!(resumed["silence_ms"], 0, "what was ordered is no silence");
    player.stop(&[]);
    venue.close();
}

#[tokio::test]
async fn a_player_that_was_stopped_stays_so_over_a_restart_of_both() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    order(&venue, "player stop", &["bar"]);
    sounds(&player, false).await;
    player.stop(&[]);
    let mut venue = {
        venue.close();
        super::open(venue)
    };
    player.start();
    eventually_within(SOME_SECONDS, "it is with its hub", async || player.is_linked()).await;
    assert_eq!(player.status().unwrap()["mode"], "stopped");
    assert_eq!(player.title(), None);
    order(&venue, "player resume", &["bar"]);
    super::plays(&player).await;
    player.stop(&[]);
    venue.close();
}

#[tokio::test]
async fn a_volume_is_kept_over_a_restart() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    order(&venue, "player volume", &["bar", "25"]);
    let quarter = async |player: &Loudspeaker| {
        eventually_within(SOON, "the volume is a quarter", async || {
            player.status().is_some_and(|status| (status["volume"].as_f64().unwrap() - 0.25).abs() < 0.001)
        })
        .await;
    };
    quarter(&player).await;
    player.kill();
    player.start();
    quarter(&player).await;
    player.stop(&[]);
    venue.close();
}

#[tokio::test]
async fn a_player_that_was_removed_knows_it_at_once_and_plays_what_it_has() {
    let mut venue = venue(4);
    let mut player = playing(&venue, "bar").await;
    order(&venue, "player remove", &["bar"]);
    eventually_within(SOON, "it knows", async || {
        player.status().is_some_and(|status| status["hub"]["is"] == "revoked")
    })
    .await;
    assert!(player.title().is_some(), "silence helps nobody");
    player.stop(&["does not accept this player"]);
    venue.close();
}
