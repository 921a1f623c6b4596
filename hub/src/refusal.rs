//! How the hub says no: every use case has its own error, and every error knows whether its reader can act on it.

/// What kind of no it is; the same words as in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCode {
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
    /// Too often; the sentence says until when.
    RateLimited,
}

/// What the errors of all use cases have in common.
pub trait Refusal: std::error::Error {
    /// What kind of no; `None` where the fault is ours, and the caller learns no more than that.
    fn code(&self) -> Option<RefusalCode>;

    /// The input field that is to blame, as a path from the mutation's arguments.
    fn field(&self) -> Option<&'static [&'static str]> {
        None
    }
}
