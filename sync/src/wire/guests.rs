//! Guests out of reach of their hub: what the cloud must know to show them the room, and what they did there, on its way
//! down.

use roomtone_schema::session::SessionStatus;
use roomtone_schema::view::OpenHoursView;
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{AXES, DeviceId, ListenerId, SessionId, SongId, UnixMillis, ZoneId};
use serde::{Deserialize, Serialize};

/// What a zone shows, for those whose phones do not reach the hub. A latest state and no log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomTold {
    /// As the hub names it.
    pub zone: ZoneId,
    /// What plays, where anything does.
    #[serde(default)]
    pub now: Option<NowTold>,
    /// What comes next, as far as listeners are shown it.
    #[serde(default)]
    pub next: Vec<SongId>,
    /// What comes next, also where listeners are not shown it: for the venue's staff. Hubs before 1.1 do not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<SongId>,
    /// What the zone wants.
    pub vibe: VibeTold,
    /// Whether it takes the code on its screen only: the cloud, which has no screen there, lets nobody in then.
    #[serde(default)]
    pub needs_screen_code: bool,
    /// When its music is, by the time outside.
    #[serde(default)]
    pub hours: Option<OpenHoursView>,
}

/// What plays in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NowTold {
    /// What, as the hub names it.
    pub song: SongId,
    /// When it began, by the hub's steady time.
    pub started_at: UnixMillis,
    /// How far it is, at the `steady_ms` of the hello.
    pub position_ms: u32,
    /// People who want to skip it.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub skip_votes: u32,
    /// How many it takes. 0 where it cannot be skipped, and of hubs before 1.1.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub skip_votes_needed: u32,
}

/// What a zone wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VibeTold {
    /// The five axes.
    pub axes: [f64; AXES],
    /// 0 = the room is split, 1 = all want the same.
    pub consensus: f64,
    /// People checked in.
    pub listeners: u32,
    /// `catalogue`, `listeners`, `none` or `profile`.
    pub source: String,
}

/// Somebody who is checked in at the cloud, or was. Times are the cloud's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSession {
    /// Who.
    pub listener: ListenerId,
    /// On which phone.
    pub device: DeviceId,
    /// The name of the zone.
    pub zone: String,
    /// What they call themselves.
    pub display_name: Option<String>,
    /// How it stands.
    pub status: SessionStatus,
    /// When it began.
    pub checked_in_at: UnixMillis,
    /// The last sign of life; it is told every few minutes.
    pub last_seen_at: UnixMillis,
    /// When it ends at the latest.
    pub expires_at: UnixMillis,
}

/// A vote that was cast at the cloud. Times are the cloud's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestVote {
    /// In which presence.
    pub session: SessionId,
    /// Whose.
    pub listener: ListenerId,
    /// For what, as the catalogue names it.
    pub song: SongId,
    /// Like or dislike.
    pub value: VoteValue,
    /// When.
    pub cast_at: UnixMillis,
}

/// A vote to skip that was cast at the cloud. It is of the moment: where something else plays by now, it counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSkip {
    /// In which presence.
    pub session: SessionId,
    /// What played, as the catalogue names it.
    pub song: SongId,
    /// When it was cast, by the cloud's time.
    pub cast_at: UnixMillis,
}
