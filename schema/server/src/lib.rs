//! How Roomtone's GraphQL is served, and the listener's types and page that hub and cloud share.
//!
//! async-graphql executes; the transports are ours, because what a room full of strangers' phones may send must be
//! bounded before it reaches an executor: see [`guard`] for sizes, [`doors`] for names and origins, [`front`] for HTTP,
//! [`socket`] for `WebSocket`s and [`serve`] for connections and their timeouts.

pub mod answer;
pub mod body;
pub mod caller;
pub mod documents;
pub mod doors;
mod events;
pub mod front;
pub mod guard;
mod json;
pub mod lease;
pub mod listener;
pub mod operation;
pub mod pages;
mod places;
pub mod sdl;
pub mod serve;
mod shared;
pub mod socket;
pub mod ui;
