//! The bytes of a message.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// No message is longer than this once unpacked: a page of 5,000 rows has about 2 MB, a chunk of 10,000 songs about 5.
pub const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Fast, and within a few percent of the slower levels on rows like ours.
const LEVEL: i32 = 3;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A value that has no form on the wire.
    #[error("this cannot be written as a message: {0}")]
    Unwritable(#[from] rmp_serde::encode::Error),
    /// Not what was expected.
    #[error("this is no message of the kind that was expected: {0}")]
    Unreadable(#[from] rmp_serde::decode::Error),
    /// Damaged, or not compressed as messages are.
    #[error("the message cannot be unpacked: {0}")]
    Damaged(#[from] std::io::Error),
    /// Beyond [`MOST_BYTES`], or what the reader allows.
    #[error("the message is longer than {most} bytes")]
    TooLong {
        /// What is allowed.
        most: usize,
    },
}

/// The bytes of a message.
///
/// # Errors
/// [`WireError::Unwritable`], [`WireError::TooLong`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let packed = pack(message)?;
    if packed.len() > MOST_BYTES {
        return Err(WireError::TooLong { most: MOST_BYTES });
    }
    Ok(zstd::bulk::compress(&packed, LEVEL)?)
}

/// The message of some bytes. Never unpacks more than [`MOST_BYTES`].
///
/// # Errors
/// [`WireError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    decode_within(bytes, MOST_BYTES)
}

/// The same within a narrower bound.
///
/// # Errors
/// [`WireError`].
pub fn decode_within<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, WireError> {
    use std::io::Read as _;
    let mut unpacked = Vec::new();
    // One byte more than allowed tells a message that is too long from one that just fits.
    zstd::stream::read::Decoder::new(bytes)?.take(most as u64 + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() > most {
        return Err(WireError::TooLong { most });
    }
    unpack(&unpacked)
}

pub(super) fn pack<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    Ok(rmp_serde::to_vec_named(message)?)
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    Ok(rmp_serde::from_slice(bytes)?)
}
