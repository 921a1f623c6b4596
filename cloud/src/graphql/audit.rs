//! Who changed what.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::VenueId;
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::asking::{asker, cloud};
use super::loaders::load;
use super::member::User;
use super::page::connection;
use super::venue::Venue;
use super::words::date;
use crate::audit;

/// One change.
#[derive(Debug, Clone)]
pub(super) struct AuditEntry(pub(super) audit::AuditEntry);

/// One change.
#[Object]
impl AuditEntry {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// When.
    async fn at(&self) -> DateTime {
        date(self.0.at)
    }

    /// Who; null where their account is gone, or they are not of the viewer's venues any more.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(actor) = self.0.actor_id else { return Ok(None) };
        Ok(load(ctx, *actor).await?.map(User))
    }

    /// In which venue; null where it concerns a whole catalogue.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Option<Venue>> {
        let Some(venue) = self.0.venue_id else { return Ok(None) };
        Ok(load(ctx, *venue).await?.map(Venue))
    }

    /// What was done, such as hub.revoked.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// To what, such as Hub:<uuid>.
    async fn target(&self) -> &str {
        &self.0.target
    }

    /// What else there is to tell, as JSON.
    async fn detail(&self) -> String {
        self.0.detail.0.to_string()
    }
}

/// Whose lines a list is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines(pub(super) VenueId);

impl Lines {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(audit::count(cloud(ctx), asker(ctx)?, self.0).await?)
    }
}

connection!(
    AuditEntryConnection,
    AuditEntryEdge,
    AuditEntry,
    Lines,
    "Changes, newest first.",
    "A change in a list."
);
