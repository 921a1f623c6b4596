//! How often one may do what.
//!
//! Every limit is a named setting. What a person has used up is kept in the store, so that restarting the hub (or
//! pulling its plug) gives nobody a fresh allowance.

use serde::{Deserialize, Serialize};

/// The limits of a hub; each is a setting of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Votes of one session in any minute.
    pub votes_per_minute: u32,
    /// Phones the hub has never seen that may check in at once from one address: a coach party at the door.
    pub new_devices_burst: u32,
    /// After that, one more each so many seconds.
    pub new_device_every_s: u32,
    /// Guesses of the short code from one address before guessing slows down.
    pub code_guesses_burst: u32,
    /// After that, one more each so many seconds.
    pub code_guess_every_s: u32,
    /// Sessions that may be active in the venue at once.
    pub sessions: u32,
    /// Hours after which a session ends in any case.
    pub session_hours: u32,
    /// Minutes without any sign of life after which a session ends.
    pub idle_minutes: u32,
    /// Seconds without a heartbeat after which a player counts as offline.
    pub player_offline_s: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            votes_per_minute: 10,
            new_devices_burst: 20,
            new_device_every_s: 10,
            code_guesses_burst: 10,
            code_guess_every_s: 6,
            sessions: 2_000,
            session_hours: 12,
            idle_minutes: 180,
            player_offline_s: 30,
        }
    }
}
