//! A song to vote for, and the vote as the hub writes it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use roomtone_hub::store::ballots::{self, Ballot};
use roomtone_hub::store::votes::Direction;
use roomtone_hub::store::{Store, StoreError, Tx, songs};
use roomtone_schema::id::Id;
use roomtone_schema::song::{Explicit, Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::taste::fixed_unit;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{Embedding, EmbeddingVersion, SongId, UnixMillis, VoteId};

/// When everything here happens, by the hub's steady clock.
pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// The song that is voted for.
pub(crate) fn song() -> Song {
    let facts = SongFacts {
        title: "Rain on a tin roof".into(),
        artist: None,
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Clean,
        kind: None,
        duration_ms: 60_000,
        bpm: None,
        pulse_clarity: 0.0,
        key: None,
        key_strength: 0.0,
        loudness_lufs: Some(-20.0),
        true_peak_dbtp: Some(-3.0),
        cue_in_ms: 0,
        cue_out_ms: 60_000,
        embedding: Embedding::new([0.5, -0.5, 0.25, 0.125, 0.0625]).ok(),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256([7; 32]),
        bytes: 1,
        content_type: "audio/flac".into(),
    };
    Song { id: SongId::mint(NOW, [7; 10]), status: SongStatus::Ready, facts, created_at: NOW }
}

/// Makes sure that the song is there.
pub(crate) fn add_song(store: &Store) -> Result<(), StoreError> {
    let op = fresh();
    store.write_blocking(move |tx| match songs::by_id(tx, song().id)? {
        Some(_) => Ok(()),
        None => songs::insert(tx, op, &song()).map(drop),
    })
}

/// A vote by somebody new, as the hub writes it.
pub(crate) fn vote() -> (VoteId, impl Fn(&Tx<'_>) -> rusqlite::Result<()> + Send + 'static) {
    let song = song();
    let direction = song
        .facts
        .embedding
        .map(|embedding| Direction { unit: fixed_unit(&embedding), version: EmbeddingVersion::DESC_V1 });
    let vote = Vote {
        id: fresh(),
        listener: fresh(),
        session: fresh(),
        song: song.id,
        value: VoteValue::Like,
        hlc: Hlc(0),
        cast_at: NOW,
    };
    let ballot = Ballot { key: fresh(), op: fresh(), vote, direction, prior: None };
    (vote.id, move |tx: &Tx<'_>| ballots::cast(tx, &ballot).map(drop))
}

/// An id that nobody has; ids of one process come in the order in which they were made.
pub(crate) fn fresh<T: Id>() -> T {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
    T::mint(UnixMillis(NOW.0 + made.cast_signed() / 16), random)
}
