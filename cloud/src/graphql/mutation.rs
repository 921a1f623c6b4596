//! Changing. Every input carries an idempotencyKey (UUID): a retry returns the first result.

pub(super) mod exports;
pub(super) mod guests;
pub(super) mod hubs;
pub(super) mod members;
pub(super) mod pairings;
pub(super) mod songs;
pub(super) mod sync;
pub(super) mod venues;
