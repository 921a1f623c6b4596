//! Play reports.

use async_graphql::{Context, ID, InputObject, Object, Result};
use uuid::Uuid;

use crate::graphql::asking::{cloud, doer, id, key, payload, settle};
use crate::graphql::export::HistoryExport;
use crate::graphql::words::{DateTimeRange, ExportFormat, ExportKind};
use crate::history::{self, Order};
use crate::refusal::Unmet;

/// A report that is wanted.
#[derive(Debug, InputObject)]
pub(crate) struct CreateHistoryExportInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// About which venue.
    venue_id: ID,
    /// What of time; at most 367 days.
    range: DateTimeRange,
    /// A line per song, or a line per play.
    #[graphql(default_with = "ExportKind::Report")]
    kind: ExportKind,
    /// How it is written.
    #[graphql(default_with = "ExportFormat::Csv")]
    format: ExportFormat,
}

payload!(/// Asked for, or why not.
    CreateHistoryExportPayload { /// The report, which waits to be written.
        export: HistoryExport });

/// What asks for reports.
#[derive(Debug, Default)]
pub(crate) struct ExportMutation;

/// Changing.
#[Object]
impl ExportMutation {
    /// Asks for a report of what was played; for managers. At most 5 of a venue wait at once.
    async fn create_history_export(
        &self,
        ctx: &Context<'_>,
        input: CreateHistoryExportInput,
    ) -> Result<CreateHistoryExportPayload> {
        settle(create(ctx, &input).await)
    }
}

async fn create(ctx: &Context<'_>, input: &CreateHistoryExportInput) -> Result<HistoryExport, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let order = Order {
        venue: id(&input.venue_id, "venueId")?,
        range: input.range.into(),
        kind: input.kind.into(),
        format: input.format.into(),
    };
    Ok(HistoryExport(history::create_export(cloud(ctx), user, key, order).await?))
}
