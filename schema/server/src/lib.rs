//! How Roomtone's GraphQL is served, and the listener's types and page that hub and cloud share.

pub mod ui;
