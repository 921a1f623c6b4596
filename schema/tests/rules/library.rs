//! Songs and zones to test with, as random as their seed.

use std::collections::BTreeMap;
use std::time::Duration;

use roomtone_schema::embedding::{AXES, Embedding, EmbeddingVersion};
use roomtone_schema::id::Id as _;
use roomtone_schema::licence::HeardLog;
use roomtone_schema::look_ahead::Outlook;
use roomtone_schema::pick::{ArtistLog, PickRules};
use roomtone_schema::rank::{Candidate, Shelf};
use roomtone_schema::room::{Listener, Room};
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::vector::{Axes, unit};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{SongId, UnixMillis, rest};

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Songs of two to five minutes by a handful of artists; one in twelve has no embedding.
pub(crate) fn library(seed: u64, songs: usize) -> BTreeMap<SongId, Song> {
    let mut chance = Seeded::new(seed);
    (0..songs).map(|number| song(number, &mut chance)).map(|song| (song.id, song)).collect()
}

fn song(number: usize, chance: &mut Seeded) -> Song {
    let numbers: [f32; AXES] = std::array::from_fn(|_| chance.next_share() as f32 * 2.0 - 1.0);
    let described = !chance.next_u64().is_multiple_of(12);
    let facts = SongFacts {
        title: format!("song {number}"),
        artist: Some(format!("artist {}", number % 7)),
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: None,
        duration_ms: 120_000 + (chance.next_u64() % 180_000) as u32,
        bpm: None,
        pulse_clarity: 0.0,
        key: None,
        key_strength: 0.0,
        loudness_lufs: None,
        true_peak_dbtp: None,
        cue_in_ms: 0,
        cue_out_ms: 0,
        embedding: Embedding::new(numbers).ok().filter(|_| described),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256([number as u8; 32]),
        bytes: 0,
        content_type: String::from("audio/flac"),
    };
    let id = SongId::mint(NOW, std::array::from_fn(|_| chance.next_u64() as u8));
    Song { id, status: SongStatus::Ready, facts, created_at: NOW }
}

/// The library with a random history.
pub(crate) fn shelf(library: &BTreeMap<SongId, Song>, seed: u64) -> Shelf {
    let mut chance = Seeded::new(!seed);
    let length = library.values().map(|song| Duration::from_millis(u64::from(song.facts.duration_ms))).sum();
    let candidates = library.values().map(|song| Candidate {
        song: song.id,
        embedding: song.facts.embedding,
        last_played_at: chance
            .next_u64()
            .is_multiple_of(2)
            .then(|| NOW - Duration::from_millis(chance.next_u64() % 40_000_000)),
    });
    Shelf { candidates: candidates.collect(), window: rest::window(4 * HOUR, length) }
}

/// A zone of a few people at [`NOW`].
pub(crate) fn outlook(seed: u64) -> Outlook {
    let mut chance = Seeded::new(seed.rotate_left(17));
    let people = chance.next_u64() % 5;
    let listener =
        |_| Listener { weight: chance.next_share(), taste: direction(&mut chance), ..Listener::default() };
    let settings = ZoneSettings::default();
    Outlook {
        made_at: NOW,
        now: NOW,
        room: Room {
            listeners: (0..people).map(listener).collect(),
            fairness: settings.fairness,
            ..Room::default()
        },
        rules: PickRules::from(&settings),
        artists: ArtistLog::default(),
        heard: HeardLog::default(),
        current: None,
        crossfade: Duration::from_secs(5),
        zone_seed: seed,
        counter: seed % 1_000,
    }
}

/// A random direction.
pub(crate) fn direction(chance: &mut Seeded) -> Option<Axes> {
    let numbers: Axes = std::array::from_fn(|_| chance.next_share() * 2.0 - 1.0);
    unit(&numbers)
}
