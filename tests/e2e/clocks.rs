//! Boxes without a clock battery, and clocks that jump: the room notices nothing.

use roomtone_tests::{TestVenue, eventually, faketime};
use serde_json::json;

#[tokio::test]
async fn a_box_that_wakes_up_in_1971_serves_and_keeps_what_happened() {
    let Some(long_ago) = faketime::fixed("a_box_that_wakes_up_in_1971", "@1971-01-01 00:00:00") else {
        return;
    };
    let venue = TestVenue::closed();
    roomtone_tests::write_tones(&venue.library(), 6, 6);
    let mut venue = venue.import().open_with_env(long_ago);
    assert_eq!(venue.health().await["clock_trusted"], false, "it says that the clock is wrong");
    let ana = venue.check_in("ana").await;
    ana.likes(&ana.songs().await[0].0).await;
    let votes = ana.votes().await;
    let heard = venue.player("bar").plays_one().await;
    venue.close_apart_from(&["clock"]);

    let mut venue = venue.open();
    assert_eq!(ana.votes().await, votes);
    assert_ne!(venue.player("bar again").plays_one().await, heard, "the song still rests");
    venue.close();
}

#[tokio::test]
async fn a_clock_that_jumps_ends_no_session_and_wakes_no_song() {
    let folder = tempfile::tempdir().unwrap();
    let offset = folder.path().join("offset");
    std::fs::write(&offset, "+0").unwrap();
    let Some(jumping) = faketime::from_file("a_clock_that_jumps", &offset) else { return };
    let venue = TestVenue::closed();
    roomtone_tests::write_tones(&venue.library(), 12, 6);
    let mut venue = venue.import().open_with_env(jumping);
    let (ana, player) = (venue.check_in("ana").await, venue.player("bar"));
    let songs = ana.songs().await;
    let mut heard = vec![player.plays_one().await];

    for (n, jump) in ["+10y", "-2y", "+0"].into_iter().enumerate() {
        std::fs::write(&offset, jump).unwrap();
        ana.likes(&songs[n].0).await;
        let answer = ana.ask("{ me { session { status } } }", json!({})).await;
        assert_eq!(answer.data()["me"]["session"]["status"], "ACTIVE", "after a jump by {jump}");
        eventually("the room listens to ana", async || ana.vibe().await["source"] == "LISTENERS").await;
        let title = player.plays_one().await;
        assert!(!heard.contains(&title), "{title} came back after a jump by {jump}");
        heard.push(title);
    }
    venue.close_apart_from(&["clock"]);
}
