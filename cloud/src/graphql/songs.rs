//! Lists of songs.

use async_graphql::{Context, InputObject, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::song::{Explicit, SongKind};

use super::asking::{asker, cloud, id};
use super::page::{Page, PageArguments, connection};
use super::song::Song;
use super::words::{OrderDirection, SongOrderField, SongStatus};
use crate::catalogue::{self, Direction, SongOrderField as Field};
use crate::refusal::Unmet;

/// Which songs are meant; what is left out does not matter.
#[derive(Debug, Clone, Default, InputObject)]
pub(super) struct SongFilter {
    /// Whose title, artist, album, label or ISRC holds this.
    search: Option<String>,
    /// Soundscapes or instrumentals.
    kind: Option<SongKind>,
    /// At this point of their way; left out: all but the withdrawn.
    status: Option<SongStatus>,
    /// With such words.
    explicit: Option<Explicit>,
    /// Which this venue plays.
    venue_id: Option<async_graphql::ID>,
    /// Of this organisation's catalogue.
    organisation_id: Option<async_graphql::ID>,
}

impl SongFilter {
    pub(super) fn read(self) -> Result<Filtered, Unmet> {
        Ok(Filtered(catalogue::SongFilter {
            search: self.search.filter(|search| !search.is_empty()),
            kind: self.kind.map(Into::into),
            status: self.status.map(Into::into),
            explicit: self.explicit.map(Into::into),
            venue: self.venue_id.as_ref().map(|given| id(given, "venueId")).transpose()?,
            organisation: self
                .organisation_id
                .as_ref()
                .map(|given| id(given, "organisationId"))
                .transpose()?,
        }))
    }
}

/// How a list of songs is ordered.
#[derive(Debug, Clone, Copy, InputObject)]
pub(super) struct SongOrder {
    /// By what.
    field: SongOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// Which songs a list is of.
#[derive(Debug, Clone)]
pub(super) struct Filtered(pub(super) catalogue::SongFilter);

impl Filtered {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(catalogue::count(cloud(ctx), asker(ctx)?, &self.0).await?)
    }
}

connection!(SongConnection, SongEdge, Song, Filtered, "Songs.", "A song in a list.");

/// A page of songs; the newest first where no order is given.
pub(super) async fn page_of(
    ctx: &Context<'_>,
    filter: Filtered,
    order: Option<SongOrder>,
    page: &PageArguments,
) -> Result<SongConnection> {
    let newest = catalogue::SongOrder { field: Field::CreatedAt, direction: Direction::Desc };
    let given = |order: SongOrder| catalogue::SongOrder {
        field: order.field.into(),
        direction: order.direction.into(),
    };
    let slice = page.slice()?;
    let read =
        catalogue::list(cloud(ctx), asker(ctx)?, &filter.0, order.map_or(newest, given), &slice).await?;
    let placed = Page::of(&slice, read, |placed| (placed.place.clone(), placed.song.id.uuid()));
    Ok(SongConnection::new(placed.map(|placed| Song(placed.song)), filter))
}
