//! How a no is told apart: the same kinds for every use case, in every program that speaks to people.

/// What kind of no it is.
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

impl RefusalCode {
    /// The word that programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Conflict => "CONFLICT",
            Self::Expired => "EXPIRED",
            Self::Forbidden => "FORBIDDEN",
            Self::Invalid => "INVALID",
            Self::NotCheckedIn => "NOT_CHECKED_IN",
            Self::NotFound => "NOT_FOUND",
            Self::RateLimited => "RATE_LIMITED",
        }
    }
}
