//! The source of truth: catalogue, venues, people and history, on Supabase or on plain Postgres.
//!
//! Managers speak GraphQL ([`graphql`]) over [`http`]. Every unit of work is one transaction in the name of whoever
//! asked ([`database`]), so that Postgres itself keeps tenants apart; what row policies cannot say stands in functions
//! of the migrations that check their caller. Replicas keep nothing that another needs: they wake each other by [`bus`].
//!
//! What is absent: a connection that may do everything, and any state that a restart would lose.

pub mod analysing;
pub mod analytics;
pub mod audit;
pub mod auth;
pub mod bus;
pub mod catalogue;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod database;
pub mod dead_letters;
pub mod dev;
pub mod doctor;
pub mod exporting;
pub mod graphql;
pub mod guests;
pub mod history;
pub mod http;
pub mod hub_store;
pub mod hubs;
pub mod ingest;
pub mod intents;
pub mod media;
pub mod members;
pub mod migrations;
pub mod pairings;
pub mod players;
pub mod refusal;
pub mod rooms;
pub mod secret;
pub mod service;
pub mod store;
pub mod sync;
pub mod tickets;
pub mod trouble;
pub mod upkeep;
pub mod uploads;
pub mod venues;
