//! SQL: one file per table, plain functions on a connection.

pub mod facts;
pub mod migrations;
pub mod upkeep;
