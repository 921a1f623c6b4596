//! Lists of venues.

use async_graphql::{Context, Result};
use roomtone_schema::id::Id as _;

use super::asking::{asker, cloud};
use super::page::{Page, PageArguments, connection};
use super::venue::Venue;
use crate::venues::{self, Wanted};

/// Which venues a list is of.
#[derive(Debug, Clone)]
pub(super) struct Listed(Wanted);

impl Listed {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(venues::count(cloud(ctx), asker(ctx)?, &self.0).await?)
    }
}

connection!(VenueConnection, VenueEdge, Venue, Listed, "Venues, by name.", "A venue in a list.");

/// A page of the viewer's venues.
pub(super) async fn page_of(
    ctx: &Context<'_>,
    wanted: Wanted,
    page: &PageArguments,
) -> Result<VenueConnection> {
    let slice = page.slice()?;
    let read = venues::list(cloud(ctx), asker(ctx)?, &wanted, &slice).await?;
    let place = |venue: &Venue| (venue.0.place.clone(), venue.0.id.uuid());
    let page = Page::of(&slice, read.into_iter().map(Venue).collect(), place);
    Ok(VenueConnection::new(page, Listed(wanted)))
}
