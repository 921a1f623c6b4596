//! The whole decision as the hub makes it: fair vibe, ranking, filters, misery, jumps, draw; and the plan for four hours.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use roomtone_hub::index::ZoneOrder;
use roomtone_schema::SongId;
use roomtone_schema::embedding::EmbeddingVersion;
use roomtone_schema::licence::HeardLog;
use roomtone_schema::look_ahead::Outlook;
use roomtone_schema::pick::{ArtistLog, PickRules};
use roomtone_schema::rank::Candidate;
use roomtone_schema::room::{Listener, Room};
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::venue::ZoneSettings;

use crate::library::{Library, NOW, QUERIES, direction};
use crate::stopwatch::{at_most, race, show};

const LISTENERS: usize = 40;

/// Times a pick and a plan over `songs` songs for a room of forty.
pub(crate) fn measure(songs: usize) {
    let library = Library::new(songs);
    let order = library.order();
    let catalogue: HashMap<SongId, Song> =
        library.candidates.iter().zip(0..).map(|(one, number)| (one.song, song(one, number))).collect();
    let find = |id: SongId| catalogue.get(&id);
    let mut zones: Vec<Outlook> = (0..64).map(|seed| zone(seed, &library)).collect();
    let current: Vec<SongId> = library.candidates.iter().take(64).map(|one| one.song).collect();
    for (zone, song) in zones.iter_mut().zip(current) {
        zone.current = Some(song);
        zone.artists.hear(&catalogue[&song], NOW);
    }
    let query = |call: usize| &library.queries[call % QUERIES];
    let [whole, ranked] = race(
        51,
        8,
        [&mut |call| drop(black_box(pick(&zones[call % 64], &order, &find))), &mut |call| {
            drop(black_box(order.rank(query(call), 64, NOW)));
        }],
    );
    at_most(
        "-",
        &format!("the whole decision, {songs} songs, {LISTENERS} people"),
        whole,
        ("its ranking", ranked),
        None,
    );
    let mut plan = |call: usize| {
        let Ok(plan) = zones[call % 64].clone().plan(&order, &find);
        assert!(!black_box(plan).is_empty());
    };
    let [planned] = race(9, 1, [&mut plan]);
    println!("a plan of 4 h, {songs} songs, {LISTENERS} people: {}", show(planned));
}

fn pick<'s>(
    zone: &Outlook,
    order: &ZoneOrder,
    find: &impl Fn(SongId) -> Option<&'s Song>,
) -> roomtone_schema::pick::Pick {
    let Ok(picked) = zone.next(order, find);
    picked.unwrap()
}

fn zone(seed: u64, library: &Library) -> Outlook {
    let mut chance = Seeded::new(seed);
    let settings = ZoneSettings::default();
    let listeners = (0..LISTENERS).map(|number| {
        let off = direction(&mut chance);
        let towards = &library.queries[number % QUERIES];
        let taste = roomtone_schema::vector::unit(&std::array::from_fn(|axis| towards[axis] + off[axis]));
        Listener { weight: chance.next_share(), taste, ..Listener::default() }
    });
    Outlook {
        made_at: NOW,
        now: NOW,
        room: Room { listeners: listeners.collect(), fairness: settings.fairness, ..Room::default() },
        rules: PickRules::from(&settings),
        artists: ArtistLog::default(),
        heard: HeardLog::default(),
        current: None,
        crossfade: Duration::from_secs(5),
        zone_seed: seed,
        counter: seed,
    }
}

/// A song as a library has thousands of: every tenth explicit, some dozens by each artist.
pub(crate) fn song(candidate: &Candidate, number: usize) -> Song {
    let facts = SongFacts {
        title: format!("song {number}"),
        artist: Some(format!("artist {}", number % 400)),
        album: None,
        isrc: None,
        label: None,
        explicit: if number.is_multiple_of(10) { Explicit::Explicit } else { Explicit::Unknown },
        kind: None,
        duration_ms: 200_000,
        bpm: None,
        pulse_clarity: 0.0,
        key: None,
        key_strength: 0.0,
        loudness_lufs: None,
        true_peak_dbtp: None,
        cue_in_ms: 0,
        cue_out_ms: 200_000,
        embedding: candidate.embedding,
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256([0; 32]),
        bytes: 0,
        content_type: String::from("audio/flac"),
    };
    Song { id: candidate.song, status: SongStatus::Ready, facts, created_at: NOW }
}
