//! The box with the loudspeaker, as a library so that tests can run one in their own process.
//!
//! Two halves that share nothing but messages. The *sound* (`engine`, `deck`, `mix`, `output`) runs on threads of its
//! own and never waits for a network, a disk that hangs or a task: it is told what comes next long before it is needed.
//! The *will* (`player`, `queue`, `hub_client`, `files`) finds the hub, holds its plan and has every file on the disk.
//! What is absent: any rule of what should play; that is the hub's.

pub mod cli;
pub mod config;
pub mod deck;
pub mod decode;
pub mod doctor;
pub mod engine;
pub mod files;
pub mod hours;
pub mod hub_address;
pub mod hub_client;
pub mod hub_finder;
pub mod identity;
pub mod journal;
mod kept;
pub mod lock;
pub mod mix;
pub mod output;
pub mod pairing;
pub mod pick;
pub mod pinned;
pub mod place;
pub mod player;
pub mod queue;
pub mod stamp;
pub mod status;
