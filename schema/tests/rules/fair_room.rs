//! The synthetic room of the recommender's design: ten listeners, seven against three, 34 songs.
//!
//! Designed for: the worst-off listener goes from 0.13 to 0.37, and from runs of songs against their taste to single
//! ones, at 9 % less mean. This room comes to 0.12 and 0.34, 2.7 and 1.0 songs, 7 % (averages of 24 rooms).

use roomtone_schema::fairness::{Fairness, LONGEST_BORNE, drought};
use roomtone_schema::look_ahead::Outlook;
use roomtone_schema::room::Listener;
use roomtone_schema::seed::Seeded;
use roomtone_schema::vector::{Axes, unit};

use crate::library::{direction, library, outlook, shelf};

const SONGS: usize = 34;
const ROOMS: u64 = 24;

/// What came out of many such rooms, on average.
#[derive(Debug)]
struct Outcome {
    mean: f64,
    worst: f64,
    drought: f64,
}

#[test]
fn fairness_lifts_whoever_is_worst_off_at_little_cost_to_the_others() {
    let plain = rooms(0.0);
    let fair = rooms(0.5);
    assert!(fair.worst >= plain.worst + 0.15, "{plain:?} {fair:?}");
    assert!(fair.drought <= 1.5 && fair.drought <= plain.drought / 2.0, "{plain:?} {fair:?}");
    assert!(fair.mean >= plain.mean * 0.9, "{plain:?} {fair:?}");
}

#[test]
fn no_drought_is_longer_than_two_songs_also_where_few_songs_please() {
    let longest = |fairness| (0..ROOMS).map(|seed| evening_of(seed, fairness, 120).longest_drought).max();
    assert!(longest(0.0) > Some(4), "{:?}", longest(0.0));
    assert!(longest(0.5) <= Some(LONGEST_BORNE), "{:?}", longest(0.5));
}

#[test]
fn a_drought_costs_by_the_share_of_those_whom_a_song_would_strike_again() {
    let (a, b) = ([1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]);
    let against_a = [-0.8, 0.6, 0.0, 0.0, 0.0];
    assert_eq!(drought(0.5, &[a, b], 10, &against_a), 0.3, "one of ten, at most what three could move");
    assert_eq!(drought(1.0, &[a], 1, &against_a), 6.0);
    assert_eq!(drought(0.5, &[b], 10, &against_a), 0.0, "it ends their drought");
    assert_eq!(drought(0.0, &[a], 10, &against_a), 0.0, "the plain mean knows no droughts");
    assert_eq!(drought(0.5, &[], 0, &against_a), 0.0);
}

#[test]
fn more_fairness_lifts_the_worst_off_further() {
    let by_fairness = [0.0, 0.25, 0.5].map(|fairness| rooms(fairness).worst);
    assert!(by_fairness.is_sorted(), "{by_fairness:?}");
}

fn rooms(fairness: f64) -> Outcome {
    let outcomes: Vec<Fairness> = (0..ROOMS).map(|seed| evening(seed, fairness)).collect();
    let average = |of: fn(&Fairness) -> f64| outcomes.iter().map(of).sum::<f64>() / ROOMS as f64;
    Outcome {
        mean: average(|one| one.mean),
        worst: average(|one| one.worst),
        drought: average(|one| f64::from(one.longest_drought)),
    }
}

/// How a room fares after 34 songs from a library of 600.
fn evening(seed: u64, fairness: f64) -> Fairness {
    evening_of(seed, fairness, 600)
}

/// The same from a library of so many.
fn evening_of(seed: u64, fairness: f64, songs: usize) -> Fairness {
    let library = library(seed, songs);
    let find = |id| library.get(&id);
    let mut shelf = shelf(&library, seed);
    shelf.candidates.iter_mut().for_each(|one| one.last_played_at = None);
    let mut zone = room_of_ten(seed, fairness);
    for _ in 0..SONGS {
        let Ok(picked) = zone.next(&shelf, &find);
        let song = &library[&picked.expect("there are songs").song];
        zone.room.hear(song.facts.embedding.map(|embedding| embedding.unit()).as_ref());
        for candidate in shelf.candidates.iter_mut().filter(|one| one.song == song.id) {
            candidate.last_played_at = Some(zone.now);
        }
        zone.now = zone.now + std::time::Duration::from_millis(u64::from(song.facts.duration_ms));
        zone.counter += 1;
    }
    zone.room.fairness_so_far().expect("they have heard songs")
}

/// Seven around one direction, three around another that they rather dislike; everybody a little off their group.
fn room_of_ten(seed: u64, fairness: f64) -> Outlook {
    let mut chance = Seeded::new(seed + 1_000);
    let many = [1.0, 0.0, 0.0, 0.0, 0.0];
    let few = [-0.3, 0.95, 0.0, 0.0, 0.0];
    let mut zone = outlook(seed);
    zone.room.listeners = (0..10)
        .map(|number| Listener {
            weight: 1.0,
            taste: near(if number < 7 { &many } else { &few }, &mut chance),
            ..Listener::default()
        })
        .collect();
    zone.room.fairness = fairness;
    zone.rules.fairness = fairness;
    zone
}

fn near(group: &Axes, chance: &mut Seeded) -> Option<Axes> {
    let off = direction(chance)?;
    unit(&std::array::from_fn(|axis| group[axis] + 0.2 * off[axis]))
}
