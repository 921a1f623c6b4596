//! Tickets, and facts that are kept apart.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_server::listener::scalar::DateTime;

use crate::dead_letters::{self, Decision};
use crate::graphql::asking::{Key, UserError, cloud, doer, id, key, payload, settle};
use crate::graphql::hub::Hub;
use crate::graphql::words::date;
use crate::refusal::Unmet;
use crate::tickets::{self, Issued};

/// A venue where somebody with an account checks in.
#[derive(Debug, InputObject)]
pub(crate) struct CreateCheckInTicketInput {
    /// A UUID, new for each intent. Repeated, it is another ticket: none is kept.
    idempotency_key: Key,
    /// Where.
    venue_id: ID,
}

/// A ticket, or why there is none.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct CreateCheckInTicketPayload {
    /// What the venue's own page takes, once; it says who the viewer is, and is no key to their account.
    ticket: Option<String>,
    /// Until when.
    expires_at: Option<DateTime>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl From<Result<Issued, UserError>> for CreateCheckInTicketPayload {
    fn from(outcome: Result<Issued, UserError>) -> Self {
        match outcome {
            Ok(issued) => Self {
                ticket: Some(issued.ticket),
                expires_at: Some(date(issued.expires_at)),
                user_errors: Vec::new(),
            },
            Err(error) => Self { user_errors: vec![error], ..Self::default() },
        }
    }
}

/// A fact that is to be tried again.
#[derive(Debug, InputObject)]
pub(crate) struct RetryDeadLetterInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// It is tried again, or why not.
    RetryDeadLetterPayload { /// Its hub.
        hub: Hub });

/// A fact that is to be dropped.
#[derive(Debug, InputObject)]
pub(crate) struct DiscardDeadLetterInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Dropped, or why not.
    DiscardDeadLetterPayload { /// Its hub.
        hub: Hub });

/// What has to do with what hubs tell.
#[derive(Debug, Default)]
pub(crate) struct SyncMutation;

/// Changing.
#[Object]
impl SyncMutation {
    /// A ticket, good for ten minutes at one venue, that tells its hub who the viewer is; for everybody with an account.
    async fn create_check_in_ticket(
        &self,
        ctx: &Context<'_>,
        input: CreateCheckInTicketInput,
    ) -> Result<CreateCheckInTicketPayload> {
        settle(ticket(ctx, &input).await)
    }

    /// Has a fact that is kept apart tried again; for managers.
    async fn retry_dead_letter(
        &self,
        ctx: &Context<'_>,
        input: RetryDeadLetterInput,
    ) -> Result<RetryDeadLetterPayload> {
        settle(decide(ctx, input.idempotency_key, &input.id, Decision::Retry).await)
    }

    /// Drops a fact that is kept apart, for good; for managers. The log keeps what it said.
    async fn discard_dead_letter(
        &self,
        ctx: &Context<'_>,
        input: DiscardDeadLetterInput,
    ) -> Result<DiscardDeadLetterPayload> {
        settle(decide(ctx, input.idempotency_key, &input.id, Decision::Discard).await)
    }
}

async fn ticket(ctx: &Context<'_>, input: &CreateCheckInTicketInput) -> Result<Issued, Unmet> {
    let user = doer(ctx)?;
    tickets::create(cloud(ctx), user, id(&input.venue_id, "venueId")?).await
}

async fn decide(ctx: &Context<'_>, given: Key, letter: &ID, decision: Decision) -> Result<Hub, Unmet> {
    let (user, key) = (doer(ctx)?, key(given));
    Ok(Hub(dead_letters::decide(cloud(ctx), user, key, id(letter, "id")?, decision).await?))
}
