//! What hub and cloud say to each other: values, and the bytes they travel as.
//!
//! A message is `MessagePack` with named fields, compressed with zstd. Fields that a reader does not know are skipped, and
//! every field that was added after 1.0 has a default: a hub of last year and a cloud of today understand each other.
//! The golden bytes of each release stand in `sync/tests/golden`.

use std::fmt;
use std::str::FromStr;

use roomtone_schema::fairness::Fairness;
use roomtone_schema::replay::Figures;
use roomtone_schema::{BootId, HubId, OrganisationId, PlayerId, SongId, UnixMillis, VenueId, ZoneId};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use uuid::Uuid;

mod facts;
mod frame;
mod guests;
mod media;
mod packing;
mod pairing;
mod rows;

pub use facts::{Fact, Facts, Ragged};
pub use frame::{MOST_BYTES, WireError, decode, decode_within, encode};
pub use guests::{GuestSession, GuestSkip, GuestVote, NowTold, RoomTold, VibeTold};
pub use media::{
    Downloads, DownloadsAsk, MediaFile, UploadAnswer, UploadAsk, UploadedAnswer, UploadedAsk, UploadedState,
};
pub use pairing::{PairingAnswer, PairingAsk, PairingNews, PairingSaid};
pub use rows::{
    CatalogueSong, KINDS, Kind, LoudnessFacts, PlayerNews, TasteNews, VenueNews, VenueSong, VolumeOrder,
    ZoneNews, revisions,
};

/// The media type of every message.
pub const MEDIA_TYPE: &str = "application/vnd.roomtone.sync";

/// The header by which both say which version they speak, as `1.0`.
pub const VERSION_HEADER: &str = "roomtone-sync";

/// The version spoken here. The major grows with what an older reader would get wrong; a cloud serves each major for at
/// least 18 months.
pub const VERSION: Version = Version { major: 1, minor: 0 };

/// The header with the cloud's time in milliseconds since 1970, on every answer, also on refusals: a hub whose clock is
/// wrong learns what to sign with.
pub const TIME_HEADER: &str = "roomtone-time";

/// At most so many facts in a push.
pub const MOST_FACTS: usize = 500;

/// At most so many bytes of payloads in a push, unless one fact alone is larger.
pub const MOST_FACT_BYTES: usize = 256 * 1024;

/// At most so many rows in a page.
pub const MOST_ROWS: u32 = 5_000;

/// Digest buckets of a scope.
pub const BUCKETS: usize = 256;

/// A digest of 256 bits.
pub type Hash = [u8; 32];

/// Which version somebody speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// What is incompatible.
    pub major: u16,
    /// What was added.
    pub minor: u16,
}

/// A text that is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version: it is written as 1.0")]
pub struct NoVersion;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = NoVersion;
    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let (major, minor) = text.trim().split_once('.').ok_or(NoVersion)?;
        let number = |digits: &str| digits.parse().or(Err(NoVersion));
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// What rows belong to, and what a cursor counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// The songs of an organisation: all its venues share them.
    Catalogue(OrganisationId),
    /// What one venue's hub needs besides: settings, zones, which songs it plays, players, tastes.
    Venue(VenueId),
}

/// A text that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: it is written as catalogue:<id> or venue:<id>")]
pub struct NoScope;

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(organisation) => write!(f, "catalogue:{}", organisation.0),
            Self::Venue(venue) => write!(f, "venue:{}", venue.0),
        }
    }
}

