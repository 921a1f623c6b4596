//! Sockets under conditions that no hub can be asked for: streams that never pause, readers that never read, gates
//! that change their mind. The schema and the gate are the test's own, everything between them is the real thing.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod fairness;
mod leases;
mod places;
mod readers;
mod server;
