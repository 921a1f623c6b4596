//! What a venue's licence and its hours ask of the picks.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use roomtone_schema::SongId;
use roomtone_schema::UnixMillis;
use roomtone_schema::licence::{COMPLEMENT_WINDOW, Licence, OF_AN_ALBUM, OF_AN_ARTIST, READY, let_go};
use roomtone_schema::look_ahead::Planned;
use roomtone_schema::pick::{Kinds, Relaxation};
use roomtone_schema::rank::Shelf;
use roomtone_schema::room::{Listener, Room};
use roomtone_schema::song::{Song, SongKind};
use roomtone_schema::vector::unit;

use crate::library::{HOUR, NOW, direction, library, outlook, shelf};

/// Songs of `artists` artists with two albums each.
fn albums(seed: u64, songs: usize, artists: usize) -> BTreeMap<SongId, Song> {
    let mut library = library(seed, songs);
    for (number, song) in library.values_mut().enumerate() {
        song.facts.artist = Some(format!("artist {}", number % artists));
        song.facts.album = Some(format!("album {}", number % (2 * artists)));
    }
    library
}

fn planned(
    seed: u64,
    library: &BTreeMap<SongId, Song>,
    shelf: &Shelf,
    rules: impl Fn(&mut roomtone_schema::look_ahead::Outlook),
) -> Vec<Planned> {
    let mut zone = outlook(seed);
    zone.rules.artist_separation = Duration::ZERO;
    rules(&mut zone);
    let Ok(plan) = zone.plan(shelf, &|id| library.get(&id));
    plan
}

/// The most of one name within any three hours, and in a row.
fn most(plan: &[(UnixMillis, &Option<String>)]) -> (usize, usize) {
    let within = plan.iter().map(|(at, name)| {
        let lately = plan
            .iter()
            .filter(|(before, other)| other == name && before <= at && at.since(*before) < COMPLEMENT_WINDOW);
        lately.count()
    });
    let runs = plan.chunk_by(|(_, one), (_, other)| one == other).map(<[_]>::len);
    (within.max().unwrap_or(0), runs.max().unwrap_or(0))
}

proptest! {
    // Plans of hundreds of songs: a few rooms show what there is to see.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_complement_is_kept_where_the_library_lets_it(seed: u64) {
        let library = albums(seed, 120, 30);
        let complement = Licence { performance_complement: true, ..Licence::default() };
        let plan = planned(seed, &library, &shelf(&library, seed), |zone| zone.rules = zone.rules.under(&complement));
        let artists: Vec<_> = plan.iter().map(|one| (one.starts_at, &library[&one.pick.song].facts.artist)).collect();
        let albums: Vec<_> = plan.iter().map(|one| (one.starts_at, &library[&one.pick.song].facts.album)).collect();
        let (of_an_artist, of_an_album) = (most(&artists), most(&albums));
        prop_assert!(of_an_artist.0 <= OF_AN_ARTIST.0 && of_an_artist.1 <= OF_AN_ARTIST.1, "{:?}", of_an_artist);
        prop_assert!(of_an_album.0 <= OF_AN_ALBUM.0 && of_an_album.1 <= OF_AN_ALBUM.1, "{:?}", of_an_album);
        prop_assert!(plan.iter().all(|one| !one.pick.terms.relaxed.contains(&Relaxation::Licence)));
    }

    #[test]
    fn music_goes_on_where_it_cannot_be_kept_and_says_so(seed: u64) {
        let library = albums(seed, 12, 1);
        let complement = Licence { performance_complement: true, ..Licence::default() };
        let plan = planned(seed, &library, &shelf(&library, seed), |zone| zone.rules = zone.rules.under(&complement));
        prop_assert!(plan.len() >= 20);
        let relaxed = plan.iter().filter(|one| one.pick.terms.relaxed.contains(&Relaxation::Licence)).count();
        prop_assert!(relaxed > 0, "one artist cannot fill four hours under it");
    }

    #[test]
    fn only_the_kinds_that_the_hour_is_meant_for(seed: u64) {
        let mut library = albums(seed, 90, 30);
        let kinds = [Some(SongKind::Soundscape), Some(SongKind::Instrumental), None];
        for (song, kind) in library.values_mut().zip(kinds.into_iter().cycle()) {
            song.facts.kind = kind;
        }
        let only = Kinds::from([SongKind::Soundscape].as_slice());
        let shelf = Shelf { window: HOUR, ..shelf(&library, seed) };
        let plan = planned(seed, &library, &shelf, |zone| zone.rules.kinds = only);
        for one in &plan {
            let is_meant = library[&one.pick.song].facts.kind == Some(SongKind::Soundscape);
            prop_assert_eq!(is_meant, !one.pick.terms.relaxed.contains(&Relaxation::Kind));
            prop_assert!(is_meant, "thirty of them last for more than an hour");
        }
    }

    /// A profile that counts as two people draws a room of four as two more of its mind would.
    #[test]
    fn a_profile_is_a_listener_of_its_weight(seed: u64) {
        let mut chance = roomtone_schema::seed::Seeded::new(seed);
        let (Some(taste), Some(profile)) = (direction(&mut chance), direction(&mut chance)) else { return Ok(()) };
        let one = |taste| Listener { weight: 1.0, taste: Some(taste), ..Listener::default() };
        let people = vec![one(taste); 4];
        let with = Room { listeners: people.clone(), profile: Some(profile), profile_weight: 2.0, ..Room::default() };
        let mut among = Room { listeners: people, ..Room::default() };
        among.listeners.extend([one(unit(&profile).expect("a direction")); 2]);
        let (with, among) = (with.target().axes, among.target().axes);
        prop_assert!(with.iter().zip(among).all(|(a, b)| (a - b).abs() < 1e-12), "{:?} {:?}", with, among);
    }
}

