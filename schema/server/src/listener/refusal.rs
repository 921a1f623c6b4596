//! How the API says no. What the caller can act on is data (`userErrors`); what is our fault is a GraphQL error that
//! tells nothing but so.

use async_graphql::{Enum, Error, ErrorExtensions as _, SimpleObject};
use roomtone_schema::refusal::RefusalCode;

/// A refusal the caller can act on; bugs and outages are GraphQL errors instead.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// For programs.
    pub code: UserErrorCode,
    /// For people: what to do.
    pub message: String,
    /// Input path, such as `["input", "songId"]`.
    pub field: Option<Vec<String>>,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RefusalCode")]
pub enum UserErrorCode {
    /// It does not fit what is there already.
    Conflict,
    /// It was good once.
    Expired,
    /// Not for this caller.
    Forbidden,
    /// The input cannot be meant.
    Invalid,
    /// Check in first.
    NotCheckedIn,
    /// There is no such thing here.
    NotFound,
    /// Too often; the message says until when.
    RateLimited,
}

impl UserError {
    /// A refusal that blames no field.
    pub fn new(code: UserErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// The same refusal with the field that is to blame.
    #[must_use]
    pub fn at<'a>(self, path: impl IntoIterator<Item = &'a str>) -> Self {
        Self { field: Some(path.into_iter().map(str::to_owned).collect()), ..self }
    }
}

/// Why something asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// The caller can act on it.
    Refused(UserError),
    /// Ours. It has been logged where it happened; the caller learns no more.
    Ours,
}

impl From<UserError> for Unmet {
    fn from(error: UserError) -> Self {
        Self::Refused(error)
    }
}

impl From<Unmet> for Error {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::Refused(error) => coded(RefusalCode::from(error.code).word(), &error.message),
            Unmet::Ours => coded("INTERNAL", "something went wrong at our end; try again"),
        }
    }
}

/// A GraphQL error with a code for programs.
pub fn coded(code: &'static str, message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// What a mutation answers with.
pub trait Payload: Sized {
    /// The answer that holds nothing but the refusal.
    fn refused(error: UserError) -> Self;
}

/// Turns the outcome of a use case into the answer of a mutation.
///
/// # Errors
/// A GraphQL error where the fault is ours.
pub fn settle<P: Payload>(outcome: Result<P, Unmet>) -> async_graphql::Result<P> {
    match outcome {
        Ok(payload) => Ok(payload),
        Err(Unmet::Refused(error)) => Ok(P::refused(error)),
        Err(Unmet::Ours) => Err(Unmet::Ours.into()),
    }
}
