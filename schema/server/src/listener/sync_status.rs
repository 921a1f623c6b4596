//! How the hub stands with the cloud.

use async_graphql::{Enum, SimpleObject};
use roomtone_schema::view::{self, SyncStatusView};

use super::scalar::DateTime;
use super::{date, shared};

/// How the hub stands with the cloud.
#[derive(Debug, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct SyncStatus {
    /// Offline until the hub is enrolled and its cloud answers.
    state: SyncState,
    /// Whether this hub has a cloud.
    enrolled: bool,
    /// Facts that the cloud keeps apart, for a manager to look at.
    dead_letters: u64,
    /// Facts that the cloud has not acknowledged. Float: Int is 32-bit.
    pending_operations: f64,
    /// The oldest of them.
    oldest_pending_at: Option<DateTime>,
    /// When the cloud last took facts; null until the hub is enrolled.
    last_pushed_at: Option<DateTime>,
    /// When the hub last heard from the cloud; null until it is enrolled.
    last_pulled_at: Option<DateTime>,
    /// Songs whose file is here.
    cached_songs: u64,
    /// Songs of the catalogue.
    total_songs: u64,
    /// Bytes of the files that are here. Float: Int is 32-bit.
    cached_bytes: f64,
    /// What went wrong last.
    last_error: Option<String>,
}

/// How the hub stands with the cloud, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "view::SyncState")]
pub enum SyncState {
    /// The cloud refuses this hub.
    Blocked,
    /// The cloud is out of reach, or the hub was never enrolled.
    Offline,
    /// Everything is in the cloud.
    Synced,
    /// On its way.
    Syncing,
}

impl From<&SyncStatusView> for SyncStatus {
    fn from(view: &SyncStatusView) -> Self {
        Self {
            state: view.state.into(),
            enrolled: view.enrolled,
            dead_letters: view.dead_letters,
            pending_operations: view.pending as f64,
            oldest_pending_at: view.oldest_pending_at.map(date),
            last_pushed_at: view.last_pushed_at.map(date),
            last_pulled_at: view.last_pulled_at.map(date),
            cached_songs: view.cached_songs,
            total_songs: view.total_songs,
            cached_bytes: view.cached_bytes as f64,
            last_error: view.last_error.clone(),
        }
    }
}
