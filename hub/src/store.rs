//! The store (its signatures only, until it lands).

/// Why a read or write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue is full.
    #[error("the hub is busy; try again")]
    Busy,
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error("not writable")]
    NotWritable,
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store;
