//! Where songs and reports are stored: an S3 that we only speak to by keys of our own making.
//!
//! Browsers send and fetch files straight to and from the store, by addresses that we sign ([`signed`]); nothing of
//! them passes through here. What is absent: trust. Whatever arrives by a signed address is somebody's bytes until
//! [`crate::analysing`] has read all of them.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

pub use parts::Part;
pub use signed::{Address, safe_file_name};

use crate::secret::Secret;

mod parts;
mod signed;

/// For how long a connection to the store may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// For how long the store may take to begin its answer: it copies a large object while we wait.
const ANSWER: Duration = Duration::from_mins(1);

/// Tries of one request, with growing pauses. What then still fails is tried again by whoever wanted it.
const TRIES: u32 = 3;

/// Which store.
#[derive(Debug, Clone)]
pub struct MediaSettings {
    /// Its address, with any path that leads to it (`https://<ref>.storage.supabase.co/storage/v1/s3`); Amazon's own
    /// where there is none.
    pub endpoint: Option<String>,
    /// Its region; some name where it has none.
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
    /// There is no such object.
    #[error("there is no {key} in the media store")]
    NotThere {
        /// Its key.
        key: String,
    },
    /// It is larger than it may be.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// What was the most.
        limit: u64,
    },
    /// The store cannot be reached, or says no.
    #[error("the media store would not {what}: {why}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// What it said.
        why: String,
    },
    /// The file on our side cannot be read or written.
    #[error("a file here: {0}")]
    File(#[from] std::io::Error),
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// How long it is.
    pub bytes: u64,
    /// What whoever stored it said that it is.
    pub content_type: Option<String>,
}

/// The store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Media {
    client: Client,
    /// Signs addresses for others, who may know the store by another address.
    outside: Client,
    bucket: String,
}

impl Media {
    /// Connects to nothing yet: [`Media::check`] does.
    ///
    /// # Errors
    /// [`MediaError::Settings`] where an address or the bucket's name cannot be one.
    pub fn open(settings: &MediaSettings) -> Result<Self, MediaError> {
        for address in settings.endpoint.iter().chain(&settings.public_endpoint) {
            is_address(address)?;
        }
        if settings.bucket.is_empty() || settings.bucket.contains('/') {
            return Err(MediaError::Settings(format!("{:?} is no name of a bucket", settings.bucket)));
        }
        let outside = settings.public_endpoint.as_ref().or(settings.endpoint.as_ref());
        Ok(Self {
            client: client(settings, settings.endpoint.as_deref()),
            outside: client(settings, outside.map(String::as_str)),
            bucket: settings.bucket.clone(),
        })
    }

    /// The address of an object as the database names it.
    pub fn url_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Whether the bucket is there for us.
    ///
    /// # Errors
    /// [`MediaError::Failed`] with what the store says.
    pub async fn check(&self) -> Result<(), MediaError> {
        let asked = self.client.head_bucket().bucket(&self.bucket).send().await;
        asked.map(drop).map_err(|error| failed("show its bucket", &self.bucket, error))
    }

    /// Makes the bucket, where it is not there: for a store that is ours alone.
    ///
    /// # Errors
    /// [`MediaError::Failed`] with what the store says.
    pub async fn make_bucket(&self) -> Result<(), MediaError> {
        if self.check().await.is_ok() {
            return Ok(());
        }
        let made = self.client.create_bucket().bucket(&self.bucket).send().await;
        made.map(drop).map_err(|error| failed("make a bucket", &self.bucket, error))
    }

