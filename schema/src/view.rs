//! What a venue shows of its rooms: values that queries answer with and subscriptions deliver, all of them state.
//!
//! Nothing here depends on who is looking; what does (a viewer's own vote, their taste) is asked for separately.

use std::sync::Arc;

pub use crate::explanation::{Explanation, Reason, ReasonCode};
use serde::{Deserialize, Serialize};

use crate::play::{PlayEnd, Tier};
use crate::player::{Player, PlayerHealth, PlayerStatus};
use crate::song::Song;
pub use crate::vibe::VibeSource;
use crate::{
    AXES, DeviceId, FactId, ListenerId, PickId, PlayId, PlayerId, SessionId, SongId, UnixMillis, ZoneId,
};

/// The weighted mean of the tastes in a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct VibeView {
    /// In the order of `Axis::ALL`, each in [-1, 1].
    pub axes: [f64; AXES],
    /// The vibe's length, 0 (split) to 1 (all want the same).
    pub consensus: f64,
    /// People checked in.
    pub active_listeners: u32,
    /// What the axes come from.
    pub source: VibeSource,
    /// When they last changed.
    pub updated_at: UnixMillis,
}

/// What a zone hears.
#[derive(Debug, Clone)]
pub struct NowPlayingView {
    /// The decision that it comes from.
    pub pick: Arc<PickView>,
    /// Where.
    pub zone: ZoneId,
    /// The player that advanced to it.
    pub player: PlayerId,
    /// When its first player began.
    pub started_at: UnixMillis,
    /// Position in the song at `as_of`, in milliseconds.
    pub position_ms: u32,
    /// When this was true.
    pub as_of: UnixMillis,
    /// How many people want to skip it.
    pub skip_votes: u32,
    /// How many it takes.
    pub skip_votes_needed: u32,
    /// Hub, plan or cache.
    pub tier: Tier,
}

/// One decision of the recommender, as players and people see it.
#[derive(Debug, Clone)]
pub struct PickView {
    /// Made with the decision.
    pub id: PickId,
    /// What to play.
    pub song: Arc<Song>,
    /// Overlap with the song before, in milliseconds.
    pub crossfade_ms: u32,
    /// What brings the song to the zone's loudness, in dB; limited so that its true peak stays below -1 dBTP.
    pub gain_db: f32,
    /// Why.
    pub explanation: Explanation,
}

/// A place in the list of what comes next.
#[derive(Debug, Clone)]
pub struct Recommendation {
    /// From 1.
    pub rank: u32,
    /// What.
    pub song: Arc<Song>,
    /// Why.
    pub explanation: Explanation,
}

/// A player as everybody may see it.
#[derive(Debug, Clone)]
pub struct PlayerView {
    /// Its record; `status` is computed from the heartbeat.
    pub player: Player,
    /// What its zone hears, where it plays.
    pub now_playing: Option<Arc<NowPlayingView>>,
}

/// How the hub stands with the cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncStatusView {
    /// Offline until the hub is enrolled and its cloud answers.
    pub state: SyncState,
    /// Whether the hub has a cloud.
    pub enrolled: bool,
    /// Facts that the cloud keeps apart.
    pub dead_letters: u64,
    /// When the cloud last took facts.
    pub last_pushed_at: Option<UnixMillis>,
    /// When the hub last heard from the cloud.
    pub last_pulled_at: Option<UnixMillis>,
    /// Facts that the cloud has not acknowledged.
    pub pending: u64,
    /// The oldest of them.
    pub oldest_pending_at: Option<UnixMillis>,
    /// Songs whose file is here.
    pub cached_songs: u64,
    /// Songs of the catalogue.
    pub total_songs: u64,
    /// Bytes of the files that are here.
    pub cached_bytes: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// See [`SyncStatusView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncState {
    /// Everything is in the cloud.
    Synced,
    /// On its way.
    Syncing,
    /// The cloud is out of reach, or the hub was never enrolled.
    Offline,
    /// The cloud refuses this hub.
    Blocked,
}

/// When a zone's music is, as far as a player needs to know to keep the hours without its hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenHoursView {
    /// By the clock that the times are told by.
    pub as_of: UnixMillis,
    /// Whether there is to be music now.
    pub is_open: bool,
    /// When it ends; `None` where it has ended, or does not end within a week.
    pub closes_at: Option<UnixMillis>,
    /// When it begins, or begins again after it has ended; `None` where no such time is known within a week.
    pub opens_at: Option<UnixMillis>,
    /// What this hour is called.
    pub daypart: Option<String>,
}

/// A fact that the cloud keeps apart, as the manager sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterView {
    /// The fact.
    pub id: FactId,
    /// Under which number it was sent.
    pub seq: i64,
    /// What it says, as the hub names it.
    pub kind: String,
    /// When it happened.
    pub at: UnixMillis,
    /// Whether the cloud tries again by itself.
    pub is_parked: bool,
    /// Why, in the cloud's words.
    pub reason: String,
    /// When the cloud said so.
    pub told_at: UnixMillis,
}

/// An order to one player.
#[derive(Debug, Clone)]
pub struct PlayerCommand {
    /// Counts up per player.
    pub id: u64,
    /// Which.
    pub kind: PlayerCommandKind,
    /// For `Volume`: 0 to 1.
    pub volume: Option<f32>,
    /// For `Skip` and `PlanChanged`: what the zone plays now.
    pub pick: Option<Arc<PickView>>,
}

/// See [`PlayerCommand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PlayerCommandKind {
    /// Hold.
    Pause,
    /// The look-ahead plan differs from the one you hold.
    PlanChanged,
    /// Go on.
    Resume,
    /// Leave this song.
    Skip,
    /// Stop playing.
    Stop,
    /// Change the volume.
    Volume,
}

/// What a player says of itself.
#[derive(Debug, Clone, Default)]
pub struct PlaybackReport {
    /// Active, idle, offline.
    pub status: PlayerStatus,
    /// The pick it plays or has ended.
    pub pick: Option<PickId>,
    /// The song, for players that do not know picks.
    pub song: Option<SongId>,
    /// Position in the song, in milliseconds.
    pub position_ms: Option<u32>,
    /// Heard so far, from the output's meter.
    pub heard_ms: Option<u32>,
    /// Unplanned silence since the last report.
    pub silence_ms: Option<u32>,
    /// Hub, plan or cache.
    pub tier: Option<Tier>,
    /// How the play ended, where it has.
    pub ended: Option<PlayEnd>,
    /// Which play this is about, for players that name their plays and tell the end of each.
    pub play: Option<PlayId>,
    /// How the player is.
    pub health: Option<PlayerHealth>,
}

/// A play that a player tells of after it has ended: the hub was out of reach.
#[derive(Debug, Clone, PartialEq)]
pub struct LatePlay {
    /// Made by the player.
    pub play: PlayId,
    /// What was played.
    pub song: SongId,
    /// By which decision, where there was one.
    pub pick: Option<PickId>,
    /// How long ago it began, in milliseconds.
    pub started_ago_ms: i64,
    /// How long ago it ended.
    pub ended_ago_ms: i64,
    /// Milliseconds that were really heard.
    pub heard_ms: u32,
    /// How it ended.
    pub ended: PlayEnd,
    /// Where the music came from.
    pub tier: Tier,
}

/// Who asks, once their session token was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// The presence.
    pub session: SessionId,
    /// Whose votes count.
    pub listener: ListenerId,
    /// On which phone.
    pub device: DeviceId,
    /// Where they are checked in.
    pub zone: ZoneId,
}