impl FromStr for Scope {
    type Err = NoScope;
    fn from_str(text: &str) -> Result<Self, NoScope> {
        let (kind, id) = text.split_once(':').ok_or(NoScope)?;
        let id = Uuid::parse_str(id).or(Err(NoScope))?;
        match kind {
            "catalogue" => Ok(Self::Catalogue(OrganisationId(id))),
            "venue" => Ok(Self::Venue(VenueId(id))),
            _ => Err(NoScope),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = NoScope;
    fn try_from(text: String) -> Result<Self, NoScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// A place in a scope's feed. `(0, 0)` is its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Dense: one more for each change, in the order of commits.
    pub seq: i64,
    /// Drawn by lot with each change: a cloud that was restored from a backup gives a number a second time, but not the
    /// tag.
    pub tag: i64,
}

/// Trades an enrolment code for a hub's own key. The one message without a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAsk {
    /// The code as typed.
    pub code: String,
    /// The hub's Ed25519 key.
    pub public_key: ByteArray<32>,
    /// Its signature of [`crate::credential::enrolment_text`]: whoever enrols has the key.
    pub proof: ByteArray<64>,
    /// The hub's program and version.
    pub software: String,
}

/// What a hub is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// Its name at the cloud; not the id that the venue's network knows it by.
    pub hub: HubId,
    /// Where it stands.
    pub venue: VenueId,
    /// Whose catalogue it plays.
    pub organisation: OrganisationId,
    /// What people call the venue.
    pub venue_name: String,
    /// What people call the hub.
    pub hub_name: String,
}

/// Hands in the key that the hub will show from now on; the key that signs the question vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateAsk {
    /// The Ed25519 key that is to follow.
    pub public_key: ByteArray<32>,
    /// Its signature of [`crate::credential::rotation_text`]: whoever hands it in has it.
    pub proof: ByteArray<64>,
}

/// See [`RotateAsk`]. Asked again with the new key, the answer says that the one before is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateAnswer {
    /// Whether the key before is good until this one is used for the first time.
    pub pending: bool,
}

/// A moment, by a run of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Which run.
    pub boot: BootId,
    /// Its monotonic clock.
    pub mono_ms: i64,
    /// Its wall clock.
    pub wall_ms: i64,
}

/// What a hub says first on every connection, and again before its lease ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The life of its database.
    pub epoch: i64,
    /// This run of its program.
    pub instance: Uuid,
    /// The run before it on the same database, which has ended for sure.
    pub predecessor: Option<Uuid>,
    /// The database lies elsewhere than it did: copied, or moved to another box.
    pub moved: bool,
    /// The number of its newest fact; 0 before the first.
    pub last_seq: i64,
    /// Up to which number it believes that the cloud has everything.
    pub acked: i64,
    /// The number of the oldest fact that it could still send.
    pub oldest: i64,
    /// The chain's link at `acked`, where it still has that row.
    pub acked_chain: Option<ByteArray<32>>,
    /// Its last push met other facts under its numbers ([`ProblemCode::Fork`]), in this epoch.
    #[serde(default)]
    pub forked: bool,
    /// Now, by its clocks. The cloud mends the times of facts of that run by it.
    pub now: Stamp,
    /// Its steady time now, in which its facts are dated.
    pub steady_ms: i64,
    /// Program and version.
    pub software: String,
    /// Facts that the cloud does not have.
    pub pending: u64,
    /// Its zones: the cloud knows them by name.
    pub zones: Vec<ZoneTold>,
    /// The latest state of its players; a latest state and no log.
    pub players: Vec<PlayerTold>,
    /// What its zones show, for guests who do not reach it, and for the venue's staff.
    #[serde(default)]
    pub rooms: Vec<RoomTold>,
    /// Guests seem not to reach it: they come by the cloud's page only. Hubs before 1.1 do not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guests_cut_off: bool,
}

/// A zone of a hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneTold {
    /// As the hub's facts name it.
    pub id: ZoneId,
    /// What people call it; unique in a venue.
    pub name: String,
    /// How its people fare; a latest state and no log. Hubs before 1.1 do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fares: Option<FaresTold>,
}

/// How the people of a zone fare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaresTold {
    /// How many people are there who have heard a song.
    pub people: u32,
    /// How these fare.
    pub now: Option<Fairness>,
    /// The last days on which anybody stayed, oldest first: the day by the venue's calendar, counted from 1970-01-01, and
    /// what came of it. At most [`MOST_DAYS_TOLD`].
    pub days: Vec<(i32, Figures)>,
}

/// So many days are told of.
pub const MOST_DAYS_TOLD: u16 = 14;

