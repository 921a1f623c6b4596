//! Where songs and reports are stored: an S3 that we only speak to by keys of our own making.

pub use crate::secret::Secret;

/// Which store.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Its address; Amazon's own where there is none.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The bucket that all of it is in.
    pub bucket: String,
    /// The name of the key.
    pub access_key: String,
    /// The key.
    pub secret_key: Secret,
    /// The address by which browsers and hubs reach it, where that is another than ours.
    pub public_endpoint: Option<String>,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// These settings cannot work.
    #[error("the media store's settings: {0}")]
    Settings(String),
}

/// The store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Media {}

impl Media {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`MediaError::Settings`]
    pub fn open(_settings: &MediaSettings) -> Result<Self, MediaError> {
        Ok(Self {})
    }

    /// Whether the bucket is there for us.
    ///
    /// # Errors
    /// With what the store says.
    pub async fn check(&self) -> Result<(), MediaError> {
        Ok(())
    }

    /// Makes the bucket, where it is not there: for a store that is ours alone.
    ///
    /// # Errors
    /// With what the store says.
    pub async fn make_bucket(&self) -> Result<(), MediaError> {
        Ok(())
    }
}
