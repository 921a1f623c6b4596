//! What must hold whatever the votes, the library and the seed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::library::{HOUR, NOW, library, outlook, shelf};
use proptest::prelude::*;
use roomtone_schema::embedding::{Embedding, EmbeddingError};
use roomtone_schema::look_ahead::{Outlook, PLAN_AT_LEAST, PLAN_AT_MOST, PLAN_COVERS};
use roomtone_schema::pick::{Relaxation, draw};
use roomtone_schema::rank::{Candidate, Shelf, Standing, rank, rank_plan};
use roomtone_schema::room::Listener;
use roomtone_schema::song::{Explicit, Song};
use roomtone_schema::taste::{TasteState, fixed_unit, taste};
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{SongId, rest};

fn an_embedding() -> impl Strategy<Value = Embedding> {
    prop::array::uniform5(-1.0_f32..1.0)
        .prop_filter_map("has no direction", |numbers| Embedding::new(numbers).ok())
}

fn a_vote() -> impl Strategy<Value = (VoteValue, Embedding)> {
    (prop_oneof![Just(VoteValue::Like), Just(VoteValue::Dislike)], an_embedding())
}

fn fold<'a>(votes: impl IntoIterator<Item = &'a (VoteValue, Embedding)>) -> TasteState {
    let mut state = TasteState::default();
    for (value, embedding) in votes {
        state.add(*value, &fixed_unit(embedding));
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_votes_gives_identical_bits(
        (votes, shuffled) in prop::collection::vec(a_vote(), 0..60)
            .prop_flat_map(|votes| (Just(votes.clone()), Just(votes).prop_shuffle())),
        prior in prop::option::of(prop::array::uniform5(-1.0_f64..1.0)),
        split in 0_usize..60,
    ) {
        let in_order = fold(&votes);
        prop_assert_eq!(in_order, fold(&shuffled));
        let (early, late) = shuffled.split_at(split.min(shuffled.len()));
        let mut merged = fold(late);
        merged.merge(&fold(early));
        prop_assert_eq!(in_order, merged);
        let bits = |state: &TasteState| taste(state, prior).map(|axes| axes.map(f64::to_bits));
        prop_assert_eq!(bits(&in_order), bits(&merged));
    }

    #[test]
    fn replacing_a_vote_is_as_if_the_first_had_never_been(
        votes in prop::collection::vec(a_vote(), 1..30), replaced in 0_usize..30,
    ) {
        let replaced = replaced % votes.len();
        let (before, embedding) = votes[replaced];
        let after = match before {
            VoteValue::Like => VoteValue::Dislike,
            VoteValue::Dislike => VoteValue::Like,
        };
        let mut state = fold(&votes);
        state.remove(before, &fixed_unit(&embedding));
        state.add(after, &fixed_unit(&embedding));
        let mut anew = votes.clone();
        anew[replaced] = (after, embedding);
        prop_assert_eq!(state, fold(&anew));
    }

    #[test]
    fn one_listener_weighs_at_most_an_nth_of_the_room(
        others in prop::collection::vec(a_vote(), 1..20), votes in prop::collection::vec(a_vote(), 0..200),
    ) {
        use roomtone_schema::vibe::{Presence, vibe};
        let presence = |state: &TasteState| Presence { weight: 1.0, taste: taste(state, None) };
        let mut room: Vec<Presence> = others.iter().map(|vote| presence(&fold([vote]))).collect();
        room.push(Presence { weight: 1.0, taste: None });
        let without = vibe(&room).expect("the others have tastes").axes;
        let last = room.len() - 1;
        room[last] = presence(&fold(&votes));
        let with = vibe(&room).expect("the others have tastes").axes;
        let moved = (0..5).map(|axis| (with[axis] - without[axis]).powi(2)).sum::<f64>().sqrt();
        prop_assert!(moved <= 1.0 / room.len() as f64 + 1e-9);
    }

    #[test]
    fn vectors_without_a_direction_are_refused_with_a_typed_error(
        mut numbers in prop::array::uniform5(-1.0_f32..1.0), at in 0_usize..5,
        bad in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
        length in 0_usize..12,
    ) {
        numbers[at] = bad;
        let found = Embedding::new(numbers);
        let is_named = matches!(found, Err(EmbeddingError::NotFinite { index, .. }) if index == at);
        prop_assert!(is_named, "{found:?}");
        prop_assume!(length != 5);
        prop_assert_eq!(Embedding::from_slice(&vec![1.0; length]), Err(EmbeddingError::WrongLength(length)));
    }

    #[test]
    fn ranking_is_total_whatever_the_vibe(
        seed: u64, vibe in prop::array::uniform5(prop::num::f64::ANY), songs in 0_usize..60,
    ) {
        let candidates = shelf(&library(seed, songs), seed).candidates;
        let reversed: Vec<Candidate> = candidates.iter().rev().copied().collect();
        let ids = |ranked: Vec<roomtone_schema::rank::Ranked>| -> Vec<SongId> {
            ranked.iter().map(|one| one.song).collect()
        };
        for rule in [rank, rank_plan] {
            let ranked = rule(&vibe, &candidates, NOW, 4 * HOUR);
            prop_assert!(ranked.iter().all(|one| one.score.is_finite()));
            prop_assert_eq!(ids(ranked), ids(rule(&vibe, &reversed, NOW, 4 * HOUR)));
        }
    }

    #[test]
    fn there_is_a_pick_while_one_song_is_playable(
        seed: u64, songs in 0_usize..40, explicit in 0_u32..=10, minutes in 0_u64..300,
    ) {
        let mut library = library(seed, songs);
        for (song, number) in library.values_mut().zip(0..) {
            if number % 10 < explicit {
                song.facts.explicit = Explicit::Explicit;
            }
        }
        let mut zone = outlook(seed);
        zone.rules.artist_separation = Duration::from_secs(60 * minutes);
        for song in library.values() {
            zone.artists.hear(song, NOW - HOUR);
        }
        let find = |id: SongId| library.get(&id);
        let Ok(picked) = zone.next(&shelf(&library, seed), &find);
        prop_assert_eq!(picked.is_some(), !library.is_empty());
    }

    #[test]
    fn no_song_twice_within_its_rest_window(seed: u64, songs in 2_usize..40) {
        let library = library(seed, songs);
        let find = |id: SongId| library.get(&id);
        let mut shelf = shelf(&library, seed);
        shelf.candidates.iter_mut().for_each(|one| one.last_played_at = None);
        let Ok(plan) = outlook(seed).plan(&shelf, &find);
        let mut played = HashMap::new();
        for planned in plan {
            let before = played.insert(planned.pick.song, planned.starts_at);
            let is_early = rest::is_resting(planned.starts_at, before, shelf.window);
            let others_rested = library.keys().any(|id| {
                let at = played.get(id).copied();
                *id != planned.pick.song && !rest::is_resting(planned.starts_at, at, shelf.window)
            });
            prop_assert!(!(is_early && others_rested), "{:?} at {:?}", planned.pick.song, planned.starts_at);
            prop_assert_eq!(is_early, planned.pick.terms.relaxed.contains(&Relaxation::Rest));
        }
    }

    #[test]
    fn the_plan_begins_with_what_the_next_pick_will_be(seed: u64, songs in 0_usize..60) {
        let library = library(seed, songs);
        let find = |id: SongId| library.get(&id);
        let shelf = shelf(&library, seed);
        let zone = outlook(seed);
        let Ok(next) = zone.next(&shelf, &find);
        let Ok(plan) = zone.clone().plan(&shelf, &find);
        prop_assert_eq!(plan.first().map(|planned| planned.pick.clone()), next);
        let Ok(again) = zone.plan(&shelf, &find);
        prop_assert_eq!(plan, again);
    }

    #[test]
    fn each_song_of_the_plan_is_what_the_hub_would_pick_then(seed: u64, songs in 1_usize..25) {
        let library = library(seed, songs);
        let find = |id: SongId| library.get(&id);
        let mut shelf = shelf(&library, seed);
        let mut zone = outlook(seed);
        let Ok(plan) = zone.clone().plan(&shelf, &find);
        for planned in plan {
            zone.now = planned.starts_at;
            let Ok(picked) = zone.next(&shelf, &find);
            prop_assert_eq!(picked.as_ref(), Some(&planned.pick));
            play(&mut zone, &mut shelf, &library[&planned.pick.song]);
        }
    }

    #[test]
    fn a_pick_can_be_replayed_from_its_log(seed: u64, songs in 1_usize..60) {
        let library = library(seed, songs);
        let find = |id: SongId| library.get(&id);
        let Ok(picked) = outlook(seed).next(&shelf(&library, seed), &find);
        let picked = picked.expect("there are songs");
        let logged = serde_json::to_string(&picked).expect("a pick is JSON");
        let read: roomtone_schema::pick::Pick = serde_json::from_str(&logged).expect("it was written so");
        let drawn = draw(&read.terms.drawn_from, read.seed).expect("something was drawn from");
        prop_assert_eq!(read.terms.drawn_from[drawn].song, picked.song);
        prop_assert_eq!(drawn as u32 + 1, read.terms.place);
        let score = read.terms.similarity - read.terms.penalty - read.terms.misery - read.terms.drought - read.terms.jump;
        prop_assert!((score - read.terms.score).abs() < 1e-12);
    }
}

fn play(zone: &mut Outlook, shelf: &mut Shelf, song: &Song) {
    zone.room.hear(song.facts.embedding.map(|embedding| embedding.unit()).as_ref());
    zone.artists.hear(song, zone.now);
    zone.current = Some(song.id);
    zone.counter += 1;
    for candidate in shelf.candidates.iter_mut().filter(|one| one.song == song.id) {
        candidate.last_played_at = Some(zone.now);
    }
}

#[test]
fn zero_and_huge_vectors_are_no_embedding() {
    for numbers in [[0.0; 5], [1e-7, 0.0, 0.0, 0.0, 0.0], [1e6; 5]] {
        assert!(matches!(Embedding::new(numbers), Err(EmbeddingError::NoDirection(_))), "{numbers:?}");
    }
}

#[test]
fn a_plan_is_long_enough_and_no_longer() {
    for (songs, song_ms, at_least, at_most) in [
        (300, 200_000, PLAN_AT_LEAST, 80),
        (300, 20_000, PLAN_AT_MOST, PLAN_AT_MOST),
        (300, 3_600_000, PLAN_AT_LEAST, PLAN_AT_LEAST),
        (3, 200_000, 3, 80),
    ] {
        let mut library = library(1, songs);
        for song in library.values_mut() {
            song.facts.duration_ms = song_ms;
        }
        let find = |id: SongId| library.get(&id);
        let Ok(plan) = outlook(1).plan(&shelf(&library, 1), &find);
        assert!((at_least..=at_most).contains(&plan.len()), "{} songs of {song_ms} ms", plan.len());
        let covered = plan[plan.len() - 1].starts_at.since(plan[0].starts_at);
        let step = Duration::from_millis(u64::from(song_ms));
        assert!(plan.len() >= PLAN_AT_MOST || covered + step >= PLAN_COVERS);
    }
}

#[test]
fn filters_give_way_in_their_order() {
    let mut library = library(5, 3);
    let ids: Vec<SongId> = library.keys().copied().collect();
    let mut zone = outlook(5);
    let mut shelf = shelf(&library, 5);
    shelf.candidates.iter_mut().for_each(|one| one.last_played_at = None);
    let pick = |zone: &Outlook, shelf: &Shelf, library: &BTreeMap<SongId, Song>| {
        let Ok(picked) = zone.next(shelf, &|id| library.get(&id));
        picked.expect("there are songs")
    };
    library.get_mut(&ids[0]).expect("it is there").facts.explicit = Explicit::Explicit;
    assert_eq!(pick(&zone, &shelf, &library).terms.relaxed, []);
    for song in library.values() {
        zone.artists.hear(song, NOW);
    }
    let same_artist = pick(&zone, &shelf, &library);
    assert_eq!(same_artist.terms.relaxed, [Relaxation::ArtistSeparation]);
    assert_ne!(same_artist.song, ids[0]);
    for candidate in shelf.candidates.iter_mut().filter(|one| one.song != ids[0]) {
        candidate.last_played_at = Some(NOW);
    }
    let resting = pick(&zone, &shelf, &library);
    assert_eq!(resting.terms.relaxed, [Relaxation::ArtistSeparation, Relaxation::Rest]);
    assert_ne!(resting.song, ids[0]);
    library.retain(|id, _| *id == ids[0]);
    let explicit = pick(&zone, &shelf, &library);
    assert_eq!(explicit.terms.relaxed, [Relaxation::ArtistSeparation, Relaxation::Explicit]);
}

#[test]
fn a_filter_that_removes_almost_all_finds_the_one_song_left() {
    let mut library = library(9, 500);
    let survivor = *library.keys().max().expect("there are songs");
    for (id, song) in &mut library {
        song.facts.explicit = if *id == survivor { Explicit::Unknown } else { Explicit::Explicit };
    }
    let mut shelf = shelf(&library, 9);
    shelf.candidates.iter_mut().for_each(|one| one.last_played_at = None);
    let Ok(picked) = outlook(9).next(&shelf, &|id| library.get(&id));
    let picked = picked.expect("there are songs");
    assert_eq!((picked.song, picked.terms.relaxed), (survivor, Vec::new()));
}

#[test]
fn songs_without_an_embedding_are_played_when_nothing_better_has_rested() {
    let mut library = library(2, 2);
    let ids: Vec<SongId> = library.keys().copied().collect();
    library.get_mut(&ids[0]).expect("it is there").facts.embedding = None;
    let mut shelf = shelf(&library, 2);
    shelf.candidates.iter_mut().for_each(|one| one.last_played_at = (one.song == ids[1]).then_some(NOW));
    let Ok(picked) = outlook(2).next(&shelf, &|id| library.get(&id));
    let picked = picked.expect("there are songs");
    assert_eq!((picked.song, picked.terms.standing), (ids[0], Standing::Unknown));
}

#[test]
fn a_listener_who_leaves_takes_their_weight_along() {
    let mut zone = outlook(3);
    let stays = Listener { weight: 1.0, taste: Some([1.0, 0.0, 0.0, 0.0, 0.0]), ..Listener::default() };
    let leaves = Listener { weight: 1.0, taste: Some([-1.0, 0.0, 0.0, 0.0, 0.0]), ..Listener::default() };
    zone.room.listeners = vec![stays, leaves];
    assert!(zone.room.vibe().expect("two have tastes").consensus < 1e-9);
    zone.room.listeners.pop();
    assert!((zone.room.vibe().expect("one has a taste").consensus - 1.0).abs() < 1e-9);
}
