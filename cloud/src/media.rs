//! Where songs and reports are stored: an S3 that we only speak to by keys of our own making.

/// The store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Media {}
