//! The venue's server, as a library so that tests can start one in their own process.

mod cataloguing;
pub mod check_in;
mod chores;
pub mod clock;
pub mod counters;
pub mod hub;
pub mod index;
pub mod library;
pub mod limits;
mod locks;
mod opening;
pub mod ordering;
pub mod players;
pub mod playing;
mod presence;
mod programme;
pub mod refusal;
pub mod reporting;
mod room;
pub mod room_code;
mod secrets;
pub mod skipping;
pub mod store;
pub mod view;
pub mod voting;
