//! The venue's server, as a library so that tests can start one in their own process.

pub mod check_in;
pub mod counters;
pub mod hub;
pub mod index;
pub mod limits;
pub mod playing;
pub mod refusal;
pub mod room_code;
pub mod skipping;
pub mod store;
pub mod view;
pub mod voting;
