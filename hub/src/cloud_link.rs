//! The hub and its cloud: everything local happens without it, and is told when it can be.

mod bringing_in;
mod enrolment;
mod sqlite_store;

pub use enrolment::{Enrolment, KeyTrouble};
pub(crate) use sqlite_store::put_in_place;
pub use sqlite_store::SqliteStore;

/// What this program says that it is.
pub const SOFTWARE: &str = concat!("roomtone-hub ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
