//! Facts of hubs that are kept apart.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::HubId;
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::asking::{asker, cloud};
use super::hub::Hub;
use super::loaders::load;
use super::page::{Page, PageArguments, connection};
use super::words::{DeadLetterOutcome, date};
use crate::dead_letters;

/// A fact of a hub that is not applied, and holds up no other one.
#[derive(Debug, Clone)]
pub(super) struct DeadLetter(pub(super) dead_letters::DeadLetter);

/// A fact of a hub that is not applied, and holds up no other one.
#[Object]
impl DeadLetter {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Whose; null where the viewer may not see it any more.
    async fn hub(&self, ctx: &Context<'_>) -> Result<Option<Hub>> {
        Ok(load(ctx, *self.0.hub_id).await?.map(Hub))
    }

    /// Its number at the hub.
    async fn seq(&self) -> i64 {
        self.0.seq
    }

    /// In which life of the hub's database it was told.
    async fn epoch(&self) -> i32 {
        self.0.hub_epoch
    }

    /// What it says, as the hub names it, such as a vote that was cast.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The noun, as JSON.
    async fn payload(&self) -> String {
        self.0.payload.0.to_string()
    }

    /// For now or for good.
    async fn outcome(&self) -> DeadLetterOutcome {
        self.0.outcome.0.into()
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.error
    }

    /// When it came.
    async fn received_at(&self) -> DateTime {
        date(self.0.received_at)
    }
}

/// Whose a list is.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfHub(HubId);

impl OfHub {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(dead_letters::count(cloud(ctx), asker(ctx)?, self.0).await?)
    }
}

connection!(
    DeadLetterConnection,
    DeadLetterEdge,
    DeadLetter,
    OfHub,
    "Facts that are kept apart, newest first.",
    "A fact that is kept apart, in a list."
);

/// A page of a hub's.
pub(super) async fn page_of(
    ctx: &Context<'_>,
    hub: HubId,
    page: &PageArguments,
) -> Result<DeadLetterConnection> {
    let slice = page.slice()?;
    let read = dead_letters::of_hub(cloud(ctx), asker(ctx)?, hub, &slice).await?;
    let place = |letter: &DeadLetter| (letter.0.received_at, letter.0.id.uuid());
    let page = Page::of(&slice, read.into_iter().map(DeadLetter).collect(), place);
    Ok(DeadLetterConnection::new(page, OfHub(hub)))
}
