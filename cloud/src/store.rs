//! SQL, and nothing else: plain functions on a connection that already acts in somebody's name, a file per table.

pub mod checks;
pub mod migrations;
pub mod notices;
pub mod profiles;