/// The latest state of a player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlayerTold {
    /// Which.
    pub id: PlayerId,
    /// `active`, `idle` or `offline`.
    pub status: String,
    /// `hub`, `plan` or `cache`; where its music comes from.
    pub tier: Option<String>,
    /// What it plays, as the hub names it.
    pub song: Option<SongId>,
    /// When it was last heard of, by the hub's steady time.
    pub last_seen_at: Option<UnixMillis>,
    /// For how long it was silent when it should not have been.
    pub silence_ms: u64,
    /// How loud it is, and the number of the newest [`VolumeOrder`] that was followed (0: none yet). A cloud that has a newer
    /// one knows by it that this is not the answer to it. Hubs before 1.1 do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeOrder>,
}

/// How a hub stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Push and pull.
    Welcome,
    /// Another box speaks as this hub: play on, collect, push nothing, and ask again.
    Fenced,
}

/// What a hub needs to know to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HelloAnswer {
    /// Whether it may push.
    pub standing: Standing,
    /// The cloud's time.
    pub now: UnixMillis,
    /// The epoch in which to push. Where it is another one than the hub's, facts after `ack` are of it from now on.
    pub epoch: i64,
    /// Up to which number everything of that epoch is in the cloud: go on behind it, also where that is further back.
    pub ack: i64,
    /// For how long nobody else may speak as this hub.
    pub lease_ms: u64,
    /// Where its scopes stand.
    pub heads: Vec<Head>,
    /// The revision of each kind's rows: where one has grown beyond what the hub took, it asks for that kind again.
    pub revisions: Vec<(String, u32)>,
    /// The keys that sign check-in tickets, newest first.
    pub ticket_keys: Vec<ByteArray<32>>,
    /// The venue's name.
    pub venue_name: String,
    /// The hub's name.
    pub hub_name: String,
    /// What has changed of what only a hello tells may be told this long after the hello before; 0, as of clouds before 1.1:
    /// with the next one that is due.
    #[serde(default, skip_serializing_if = "is_default")]
    pub news_every_ms: u64,
}

/// A field that an older reader does not know is left out where it says nothing.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where a scope's feed ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which.
    pub scope: Scope,
    /// Its newest number.
    pub seq: i64,
}

/// Facts for the cloud, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// The epoch they are pushed in.
    pub epoch: i64,
    /// Who pushes.
    pub instance: Uuid,
    /// The number of the first; the others follow without a gap.
    pub first_seq: i64,
    /// The chain's link before the first: a cloud that has another one there has facts of somebody else.
    pub before: ByteArray<32>,
    /// The facts.
    pub facts: Facts,
}

/// What became of a push. Everything up to `ack` that is not in `apart` is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushAnswer {
    /// Up to which number the hub need not send again.
    pub ack: i64,
    /// Facts of this push that are kept apart.
    pub apart: Vec<Apart>,
    /// The cloud's time.
    pub now: UnixMillis,
}

/// A fact that is not applied, and holds up no other one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// Its number.
    pub seq: i64,
    /// For now or for good.
    pub outcome: Outcome,
    /// Why, for a person.
    pub reason: String,
}

/// How a fact is kept that is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What it depends on is not there yet; the cloud tries again by itself.
    Parked,
    /// It can never be applied as it is; a person decides.
    Rejected,
}

/// What a hub wants to read of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullAsk {
    /// Of which scope.
    pub scope: Scope,
    /// What it has.
    pub from: Cursor,
    /// How many changes at most; [`MOST_ROWS`] is the most.
    pub limit: u32,
}

/// Changes behind a cursor, as the rows are now: a row that changed a thousand times is in it once, and one whose newest
/// change lies behind `to` is not in it yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Of which scope.
    pub scope: Scope,
    /// Where it begins.
    pub from: Cursor,
    /// Where it ends.
    pub to: Cursor,
    /// Where the feed ended when it was read.
    pub head: i64,
    /// How many changes it stands for: `to.seq - from.seq`, or it has a hole.
    pub changes: i64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The number of its newest change: its version.
    pub seq: i64,
    /// What it is; see [`Kind`].
    pub kind: String,
    /// Which.
    pub pk: Uuid,
    /// The noun, by [`encode_noun`]; absent where it is gone.
    #[serde(with = "serde_bytes", default)]
    pub body: Option<Vec<u8>>,
}

