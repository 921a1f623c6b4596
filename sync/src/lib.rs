//! How facts and files travel, how long-lived tasks are kept alive, and how our programs speak to their operators.
//!
//! The hub and the players share this crate. What is absent: a database, a user interface and any knowledge of what
//! a fact means.

pub mod backoff;
pub mod chain;
pub mod clocks;
pub mod credential;
pub mod digest;
pub mod driver;
pub mod engine;
pub mod fencing;
pub mod file_cache;
pub mod logging;
pub mod signals;
pub mod store;
pub mod supervisor;
pub mod transport;
pub mod trouble;
pub mod wire;
