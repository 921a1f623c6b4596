//! Facts that the cloud keeps apart.

use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};
use roomtone_schema::FactId;
use roomtone_schema::id::Id as _;
use roomtone_server::caller::Caller;
use roomtone_server::listener::scalar::DateTime;
use roomtone_server::listener::{Payload, Unmet, UserError, UserErrorCode, caller, date, id, key};

use super::room::unmet;
use crate::dead_letters::{DeadLetter as Kept, Decision};
use crate::hub::Hub;

/// A fact that the cloud has not applied. It holds up no other one.
#[derive(Debug, SimpleObject)]
pub(super) struct DeadLetter {
    /// Of the fact; the same when it is sent again.
    id: ID,
    /// What it says, such as `vote_cast`.
    kind: String,
    /// When it happened.
    happened_at: DateTime,
    /// Whether the cloud tries again by itself.
    state: DeadLetterState,
    /// Why, in the cloud's words.
    reason: String,
    /// When the cloud said so.
    told_at: DateTime,
}

/// How the cloud keeps a fact that it has not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum DeadLetterState {
    /// What it depends on is not there yet; the cloud tries again by itself.
    Parked,
    /// It can never be applied as it is.
    Rejected,
}

impl From<Kept> for DeadLetter {
    fn from(kept: Kept) -> Self {
        Self {
            id: kept.id.to_global().into(),
            kind: kept.kind,
            happened_at: date(kept.at),
            state: if kept.is_parked { DeadLetterState::Parked } else { DeadLetterState::Rejected },
            reason: kept.reason,
            told_at: date(kept.told_at),
        }
    }
}

/// A fact to send again.
#[derive(Debug, InputObject)]
pub(super) struct RetryDeadLetterInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// Which.
    dead_letter_id: ID,
}

/// Queued, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct RetryDeadLetterPayload {
    /// The fact; it comes back to the list where the cloud keeps it apart again.
    dead_letter: Option<DeadLetter>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for RetryDeadLetterPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// A fact to drop.
#[derive(Debug, InputObject)]
pub(super) struct DiscardDeadLetterInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// Which.
    dead_letter_id: ID,
}

/// Dropped, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct DiscardDeadLetterPayload {
    /// The fact as it was.
    dead_letter: Option<DeadLetter>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for DiscardDeadLetterPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// The list, for the manager.
pub(super) async fn list(ctx: &Context<'_>) -> async_graphql::Result<Option<Vec<DeadLetter>>> {
    if caller(ctx) != Caller::Manager {
        return Ok(None);
    }
    let found = ctx.data_unchecked::<Hub>().dead_letters().await?;
    Ok(Some(found.into_iter().map(Into::into).collect()))
}

pub(super) async fn retry(
    ctx: &Context<'_>,
    input: &RetryDeadLetterInput,
) -> Result<RetryDeadLetterPayload, Unmet> {
    let letter = decide(ctx, &input.idempotency_key, &input.dead_letter_id, Decision::Retry).await?;
    Ok(RetryDeadLetterPayload { dead_letter: Some(letter), user_errors: Vec::new() })
}

pub(super) async fn discard(
    ctx: &Context<'_>,
    input: &DiscardDeadLetterInput,
) -> Result<DiscardDeadLetterPayload, Unmet> {
    let letter = decide(ctx, &input.idempotency_key, &input.dead_letter_id, Decision::Discard).await?;
    Ok(DiscardDeadLetterPayload { dead_letter: Some(letter), user_errors: Vec::new() })
}

async fn decide(
    ctx: &Context<'_>,
    given_key: &ID,
    letter: &ID,
    decision: Decision,
) -> Result<DeadLetter, Unmet> {
    if caller(ctx) != Caller::Manager {
        let why = "this needs the manager's token; `roomtone-hub manager token` prints one";
        return Err(UserError::new(UserErrorCode::Forbidden, why).into());
    }
    let (key, letter) = (key(given_key)?, id::<FactId>(letter, "deadLetterId")?);
    let decided = ctx.data_unchecked::<Hub>().decide(key, letter, decision).await.map_err(unmet)?;
    Ok(decided.into())
}
