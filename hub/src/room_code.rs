//! Room codes: how somebody shows that they are in the room.
//!
//! A poster carries a static code of 50 bits, which nobody guesses and a manager can revoke. A screen shows a short
//! one that changes every ten minutes and is good for thirty. Both are derived from a stored secret over the steady
//! clock, so they survive a restart and no clock step brings an old one back.

use roomtone_schema::UnixMillis;

/// The codes that are good in a zone right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCode {
    /// For the poster: `7K3MQ-X2D9T`.
    pub poster: String,
    /// For screens: `4F7-Q2M`.
    pub rotating: String,
    /// Until when screens should show it; it is accepted for longer.
    pub rotating_changes_at: UnixMillis,
    /// Whether the zone takes the rotating code only.
    pub rotating_required: bool,
}
