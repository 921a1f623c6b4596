//! How facts and files travel, and how long-lived tasks are kept alive.
//!
//! The hub and the players share this crate. What is absent: a database, a user interface and any knowledge of what
//! a fact means.

pub mod file_cache;
pub mod supervisor;
