//! Roomtone's cloud for one person at one machine.

pub mod media_server;
