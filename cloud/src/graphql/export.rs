//! Play reports.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::{DateTime, Url};

use super::asking::cloud;
use super::venue::{Venue, venue as venue_of};
use super::words::{ExportFormat, ExportKind, ExportStatus, date};
use crate::history;

/// A play report that is being written, or has been: ask again by node(id:), or subscribe to exportUpdated.
#[derive(Debug, Clone)]
pub(super) struct HistoryExport(pub(super) history::Export);

/// A play report that is being written, or has been: ask again by node(id:), or subscribe to exportUpdated.
#[Object]
impl HistoryExport {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// About which venue.
    async fn venue(&self, ctx: &Context<'_>) -> Result<Venue> {
        venue_of(ctx, *self.0.venue_id).await
    }

    /// How far it is.
    async fn status(&self) -> ExportStatus {
        self.0.status.0.into()
    }

    /// A line per song, or a line per play.
    async fn kind(&self) -> ExportKind {
        self.0.kind.0.into()
    }

    /// How it is written.
    async fn format(&self) -> ExportFormat {
        self.0.format.0.into()
    }

    /// From when.
    async fn from(&self) -> DateTime {
        date(self.0.range_from)
    }

    /// Until when, exclusive.
    async fn to(&self) -> DateTime {
        date(self.0.range_to)
    }

    /// Lines that are written.
    async fn rows(&self) -> i32 {
        self.0.rows_done
    }

    /// Why it was given up.
    async fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// Where its file can be had, for a quarter of an hour; null while there is no file.
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<Url>> {
        Ok(history::download_url(cloud(ctx), &self.0).await?.map(Url))
    }

    /// Until when its file is kept.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(date)
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        date(self.0.created_at)
    }
}
