//! Whoever has had least is heard.

use roomtone_schema::AXES;
use roomtone_schema::vote::VoteValue::Like;

use super::venue::{Venue, along};
use crate::view::Viewer;

/// Three of ten want the opposite of the others; at `fairness`, how satisfied the least satisfied of them is and how
/// long the longest drought was.
async fn seven_against_three(fairness: f64) -> (f64, f64) {
    let mut venue = Venue::with(|options| options.zones[0].1.fairness = fairness).await;
    for n in 0..80 {
        let mut direction: [f32; AXES] = along(0, if n % 2 == 0 { 1.0 } else { -1.0 });
        direction[n % 4 + 1] += 0.4;
        venue.add(Some(direction)).await;
    }
    venue.hub.settle().await;
    let bar = venue.player("bar").await.player.id;
    let mut guests: Vec<Viewer> = Vec::new();
    for n in 0..10 {
        guests.push(venue.check_in(&format!("{n}")).await);
        venue.vote(&guests[n], venue.songs[usize::from(n >= 7)], Like).await.unwrap();
    }
    venue.hub.settle().await;
    venue.plays(bar, 34).await;
    venue.hub.settle().await;
    let counters = venue.hub.counters();
    (counters.worst_listener.get(), counters.longest_drought.get())
}

#[tokio::test]
async fn a_minority_gets_its_turn_where_the_zone_is_fair() {
    let (unfair, long) = seven_against_three(0.0).await;
    let (fair, short) = seven_against_three(0.5).await;
    assert!(fair > unfair, "{fair} {unfair}");
    assert!(short < long, "{short} {long}");
}
