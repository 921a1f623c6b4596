//! The venue's server, as a library so that tests can start one in their own process.

pub mod view;
