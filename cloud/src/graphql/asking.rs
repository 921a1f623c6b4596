//! Who asks, what ids they give, and how the API says no.

use async_graphql::{Context, ContextBase, Enum, Error, ErrorExtensions as _, ID, SimpleObject};
use roomtone_schema::id::Id;
use roomtone_schema::{IdempotencyKey, UserId};
use roomtone_server::caller::{Asker, Caller};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::refusal::{Code, Refusal, Unmet};

/// A refusal the caller can act on; bugs and outages are GraphQL errors instead.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub(super) struct UserError {
    /// For programs.
    code: UserErrorCode,
    /// For people: what to do.
    message: String,
    /// Input path, such as `["input", "name"]`.
    field: Option<Vec<String>>,
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Code")]
pub(super) enum UserErrorCode {
    /// The bytes are not those that were announced.
    ChecksumMismatch,
    /// It does not fit what is there already.
    Conflict,
    /// It was good once.
    Expired,
    /// Not for this caller.
    Forbidden,
    /// The input cannot be meant.
    Invalid,
    /// There is no such thing, or it is not the caller's.
    NotFound,
    /// There is a bound, and this is beyond it.
    TooLarge,
    /// Too often; later it would do.
    TooMany,
    /// Not a kind of file that is played, or damaged.
    Unsupported,
}

impl From<Refusal> for UserError {
    fn from(refusal: Refusal) -> Self {
        let field = (!refusal.field.is_empty()).then_some(refusal.field);
        Self { code: refusal.code.into(), message: refusal.message, field }
    }
}

/// The name of a code in errors of queries.
fn word(code: Code) -> &'static str {
    match code {
        Code::ChecksumMismatch => "CHECKSUM_MISMATCH",
        Code::Conflict => "CONFLICT",
        Code::Expired => "EXPIRED",
        Code::Forbidden => "FORBIDDEN",
        Code::Invalid => "INVALID",
        Code::NotFound => "NOT_FOUND",
        Code::TooLarge => "TOO_LARGE",
        Code::TooMany => "TOO_MANY",
        Code::Unsupported => "UNSUPPORTED",
    }
}

/// A query is answered with an error of GraphQL where it is refused. What is ours is logged here, and nowhere else.
impl From<Unmet> for Error {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::Refused(refusal) => coded(word(refusal.code), &refusal.message),
            ours => {
                tracing::error!(error = ?ours, "a request could not be answered");
                coded("INTERNAL", "something went wrong at our end; try again")
            }
        }
    }
}

/// A GraphQL error with a code for programs.
pub(super) fn coded(code: &'static str, message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// The outcome of a mutation: what was done, or the refusal; what is ours becomes an error.
pub(super) fn settle<T, P: From<Result<T, UserError>>>(
    outcome: Result<T, Unmet>,
) -> async_graphql::Result<P> {
    match outcome {
        Ok(done) => Ok(Ok(done).into()),
        Err(Unmet::Refused(refusal)) => Ok(Err(refusal.into()).into()),
        Err(ours) => Err(ours.into()),
    }
}

/// What a mutation answers with: something, or why not.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $ty:ty }) => {
        $(#[$doc])*
        #[derive(Debug, Default, async_graphql::SimpleObject)]
        pub(crate) struct $name {
            $(#[$field_doc])*
            $field: Option<$ty>,
            /// Why not.
            user_errors: Vec<$crate::graphql::asking::UserError>,
        }

        impl From<Result<$ty, $crate::graphql::asking::UserError>> for $name {
            fn from(outcome: Result<$ty, $crate::graphql::asking::UserError>) -> Self {
                match outcome {
                    Ok(done) => Self { $field: Some(done), user_errors: Vec::new() },
                    Err(error) => Self { $field: None, user_errors: vec![error] },
                }
            }
        }
    };
}
pub(super) use payload;

/// The cloud behind this schema.
pub(super) fn cloud<'a, T>(ctx: &ContextBase<'a, T>) -> &'a Cloud {
    ctx.data_unchecked::<Cloud>()
}

/// Who asks, where they have an account.
pub(super) fn known<T>(ctx: &ContextBase<'_, T>) -> Option<UserId> {
    if let Caller::User(user) = Asker::caller(ctx) { Some(user) } else { None }
}

/// Who asks a query.
pub(super) fn asker(ctx: &Context<'_>) -> async_graphql::Result<UserId> {
    known(ctx).ok_or_else(|| coded("UNAUTHENTICATED", "sign in first"))
}

/// Who wants something done.
pub(super) fn doer(ctx: &Context<'_>) -> Result<UserId, Unmet> {
    known(ctx).ok_or_else(|| Refusal::new(Code::Forbidden, "sign in first").into())
}

/// Reads an id of the input, or says which field it is not.
pub(super) fn id<T: Id>(given: &ID, field: &str) -> Result<T, Unmet> {
    T::from_global(given).map_err(|error| Refusal::invalid(field, error.to_string()).into())
}

/// Reads several.
pub(super) fn ids<T: Id>(given: &[ID], field: &str) -> Result<Vec<T>, Unmet> {
    given.iter().map(|given| id(given, field)).collect()
}

/// A key as the use cases know it.
pub(super) fn key(given: Uuid) -> IdempotencyKey {
    IdempotencyKey(given)
}
