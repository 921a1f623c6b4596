//! Bodies of requests: bounded in length and in time, whatever their sender announces.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than is read here.
    #[error("the request is too long: at most {0} bytes are read here")]
    TooLong(usize),
    /// It did not arrive in time.
    #[error("the request's body took too long")]
    TooSlow,
    /// The connection ended before it did.
    #[error("the request ended before its body did")]
    Broken,
}

impl BodyError {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong(_) => "TOO_MUCH",
            Self::TooSlow => "TIMEOUT",
            Self::Broken => "BAD_REQUEST",
        }
    }

    /// How HTTP says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body of at most `limit` bytes within `time`; one that announces more is not read at all.
///
/// # Errors
/// [`BodyError`].
pub async fn read(request: Request, limit: usize, time: Duration) -> Result<Bytes, BodyError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(BodyError::TooLong(limit));
    }
    match tokio::time::timeout(time, Limited::new(request.into_body(), limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLong(limit)),
        Ok(Err(_broken)) => Err(BodyError::Broken),
        Err(_elapsed) => Err(BodyError::TooSlow),
    }
}
