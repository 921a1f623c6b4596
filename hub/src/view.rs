//! What the hub shows: the values are the schema's, so that the listener's GraphQL types are the same at the cloud.

pub use roomtone_schema::view::*;
