//! Plays: what was heard where.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::VenueId;
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::{DateTime, Tier};

use super::asking::{asker, cloud, coded};
use super::loaders::load;
use super::page::{Page, PageArguments, connection};
use super::player::Player;
use super::song::Song;
use super::venue::{Venue, song as song_of, venue as venue_of};
use super::words::{PlayEnd, date};
use super::zone::Zone;
use crate::history::{self, Range};

/// One song played on one player.
#[derive(Debug, Clone)]
pub(super) struct Play(pub(super) history::Play);

/// One song played on one player.
#[Object]
impl Play {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Where.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// In which part of it; null where that is gone.
    async fn zone(&self, ctx: &Context<'_>) -> Result<Option<Zone>> {
        let Some(zone) = self.0.zone_id else { return Ok(None) };
        Ok(load(ctx, *zone).await?.map(Zone))
    }

    /// On what; null where that is gone.
    async fn player(&self, ctx: &Context<'_>) -> Result<Option<Player>> {
        let Some(player) = self.0.player_id else { return Ok(None) };
        Ok(load(ctx, *player).await?.map(Player))
    }

    /// What; null where it is not in the catalogue.
    async fn song(&self, ctx: &Context<'_>) -> Result<Option<Song>> {
        song_of(ctx, *self.0.song_id).await
    }

    /// When it began.
    async fn started_at(&self) -> DateTime {
        date(self.0.played_at)
    }

    /// When it ended; null while it plays.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(date)
    }

    /// How it ended; null while it plays.
    async fn ended(&self) -> Option<PlayEnd> {
        self.0.ended.map(|ended| ended.0.into())
    }

    /// How much of it was heard.
    async fn heard_ms(&self) -> Option<i32> {
        self.0.heard_ms
    }

    /// From which tier it came.
    async fn tier(&self) -> Tier {
        self.0.tier.0.into()
    }

    /// How near it was to what the room wanted, -1 to 1; null where nobody was there to want anything.
    async fn similarity(&self) -> Option<f32> {
        self.0.similarity
    }

    /// What it lost for having been played lately, 0 to 1.
    async fn penalty(&self) -> Option<f32> {
        self.0.penalty
    }
}

/// Which plays a list is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaysOf {
    pub(super) venue: VenueId,
    pub(super) range: Option<Range>,
}

impl PlaysOf {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(history::count(cloud(ctx), asker(ctx)?, self.venue, self.range).await?)
    }
}

connection!(PlayConnection, PlayEdge, Play, PlaysOf, "Plays, newest first.", "A play in a list.");

/// A page of plays.
pub(super) async fn page_of(ctx: &Context<'_>, of: PlaysOf, page: &PageArguments) -> Result<PlayConnection> {
    if of.range.is_some_and(|range| range.from >= range.to) {
        return Err(coded("INVALID", "the range must begin before it ends"));
    }
    let slice = page.slice()?;
    let read = history::list(cloud(ctx), asker(ctx)?, of.venue, of.range, &slice).await?;
    let page = Page::of(&slice, read.into_iter().map(Play).collect(), |play| play.0.id.uuid());
    Ok(PlayConnection::new(page, of))
}
