//! The nouns that come down.

use roomtone_schema::song::{Explicit, SongKind, SongStatus};
use roomtone_schema::{AXES, HubId, SongId, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`CatalogueSong`], by the song's id, in the catalogue's scope.
    Song,
    /// [`VenueNews`], by the venue's id.
    Venue,
    /// [`ZoneNews`], by the zone's id at the cloud.
    Zone,
    /// [`VenueSong`], by the song's id.
    VenueSong,
    /// [`PlayerNews`], by the player's id.
    Player,
    /// [`TasteNews`], by the profile's id.
    Taste,
    /// [`GuestSession`](super::GuestSession), by the session's id.
    GuestSession,
    /// [`GuestVote`](super::GuestVote), by the vote's id.
    GuestVote,
    /// [`GuestSkip`](super::GuestSkip), by an id of its own.
    GuestSkip,
    /// [`PairingNews`](super::PairingNews), by the pairing's id.
    PlayerPairing,
}

/// All kinds with the revision of their rows that this program reads: it grows with each column.
pub const KINDS: [(Kind, u32); 10] = [
    (Kind::Song, 1),
    (Kind::Venue, 1),
    (Kind::Zone, 1),
    (Kind::VenueSong, 1),
    (Kind::Player, 2),
    (Kind::Taste, 1),
    (Kind::GuestSession, 1),
    (Kind::GuestVote, 1),
    (Kind::GuestSkip, 1),
    (Kind::PlayerPairing, 1),
];

/// What a cloud of this program says of each kind in its answer to a hello.
pub fn revisions() -> Vec<(String, u32)> {
    KINDS.iter().map(|(kind, revision)| (kind.word().to_owned(), *revision)).collect()
}

impl Kind {
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Song => "song",
            Self::Venue => "venue",
            Self::Zone => "zone",
            Self::VenueSong => "venue_song",
            Self::Player => "player",
            Self::Taste => "taste",
            Self::GuestSession => "guest_session",
            Self::GuestVote => "guest_vote",
            Self::GuestSkip => "guest_skip",
            Self::PlayerPairing => "player_pairing",
        }
    }

    /// Whether it is what a guest did at the cloud.
    pub fn is_guests(self) -> bool {
        matches!(self, Self::GuestSession | Self::GuestVote | Self::GuestSkip)
    }

    /// The kind of a word; one that this program does not know is counted and skipped.
    pub fn of(word: &str) -> Option<Self> {
        KINDS.into_iter().map(|(kind, _)| kind).find(|kind| kind.word() == word)
    }
}

/// A song of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogueSong {
    /// Whether it may be played at all.
    pub status: SongStatus,
    /// The sum of its file.
    pub sha256: ByteArray<32>,
    /// How long its file is.
    pub bytes: u64,
    /// What its file is.
    pub content_type: String,
    /// Whether the cloud has its file, verified.
    pub stored: bool,
    /// Its title.
    pub title: String,
    /// Its artist.
    pub artist: Option<String>,
    /// Its album.
    pub album: Option<String>,
    /// Its recording's code.
    pub isrc: Option<String>,
    /// Its label.
    pub label: Option<String>,
    /// Whether its words are explicit.
    pub explicit: Explicit,
    /// Soundscape or instrumental.
    pub kind: Option<SongKind>,
    /// How long it is.
    pub duration_ms: u32,
    /// Its tempo.
    pub bpm: Option<f32>,
    /// Its key.
    pub key: Option<String>,
    /// How it sounds, as far as a player must know.
    pub loudness: LoudnessFacts,
    /// Its direction: five numbers, bit for bit.
    pub embedding: Option<[f32; AXES]>,
    /// What computed it.
    pub embedding_version: u16,
    /// Since when it is in the catalogue.
    pub created_at: UnixMillis,
}

/// Loudness and cue points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoudnessFacts {
    /// Integrated loudness in LUFS.
    pub lufs: Option<f32>,
    /// True peak in dBTP.
    pub true_peak_dbtp: Option<f32>,
    /// Where it begins to sound.
    pub cue_in_ms: u32,
    /// Where it has ended.
    pub cue_out_ms: u32,
}

/// A venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VenueNews {
    /// What people call it.
    pub name: String,
    /// IANA name of its time zone.
    pub timezone: String,
    /// For how long a song rests.
    pub penalty_hours: i32,
    /// How long two songs overlap.
    pub crossfade_ms: i32,
    /// The rest, as JSON.
    pub settings: String,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneNews {
    /// What people call it.
    pub name: String,
    /// The settings of schema's `ZoneSettings`, as JSON; what is left out has its default.
    pub settings: String,
    /// Whether it is archived.
    pub archived: bool,
}

/// Whether a venue plays a song.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueSong {
    /// Which.
    pub song: SongId,
    /// Whether it may be played there.
    pub enabled: bool,
}

/// What a manager has changed of a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerNews {
    /// Its name.
    pub name: String,
    /// The name of its zone.
    pub zone: Option<String>,
    /// Whether it was told to go.
    pub revoked: bool,
    /// How loud a manager wants it, and when they said so; absent until somebody has, and from clouds before revision 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeOrder>,
}

/// A manager's word on how loud a player is to be. It is followed once: whatever is turned at the hub afterwards holds, and
/// the row may come down again as often as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeOrder {
    /// 0 to 100.
    pub percent: u8,
    /// Its number: the cloud's time in milliseconds, and greater than that of every order before. A cloud that was restored
    /// from a backup tells an order that is older than what was followed, and it is not followed again.
    pub number: i64,
}

/// What the cloud knows of the taste of somebody with an account who was here lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasteNews {
    /// The version of the embeddings that the sums are in.
    pub version: u16,
    /// How many songs they like.
    pub n_like: i64,
    /// Sum of the liked songs' directions, in fixed point.
    pub sum_like: [i64; AXES],
    /// How many songs they dislike.
    pub n_dislike: i64,
    /// Sum of the disliked songs' directions, in fixed point.
    pub sum_dislike: [i64; AXES],
    /// Up to which number of which hub (and epoch) votes are in these sums: a hub adds its own later ones.
    pub folded: Vec<(HubId, i64, i64)>,
}
