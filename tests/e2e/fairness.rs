//! A divided room through the whole program: nobody is left out where the zone is fair.

#[path = "../bench/fairness/room.rs"]
mod room;

use room::{Evening, play};
use roomtone_tests::TestVenue;
use serde_json::json;

/// The room that the recommender was designed for: seven against three who rather dislike what the seven like.
fn evening(fairness: f64) -> Evening {
    Evening { fairness, library: 240, heard: 34, many: 7, few: 3, opposed: 0.3, seed: 3 }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_off_of_a_fair_room_have_most_of_the_mean_and_no_long_drought() {
    let plain = play(evening(0.0)).await;
    let fair = play(evening(0.5)).await;
    assert!(fair.figures.worst >= 0.6 * fair.figures.mean, "{plain:?} {fair:?}");
    assert!(fair.figures.longest_drought <= 2, "{plain:?} {fair:?}");
    assert!(plain.figures.worst < 0.6 * plain.figures.mean, "the plain mean is no yardstick here: {plain:?}");
    assert!(plain.figures.longest_drought > 2, "the plain mean is no yardstick here: {plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_and_the_same_votes_give_the_same_evening() {
    let short = Evening { library: 60, heard: 10, ..evening(0.5) };
    let (first, second) = (play(short).await, play(short).await);
    assert_eq!(first.songs, second.songs);
    assert!(first.apart < 0.0, "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_plays_the_log_again_while_the_hub_serves() {
    let mut venue = TestVenue::with_songs(10);
    let bar = venue.terminal("bar");
    let guests = [venue.check_in("Ada").await, venue.check_in("Bo").await];
    let songs = guests[0].songs().await;
    for (guest, (song, _)) in guests.iter().zip(&songs) {
        guest.likes(song).await;
        for _ in 0..3 {
            bar.plays_one().await;
        }
    }
    let again = venue.run("replay", ["--json"]).succeeded().stdout;
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["zone"], &again["songs"]), (&json!("main"), &json!(6)), "{again:#}");
    assert_eq!(again["fairness"]["then"], json!([0.5, 0.5]), "{again:#}");
    let what_if =
        venue.run("replay", ["--zone", "main", "--days", "1", "--fairness", "0.9"]).succeeded().stdout;
    let row = what_if.lines().find(|line| line.starts_with("fairness")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["fairness", "0.5", "0.9"], "{what_if}");
    assert!(what_if.contains("longest drought, songs"), "{what_if}");
    let refused = venue.run("replay", ["--zone", "roof"]).refused();
    assert!(refused.contains("no zone roof; it has main"), "{refused}");
    venue.close();
}

#[test]
fn where_no_hub_has_been_there_is_nothing_to_play_again() {
    let refused = TestVenue::closed().run("replay", ["--days", "2"]).refused();
    assert!(refused.contains("has kept anything at"), "{refused}");
}