    /// What is known of an object; `None` where there is none.
    ///
    /// # Errors
    /// [`MediaError::Failed`] where the store cannot say.
    pub async fn head(&self, key: &str) -> Result<Option<Stored>, MediaError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => Ok(Some(Stored {
                bytes: found.content_length.unwrap_or(0).max(0).cast_unsigned(),
                content_type: found.content_type,
            })),
            Err(error) => match failed("show an object", key, error) {
                MediaError::NotThere { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Reads an object into `into` as it comes, and no more than `limit` bytes of it.
    ///
    /// # Errors
    /// [`MediaError::TooLarge`] where there are more, [`MediaError::NotThere`], or what failed on the way; what was
    /// written by then stays written.
    pub async fn get_to(
        &self,
        key: &str,
        into: &mut (impl AsyncWrite + Unpin + Send),
        limit: u64,
    ) -> Result<(), MediaError> {
        let asked = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let mut object = asked.map_err(|error| failed("hand out an object", key, error))?;
        let announced = object.content_length.unwrap_or(0).max(0).cast_unsigned();
        if announced > limit {
            return Err(MediaError::TooLarge { limit });
        }
        let mut came = 0;
        while let Some(piece) = object.body.next().await {
            let piece = piece.map_err(|error| MediaError::Failed {
                what: "hand out the whole of an object",
                why: DisplayErrorContext(error).to_string(),
            })?;
            came += piece.len() as u64;
            if came > limit {
                return Err(MediaError::TooLarge { limit });
            }
            into.write_all(&piece).await?;
        }
        Ok(into.flush().await?)
    }

    /// Stores a file of ours. An object of that key is replaced as a whole, or not at all.
    ///
    /// # Errors
    /// Where the file cannot be read, or the store says no.
    pub async fn put_file(&self, key: &str, file: &Path, content_type: &str) -> Result<(), MediaError> {
        let body = ByteStream::from_path(file).await.map_err(|error| MediaError::File(error.into()))?;
        let put =
            self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        put.send().await.map(drop).map_err(|error| failed("take an object", key, error))
    }

    /// Stores bytes of ours.
    ///
    /// # Errors
    /// [`MediaError::Failed`] where the store says no.
    pub async fn put_bytes(&self, key: &str, bytes: Vec<u8>, content_type: &str) -> Result<(), MediaError> {
        let body = ByteStream::from(bytes);
        let put =
            self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(body);
        put.send().await.map(drop).map_err(|error| failed("take an object", key, error))
    }

    /// Removes an object; that there is none is just as well.
    ///
    /// # Errors
    /// [`MediaError::Failed`] where the store says no.
    pub async fn delete(&self, key: &str) -> Result<(), MediaError> {
        match self.client.delete_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => match failed("remove an object", key, error) {
                MediaError::NotThere { .. } => Ok(()),
                error => Err(error),
            },
        }
    }
}

fn is_address(address: &str) -> Result<(), MediaError> {
    let known = reqwest::Url::parse(address);
    match known.as_ref().map(|url| (url.scheme(), url.host_str())) {
        Ok(("http" | "https", Some(_))) => Ok(()),
        _ => Err(MediaError::Settings(format!("{address:?} is no http or https address"))),
    }
}

fn client(settings: &MediaSettings, endpoint: Option<&str>) -> Client {
    let secret = settings.secret_key.reveal();
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let patience = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build();
    let mut builder = Builder::new()
        .behavior_version_latest()
        .http_client(http)
        .region(Region::new(settings.region.clone()))
        .credentials_provider(Credentials::new(&settings.access_key, secret, None, None, "settings"))
        // Only Amazon knows buckets by host names, and knows them by paths as well.
        .force_path_style(true)
        // Stores that are not Amazon's refuse or even store what the newer checksums wrap a body in.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .timeout_config(patience)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES));
    // With its slash, or the SDK glues the bucket's name to the end of a path.
    builder.set_endpoint_url(endpoint.map(|address| format!("{}/", address.trim_end_matches('/'))));
    Client::from_conf(builder.build())
}

/// What a failed request means.
fn failed<E>(what: &'static str, key: &str, error: SdkError<E>) -> MediaError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match (status, code) {
        (_, Some("NoSuchKey" | "NoSuchUpload" | "NotFound")) | (Some(404), None) => {
            MediaError::NotThere { key: key.to_owned() }
        }
        (Some(status), Some(code)) => MediaError::Failed { what, why: format!("{code} ({status})") },
        _ => MediaError::Failed { what, why: DisplayErrorContext(error).to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> MediaSettings {
        MediaSettings {
            endpoint: Some("https://abc.storage.supabase.co/storage/v1/s3".to_owned()),
            region: "eu-central-1".to_owned(),
            bucket: "songs".to_owned(),
            access_key: "name".to_owned(),
            secret_key: Secret::new("hush"),
            public_endpoint: None,
        }
    }

    #[test]
    fn the_secret_is_in_no_debug_output() {
        assert!(!format!("{:?}", settings()).contains("hush"));
        assert!(!format!("{:?}", Media::open(&settings()).unwrap()).contains("hush"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let settings = MediaSettings { endpoint: Some("storage.example".to_owned()), ..settings() };
        assert!(matches!(Media::open(&settings), Err(MediaError::Settings(_))));
    }

    #[test]
    fn a_bucket_has_a_name_and_no_path() {
        let settings = MediaSettings { bucket: "a/b".to_owned(), ..settings() };
        assert!(matches!(Media::open(&settings), Err(MediaError::Settings(_))));
    }

    #[tokio::test]
    async fn an_address_keeps_the_path_that_leads_to_the_store() {
        let before = "https://abc.storage.supabase.co/storage/v1/s3/songs/org/1/2?";
        for slash in ["", "/"] {
            let endpoint = Some(format!("https://abc.storage.supabase.co/storage/v1/s3{slash}"));
            let media = Media::open(&MediaSettings { endpoint, ..settings() }).unwrap();
            let address = media.download_url("org/1/2", None, Duration::from_mins(1)).await.unwrap();
            assert!(address.starts_with(before), "{address}");
        }
    }

    #[tokio::test]
    async fn others_get_the_address_by_which_others_reach_the_store() {
        let public_endpoint = Some("https://media.example/".to_owned());
        let media = Media::open(&MediaSettings { public_endpoint, ..settings() }).unwrap();
        let address = media.download_url("org/1/2", None, Duration::from_mins(1)).await.unwrap();
        assert!(address.starts_with("https://media.example/songs/org/1/2?"), "{address}");
        let target = media.upload_to("staging/1", 5, "audio/flac", Duration::from_mins(1)).await.unwrap();
        assert!(target.url.starts_with("https://media.example/songs/staging/1?"), "{}", target.url);
    }
}
