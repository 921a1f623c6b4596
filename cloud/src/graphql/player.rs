//! Players.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::{DateTime, PlayerStatus, Tier};

use super::hub::{Hub, now};
use super::loaders::load;
use super::song::Song;
use super::venue::{Venue, song, venue as venue_of};
use super::words::date;
use super::zone::Zone;
use crate::players;

/// A box with a loudspeaker.
#[derive(Debug, Clone)]
pub(super) struct Player(pub(super) players::Player);

/// A box with a loudspeaker.
#[Object]
impl Player {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Where it plays.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// In which part of it.
    async fn zone(&self, ctx: &Context<'_>) -> Result<Option<Zone>> {
        let Some(zone) = self.0.zone_id else { return Ok(None) };
        Ok(load(ctx, *zone).await?.map(Zone))
    }

    /// Whom it asks for music.
    async fn hub(&self, ctx: &Context<'_>) -> Result<Option<Hub>> {
        let Some(hub) = self.0.hub_id else { return Ok(None) };
        Ok(load(ctx, *hub).await?.map(Hub))
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it does, as far as its hub has told lately.
    async fn status(&self, ctx: &Context<'_>) -> PlayerStatus {
        self.0.status_at(now(ctx)).into()
    }

    /// Where its music comes from; null where that is not known.
    async fn tier(&self) -> Option<Tier> {
        self.0.tier.map(|tier| tier.0.into())
    }

    /// For how long it was silent when it should not have been, in all.
    async fn silence_seconds(&self) -> i32 {
        self.0.silence_seconds
    }

    /// From 0 to 100: what was ordered until its hub has followed, then what the hub says; null until that is known.
    async fn volume_percent(&self) -> Option<i16> {
        self.0.volume_percent
    }

    /// What it plays; null where that is not known.
    async fn current_song(&self, ctx: &Context<'_>) -> Result<Option<Song>> {
        let Some(id) = self.0.current_song_id else { return Ok(None) };
        song(ctx, *id).await
    }

    /// When it was last heard of.
    async fn last_seen_at(&self) -> Option<DateTime> {
        self.0.last_poll_at.map(date)
    }

    /// When it was told to go.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(date)
    }
}
