//! The rules from outside: shared vectors, properties, and a synthetic room.

mod explanations;
mod fair_room;
mod library;
mod licence;
mod properties;
mod vectors;
