//! A divided room through the whole program: nobody is left out where the zone is fair.

#[path = "../bench/fairness/room.rs"]
mod room;

use room::{Evening, play};

/// Seven against three, a smaller catalogue and a shorter evening than the benchmark's.
fn evening(fairness: f64) -> Evening {
    Evening { fairness, library: 120, heard: 20, many: 7, few: 3, seed: 3 }
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
    let (first, second) = (play(evening(0.5)).await, play(evening(0.5)).await);
    assert_eq!(first.songs, second.songs);
    assert!(first.apart < 0.0, "{first:?}");
}
