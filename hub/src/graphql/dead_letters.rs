//! Facts that the cloud keeps apart.

use async_graphql::{Context, ID, InputObject, SimpleObject};
use roomtone_schema::FactId;
use roomtone_server::caller::Caller;
use roomtone_server::listener::dead_letter::DeadLetter;
use roomtone_server::listener::{Payload, Unmet, UserError, UserErrorCode, caller, id, key};

use super::room::unmet;
use crate::dead_letters::Decision;
use crate::hub::Hub;

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
    Ok(Some(found.into_iter().map(DeadLetter).collect()))
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
    Ok(DeadLetter(decided))
}
