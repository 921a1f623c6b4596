//! SQL: one file per table, plain functions on a connection.

pub mod migrations;
