//! Players that are let in from the cloud.
//!
//! The row says that a hub is to open its window, and never with which code: rows lie on disks and in snapshots, and all hubs
//! of a venue read them. The hub that it is for asks for the code by itself.

use std::fmt;

use roomtone_schema::{HubId, PlayerId, UnixMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A manager waits for a player, by the pairing's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingNews {
    /// At which hub.
    pub hub: HubId,
    /// What the player is to be called, where that is decided.
    pub name: Option<String>,
    /// The name of the zone that it is to play in, where that is decided.
    pub zone: Option<String>,
    /// Until when, by the cloud's time. Another code for the same pairing has another end.
    pub until: UnixMillis,
}

/// A hub asks about a pairing that it is for, or tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingAsk {
    /// Which.
    pub pairing: Uuid,
    /// What.
    pub said: PairingSaid,
}

/// See [`PairingAsk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingSaid {
    /// It wants the code.
    Wants,
    /// Its window is open: the cloud forgets the code.
    Opened,
    /// This player came in.
    Paired(PlayerId),
    /// Every try was used up.
    UsedUp,
    /// It has no such zone.
    NoZone,
    /// The window was closed before anybody came, such as by another one.
    Closed,
}

/// What a hub is told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingAnswer {
    /// The code, where the hub wants it and it is good: eight digits.
    #[serde(default)]
    pub digits: Option<String>,
    /// For how long it is.
    #[serde(default)]
    pub left_ms: u64,
}

impl fmt::Debug for PairingAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingAnswer").field("left_ms", &self.left_ms).finish_non_exhaustive()
    }
}
