//! Hubs.

use async_graphql::{Context, ID, Object, Result};
use chrono::Utc;
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::asking::cloud;
use super::dead_letter::DeadLetterConnection;
use super::loaders::{PlayersOf, load};
use super::page::{PageArguments, size};
use super::player::Player;
use super::venue::{Venue, venue as venue_of};
use super::words::{HubReason, HubStatus, date};
use crate::hubs;

/// One installed hub.
#[derive(Debug, Clone)]
pub(super) struct Hub(pub(super) hubs::Hub);

/// One installed hub.
#[Object]
impl Hub {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Where it stands.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Its program's version.
    async fn version(&self) -> Option<&str> {
        self.0.software.as_deref()
    }

    /// How it is.
    async fn status(&self, ctx: &Context<'_>) -> HubStatus {
        self.0.status(now(ctx)).into()
    }

    /// What to know of it; empty where all is well.
    async fn reasons(&self, ctx: &Context<'_>) -> Vec<HubReason> {
        self.0.reasons(now(ctx)).into_iter().map(Into::into).collect()
    }

    /// Whether guests seem not to reach it: they come by the cloud's page, and no phone of its network was seen since.
    async fn guests_cut_off(&self, ctx: &Context<'_>) -> bool {
        self.0.is_cut_off(now(ctx))
    }

    /// When it was last heard of.
    async fn last_seen_at(&self) -> Option<DateTime> {
        self.0.last_seen_at.map(date)
    }

    /// Facts that it still owes; null where it has not said.
    async fn pending_operations(&self) -> Option<i32> {
        self.0.pending_operations
    }

    /// By how much its clock is wrong; null where it has not said.
    async fn clock_skew_ms(&self) -> Option<i32> {
        self.0.clock_skew_ms
    }

    /// How often it has begun anew, after a restore or on another box; null before its first word.
    async fn epoch(&self) -> Option<i32> {
        self.0.epoch
    }

    /// Facts of it that were told twice and not alike: more than none means that it runs twice.
    async fn duplicates(&self) -> i64 {
        self.0.duplicates
    }

    /// Until when its enrolment code may be shown; null where it waits for none.
    async fn code_expires_at(&self) -> Option<DateTime> {
        // A code that was traded may be shown again for a moment, by the same box: nobody need know.
        self.0.enrolment_expires_at.filter(|_| self.0.enrolled_at.is_none()).map(date)
    }

    /// When it was let in; null while it waits.
    async fn enrolled_at(&self) -> Option<DateTime> {
        self.0.enrolled_at.map(date)
    }

    /// When it was told to go.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(date)
    }

    /// Its facts that are kept apart, newest first; for managers, and empty for others. At most 200 at a time.
    #[graphql(complexity = "5 + size(first, last) * child_complexity")]
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<DeadLetterConnection> {
        let page = PageArguments { first, after, last, before };
        super::dead_letter::page_of(ctx, *self.0.id, &page).await
    }

    /// Its players; at most 200.
    #[graphql(complexity = "5 * child_complexity")]
    async fn players(&self, ctx: &Context<'_>) -> Result<Vec<Player>> {
        let players = load(ctx, PlayersOf(*self.0.venue_id)).await?.unwrap_or_default();
        Ok(players.into_iter().filter(|player| player.hub_id == Some(self.0.id)).map(Player).collect())
    }
}

/// Now, by the cloud's clock.
pub(super) fn now(ctx: &Context<'_>) -> chrono::DateTime<Utc> {
    cloud(ctx).now_utc()
}
