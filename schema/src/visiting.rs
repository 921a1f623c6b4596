//! What visitors ask of a room and what they get, wherever it is asked: at the hub, or later at the cloud.

use std::net::IpAddr;
use std::sync::Arc;

use crate::session::Session;
use crate::view::VibeView;
use crate::vote::{Vote, VoteValue};
use crate::{AXES, IdempotencyKey, SongId, ZoneId};

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Makes a retry the same check-in.
    pub key: IdempotencyKey,
    /// From the QR code, the screen or the poster, as typed.
    pub code: String,
    /// Where to, if not where the code says.
    pub zone: Option<ZoneId>,
    /// What they call themselves.
    pub display_name: Option<String>,
    /// The cookie by which their phone is known again, if it has one.
    pub device_cookie: Option<String>,
    /// Where they connect from; kept as a keyed hash only.
    pub address: Option<IpAddr>,
}

/// Checked in.
#[derive(Debug, Clone)]
pub struct CheckedIn {
    /// The presence.
    pub session: Session,
    /// Its secret, shown this once.
    pub token: String,
    /// The cookie to set, where the phone has none that is good.
    pub new_device_cookie: Option<String>,
    /// What the room wants.
    pub vibe: Arc<VibeView>,
}

/// A like or dislike to count.
#[derive(Debug, Clone, Copy)]
pub struct Opinion {
    /// Makes a retry the same vote.
    pub key: IdempotencyKey,
    /// For what.
    pub song: SongId,
    /// Like or dislike.
    pub value: VoteValue,
}

/// Counted, and durable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Voted {
    /// The listener's effective vote for the song.
    pub vote: Vote,
    /// Their taste after it, where it has a direction.
    pub taste: Option<[f64; AXES]>,
}
