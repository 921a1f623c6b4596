//! SQL, and nothing else: plain functions on a connection that already acts in somebody's name, a file per table.

pub mod checks;
pub mod facts;
pub mod migrations;
pub mod notices;
pub mod profiles;
pub mod roles;
pub mod trial;
pub mod upkeep;
