//! The migrations on a real Postgres: what they make, who may do what with it, and what they compute.

#[path = "../support/postgres.rs"]
mod postgres;

mod advisor;
mod conformance;
mod definers;
mod doors;
mod faults;
mod guests;
mod hidden;
mod ingest;
mod migrating;
mod oracle;
mod pairing;
mod ranking;
mod rooms;
mod statements;
mod sync;
mod tenants;
mod upkeep;
