//! Rows made ready for the tables, away from the writer: read, checked, summed.

use roomtone_schema::Embedding;
use roomtone_sync::wire::{
    CatalogueSong, GuestSession, GuestSkip, GuestVote, Kind, LoudnessFacts, PairingNews, PlayerNews, Row,
    TasteNews, VenueNews, VenueSong, ZoneNews,
};
use roomtone_sync::wire::{WireError, decode_noun};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The sum of a row's content.
pub(crate) type Sum = [u8; 16];

/// A row that can be written at once.
#[derive(Debug, Clone)]
pub struct Ready {
    pub(crate) kind: String,
    pub(crate) pk: Uuid,
    pub(crate) seq: i64,
    pub(crate) content: Content,
}

/// What a row says.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// It is gone.
    Gone,
    /// Of a kind, or in a form, that this program does not know. Its version counts all the same.
    Unknown,
    Song(Box<CatalogueSong>, Sum),
    VenueSong(bool, Sum),
    Taste(Box<TasteNews>, Vec<u8>, Sum),
    Player(PlayerNews, Vec<u8>, Sum),
    GuestSession(Box<GuestSession>, Vec<u8>, Sum),
    GuestVote(GuestVote, Vec<u8>, Sum),
    GuestSkip(GuestSkip, Vec<u8>, Sum),
    Pairing(Vec<u8>, Sum),
    Venue(Vec<u8>, Sum),
    Zone(Vec<u8>, Sum),
}

/// Makes a row ready.
pub(crate) fn ready(row: Row) -> Ready {
    let Row { seq, kind, pk, body } = row;
    let content = match body {
        None => Content::Gone,
        Some(body) => Kind::of(&kind).map_or(Content::Unknown, |known| content(known, pk, body)),
    };
    Ready { kind, pk, seq, content }
}

/// A noun that cannot be read holds up no other one: its version is noted, and a later one of it may be sound.
fn content(kind: Kind, pk: Uuid, body: Vec<u8>) -> Content {
    read(kind, pk, body).unwrap_or_else(|error| {
        tracing::warn!("the cloud's {} {pk} cannot be read and is left out: {error}", kind.word());
        Content::Unknown
    })
}

fn read(kind: Kind, pk: Uuid, body: Vec<u8>) -> Result<Content, WireError> {
    let sum = of_bytes(&body);
    Ok(match kind {
        Kind::Song => {
            let song = plain(decode_noun(&body)?);
            let sum = of_song(&song);
            Content::Song(Box::new(song), sum)
        }
        Kind::VenueSong => {
            let enabled = decode_noun::<VenueSong>(&body)?.enabled;
            Content::VenueSong(enabled, of_venue_song(pk, enabled))
        }
        Kind::Taste => Content::Taste(Box::new(decode_noun(&body)?), body, sum),
        Kind::Player => Content::Player(decode_noun(&body)?, body, sum),
        Kind::GuestSession => Content::GuestSession(Box::new(decode_noun(&body)?), body, sum),
        Kind::GuestVote => Content::GuestVote(decode_noun(&body)?, body, sum),
        Kind::GuestSkip => Content::GuestSkip(decode_noun(&body)?, body, sum),
        Kind::PlayerPairing => Content::Pairing(checked::<PairingNews>(body)?, sum),
        Kind::Venue => Content::Venue(checked::<VenueNews>(body)?, sum),
        Kind::Zone => Content::Zone(checked::<ZoneNews>(body)?, sum),
    })
}

fn checked<T: DeserializeOwned>(body: Vec<u8>) -> Result<Vec<u8>, WireError> {
    decode_noun::<T>(&body).map(|_| body)
}

/// The song in numbers that SQLite gives back bit for bit, and with a direction or none.
fn plain(song: CatalogueSong) -> CatalogueSong {
    // Not finite is stored as null, and minus zero as zero.
    let number = |value: Option<f32>| value.filter(|value| value.is_finite()).map(|value| value + 0.0);
    let LoudnessFacts { lufs, true_peak_dbtp, .. } = song.loudness;
    let loudness =
        LoudnessFacts { lufs: number(lufs), true_peak_dbtp: number(true_peak_dbtp), ..song.loudness };
    let embedding = song.embedding.filter(|values| Embedding::new(*values).is_ok());
    CatalogueSong { bpm: number(song.bpm), loudness, embedding, ..song }
}

/// The sum of bytes that are kept as they came.
pub(crate) fn of_bytes(body: &[u8]) -> Sum {
    super::short(blake3::hash(body))
}

pub(crate) fn of_venue_song(pk: Uuid, enabled: bool) -> Sum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(pk.as_bytes()).update(&[u8::from(enabled)]);
    super::short(hasher.finalize())
}

/// The sum of what the columns of a song hold, from the columns as from what came.
pub(crate) fn of_song(song: &CatalogueSong) -> Sum {
    let mut bytes = Vec::with_capacity(512);
    let mut text = |text: Option<&str>| {
        bytes.extend(text.map_or(u32::MAX, |text| text.len() as u32).to_le_bytes());
        bytes.extend(text.unwrap_or_default().as_bytes());
    };
    let optional = [&song.artist, &song.album, &song.isrc, &song.label, &song.key];
    for column in optional {
        text(column.as_deref());
    }
    text(Some(&song.title));
    text(Some(&song.content_type));
    for number in [song.bpm, song.loudness.lufs, song.loudness.true_peak_dbtp] {
        bytes.extend(number.map_or(u64::MAX, |number| u64::from(number.to_bits())).to_le_bytes());
    }
    for value in song.embedding.iter().flatten() {
        bytes.extend(value.to_bits().to_le_bytes());
    }
    for number in [song.loudness.cue_in_ms, song.loudness.cue_out_ms, song.duration_ms] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(song.sha256.as_ref());
    bytes.extend(song.bytes.to_le_bytes());
    bytes.extend(song.created_at.0.to_le_bytes());
    bytes.extend(song.embedding_version.to_le_bytes());
    let kind = song.kind.map_or(9, |kind| kind as u8);
    bytes.extend([song.status as u8, u8::from(song.stored), song.explicit as u8, kind]);
    super::short(blake3::hash(&bytes))
}