/// Asks for digests of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestAsk {
    /// Of which scope.
    pub scope: Scope,
}

/// What a scope's rows add up to; see [`crate::digest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestAnswer {
    /// Of which scope.
    pub scope: Scope,
    /// At which place of its feed.
    pub at: Cursor,
    /// One digest for each of [`BUCKETS`].
    pub buckets: Vec<ByteArray<16>>,
}

/// Asks for rows by where they are kept, and not by when they changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsAsk {
    /// Of which scope.
    pub scope: Scope,
    /// Of these kinds; none means all.
    pub kinds: Vec<String>,
    /// Of these buckets; none means all.
    #[serde(with = "serde_bytes")]
    pub buckets: Vec<u8>,
    /// Behind this row, in the order of (kind, pk).
    pub after: Option<(String, Uuid)>,
    /// How many at most; [`MOST_ROWS`] is the most.
    pub limit: u32,
}

/// Live rows of a scope, in the order of (kind, pk). Rows of what was asked for that are not in any page are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsAnswer {
    /// Of which scope.
    pub scope: Scope,
    /// At which place of its feed this page was read.
    pub at: Cursor,
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether there are more.
    pub more: bool,
}

/// The chunks from which a whole scope is built: each is a message with a list of [`Row`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Of which scope.
    pub scope: Scope,
    /// At which place of its feed.
    pub at: Cursor,
    /// Its chunks, in order.
    pub chunks: Vec<Chunk>,
}

/// A part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The sum of its bytes, by which it is named.
    pub sha256: ByteArray<32>,
    /// How long it is.
    pub bytes: u64,
    /// How many rows are in it.
    pub rows: u32,
    /// Where it is fetched, by Range where it was begun; a path of this cloud, or a signed address.
    pub url: String,
}

/// When a venue's zones last heard its songs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardAsk {
    /// Plays since then.
    pub since: UnixMillis,
}

/// See [`HeardAsk`]. At most 10,000, the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardAnswer {
    /// Zone as the hub names it, song, and when.
    pub heard: Vec<(ZoneId, SongId, UnixMillis)>,
}

/// Why a question was not answered: the body of every status from 400 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What to do about it.
    pub code: ProblemCode,
    /// What happened, for a log.
    pub message: String,
    /// With `Gap` and `Rewound`: up to which number everything is in the cloud.
    #[serde(default)]
    pub ack: Option<i64>,
    /// When to ask again, where that helps.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
}

/// See [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// No credential, or one that does not hold: look at the time, then ask again.
    Unauthorised,
    /// This hub was told to go.
    Revoked,
    /// Facts are missing before these: go on behind `ack`.
    Gap,
    /// A number was taken with another content: say hello.
    Fork,
    /// Pushed in another epoch than the one that counts: say hello.
    Epoch,
    /// Another run of this hub holds the lease: say hello.
    Fenced,
    /// The cursor is none of this feed's (any more): compare digests.
    Diverged,
    /// The version is not spoken here.
    Version,
    /// No such code, or no longer.
    Code,
    /// Come back later.
    Busy,
    /// Not a message, or one beyond its bounds.
    Malformed,
    /// Nothing of that name.
    NotFound,
    /// The cloud failed; nothing was taken.
    Failed,
    /// A code from a later version.
    #[serde(other)]
    Unknown,
}

/// The bytes of a row's noun: `MessagePack` with named fields, not compressed (what it travels in is).
///
/// # Errors
/// Where the noun cannot be written as such.
pub fn encode_noun<T: Serialize>(noun: &T) -> Result<Vec<u8>, WireError> {
    frame::pack(noun)
}

/// The noun of a row.
///
/// # Errors
/// Where the bytes are none.
pub fn decode_noun<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    frame::unpack(bytes)
}