#[test]
fn skips_are_counted_by_the_hour() {
    let at = |minutes: u64| NOW + Duration::from_mins(minutes);
    let licence = Licence { skips_per_hour: Some(2), ..Licence::default() };
    let skips = [at(0), at(30)];
    assert_eq!(licence.next_skip_at(&skips[..1], at(40)), None);
    assert_eq!(licence.next_skip_at(&skips, at(40)), Some(at(60)), "when the first is an hour old");
    assert_eq!(licence.next_skip_at(&skips, at(60)), None);
    assert_eq!(Licence::default().next_skip_at(&[at(40); 50], at(40)), None);
    let never = Licence { skips_per_hour: Some(0), ..Licence::default() };
    assert_eq!(never.next_skip_at(&[], at(40)), Some(at(100)));
}

#[test]
fn where_songs_may_not_be_kept_an_hour_lies_ready() {
    let kept = Licence { offline_storage: false, ..Licence::default() };
    let last = READY.saturating_sub(Duration::from_millis(1));
    assert!(kept.lets_lie_ready(Duration::ZERO) && kept.lets_lie_ready(last) && !kept.lets_lie_ready(READY));
    assert!(Licence::default().lets_lie_ready(READY * 100));
    let of_before: Licence = serde_json::from_str("{\"performance_complement\":true}").expect("a licence");
    assert!(of_before.offline_storage, "who said nothing of it before goes on as before");
}

#[test]
fn what_was_heard_goes_first_and_never_the_last_hour_of_music() {
    let spare = || (1..=5).map(|song| (song, Duration::from_mins(20))).collect::<Vec<_>>();
    assert_eq!(let_go(READY, spare(), READY), [1, 2, 3, 4, 5], "what comes is here");
    assert_eq!(let_go(Duration::ZERO, spare(), READY), [1, 2], "nothing comes: an hour stays");
    assert_eq!(let_go(Duration::from_mins(30), spare(), READY), [1, 2, 3]);
    assert_eq!(let_go(Duration::from_mins(30), spare(), Duration::ZERO), [1, 2, 3, 4, 5]);
    assert_eq!(let_go(Duration::ZERO, spare()[..2].to_vec(), READY), [0; 0]);
}
