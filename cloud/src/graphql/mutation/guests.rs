//! The venue's page for guests.

use async_graphql::{Context, ID, InputObject, Object, Result};
use roomtone_schema::VenueId;

use crate::graphql::asking::{Key, cloud, doer, id, key, payload, settle};
use crate::graphql::venue::Venue;
use crate::guests::managing;
use crate::refusal::{Refusal, Unmet};
use crate::venues;

/// A page that is to open.
#[derive(Debug, InputObject)]
pub(crate) struct OpenGuestPageInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Whose.
    venue_id: ID,
}

payload!(/// Opened, or why not.
    OpenGuestPagePayload { /// The venue, with its new code.
        venue: Venue });

/// A page that is to close.
#[derive(Debug, InputObject)]
pub(crate) struct CloseGuestPageInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Whose.
    venue_id: ID,
}

payload!(/// Closed, or why not.
    CloseGuestPagePayload { /// The venue.
        venue: Venue });

/// What changes venues' pages for guests.
#[derive(Debug, Default)]
pub(crate) struct GuestMutation;

/// Changing.
#[Object]
impl GuestMutation {
    /// Opens the venue's page for guests, with a new code in the place of the one before; for managers.
    async fn open_guest_page(
        &self,
        ctx: &Context<'_>,
        input: OpenGuestPageInput,
    ) -> Result<OpenGuestPagePayload> {
        settle(open(ctx, &input).await)
    }

    /// Closes it; for managers. Who came by it has left.
    async fn close_guest_page(
        &self,
        ctx: &Context<'_>,
        input: CloseGuestPageInput,
    ) -> Result<CloseGuestPagePayload> {
        settle(close(ctx, &input).await)
    }
}

async fn open(ctx: &Context<'_>, input: &OpenGuestPageInput) -> Result<Venue, Unmet> {
    let (user, venue) = (doer(ctx)?, id(&input.venue_id, "venueId")?);
    managing::open_page(cloud(ctx), user, key(input.idempotency_key), venue).await?;
    one(ctx, venue).await
}

async fn close(ctx: &Context<'_>, input: &CloseGuestPageInput) -> Result<Venue, Unmet> {
    let (user, venue) = (doer(ctx)?, id(&input.venue_id, "venueId")?);
    managing::close_page(cloud(ctx), user, key(input.idempotency_key), venue).await?;
    one(ctx, venue).await
}

async fn one(ctx: &Context<'_>, venue: VenueId) -> Result<Venue, Unmet> {
    let found = venues::find(cloud(ctx), doer(ctx)?, &[venue]).await?.pop();
    Ok(Venue(found.ok_or_else(|| Refusal::not_found("venue"))?))
}
