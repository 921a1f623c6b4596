//! The hub and its cloud: everything local happens without it, and is told when it can be.

mod bringing_in;
mod enrolment;
mod guests;
mod joining;
mod keeping;
mod pairing;
pub(crate) mod settings;
mod sqlite_store;

pub use enrolment::{Enrolment, KeyTrouble};
pub use joining::EnrolError;
pub use keeping::keep_in_touch;
pub use sqlite_store::SqliteStore;
pub(crate) use sqlite_store::put_in_place;

use crate::view::{SyncState, SyncStatusView};

/// What this program says that it is.
pub const SOFTWARE: &str = concat!("roomtone-hub ", env!("CARGO_PKG_VERSION"));

/// How a hub without a connection stands.
fn unlinked(shown: &SyncStatusView) -> SyncStatusView {
    SyncStatusView {
        state: SyncState::Offline,
        last_pushed_at: None,
        last_pulled_at: None,
        last_error: None,
        ..shown.clone()
    }
}

#[cfg(test)]
mod tests;
