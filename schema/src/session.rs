//! Sessions: a listener's presence in a zone, from check-in to check-out or expiry.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, ListenerId, SessionId, ZoneId};
use crate::time::UnixMillis;

/// How a presence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// Counts in the room.
    Active,
    /// Checked out.
    Ended,
    /// Ran out: idle too long, or past its time to live.
    Expired,
}

/// A presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Made at check-in.
    pub id: SessionId,
    /// Who; all sessions of one device are one listener.
    pub listener: ListenerId,
    /// On which phone.
    pub device: DeviceId,
    /// In which zone.
    pub zone: ZoneId,
    /// What the listener calls themselves, where they say.
    pub display_name: Option<String>,
    /// Active, ended, expired.
    pub status: SessionStatus,
    /// When it began.
    pub checked_in_at: UnixMillis,
    /// When anything was last heard from the phone.
    pub last_seen_at: UnixMillis,
    /// When it ends at the latest.
    pub expires_at: UnixMillis,
}
