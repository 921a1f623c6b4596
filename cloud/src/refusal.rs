//! Why something that was asked for is not done: a refusal, which is part of the answer, or a failure, which is ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of refusal it is; programs go by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The bytes are not those that were announced.
    ChecksumMismatch,
    /// It contradicts what is there already.
    Conflict,
    /// Too late.
    Expired,
    /// Not for this person.
    Forbidden,
    /// Not a value that would do.
    Invalid,
    /// Not there, or not for this person to know of.
    NotFound,
    /// There is a bound, and this is beyond it.
    TooLarge,
    /// Too often; later it would do.
    TooMany,
    /// Not a kind of file that we play, or damaged.
    Unsupported,
}

/// A refusal: the code, a sentence for people, and which part of the input it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub code: Code,
    /// What happened and what to do.
    pub message: String,
    /// Such as `["input", "name"]`; empty where it is about no part in particular.
    pub field: Vec<String>,
}

impl Refusal {
    /// A refusal about nothing in particular.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: Vec::new() }
    }

    /// A value that will not do.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message).at(field)
    }

    /// Something that is not there, or not for this person to know of: both sound alike.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}, or it is not yours"))
    }

    /// The same about one field of the input.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = vec!["input".to_owned(), field.to_owned()];
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why something is not done. It has no `Display` on purpose: whatever has one turns into an error of GraphQL by itself,
/// and would tell the world what only the log may know.
#[derive(Debug)]
pub enum Unmet {
    /// Refused, and whoever asked learns why.
    Refused(Refusal),
    /// The database failed.
    Database(sqlx::Error),
    /// Something else of ours failed. Nobody outside learns what.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Unmet {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<Refusal> for Unmet {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What our functions in the database refuse with (see the migration of the admin), and what its own rules refuse.
impl From<sqlx::Error> for Unmet {
    fn from(error: sqlx::Error) -> Self {
        let told =
            error.as_database_error().and_then(|told| Some((told.code()?.into_owned(), told.message())));
        let refused = told.and_then(|(code, message)| match code.as_str() {
            "RT403" => Some(Refusal::new(Code::Forbidden, message)),
            "RT404" => Some(Refusal::new(Code::NotFound, message)),
            "RT409" => Some(Refusal::new(Code::Conflict, message)),
            "RT410" => Some(Refusal::new(Code::Expired, message)),
            "RT422" => Some(Refusal::new(Code::Invalid, message)),
            "RT429" => Some(Refusal::new(Code::TooMany, message)),
            UNIQUE_VIOLATION => Some(Refusal::new(Code::Conflict, "there is one like it already")),
            // Values are looked at before they come here; what only the database knows is which time zones there are.
            CHECK_VIOLATION if message.ends_with("is no time zone") => {
                Some(Refusal::invalid("timeZone", message))
            }
            _ => None,
        });
        refused.map_or(Self::Database(error), Self::Refused)
    }
}

const UNIQUE_VIOLATION: &str = "23505";
const CHECK_VIOLATION: &str = "23514";

/// A text that people read: without what surrounds it, not empty, not longer than `most`, nothing that cannot be seen.
///
/// # Errors
/// Refused where it is none.
pub fn text(field: &str, given: &str, most: usize) -> Result<String, Refusal> {
    let text = given.trim();
    if text.is_empty() {
        return Err(Refusal::invalid(field, "this must not be empty"));
    }
    if text.chars().count() > most {
        return Err(Refusal::invalid(field, format!("this is longer than {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::invalid(field, "this holds a character that cannot be seen; write it anew"));
    }
    Ok(text.to_owned())
}

/// A number that lies in its bounds.
///
/// # Errors
/// Refused where it does not.
pub fn within<T: PartialOrd + fmt::Display + Copy>(
    field: &str,
    given: T,
    least: T,
    most: T,
) -> Result<T, Refusal> {
    if given >= least && given <= most {
        return Ok(given);
    }
    Err(Refusal::invalid(field, format!("this must lie between {least} and {most}")))
}
