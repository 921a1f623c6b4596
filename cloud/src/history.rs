//! What was played, and asking for a report of it.

use std::time::Duration;

use chrono::TimeDelta;
use roomtone_schema::{ExportId, IdempotencyKey, PlayId, UserId, VenueId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::analytics::check;
use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::{Refusal, Unmet};
use crate::store::history_exports::{self, NewExport};
use crate::store::songs_playing;
use crate::venues::{Slice, mint};

pub use crate::store::history_exports::Export;
pub use crate::store::songs_playing::{Play, Range};

/// The longest range of one report: a year and a day, as a leap year has.
const LONGEST_REPORT: TimeDelta = TimeDelta::days(367);
/// Reports of one venue that are listed at most.
pub const MOST_EXPORTS: i64 = 50;
/// For how long an address of a report's file is good.
const ADDRESS_LIVES: Duration = Duration::from_mins(15);

/// What a report has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// Each song: the report of use that rights societies ask for.
    Report,
    /// Each play.
    Plays,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// A table, as spreadsheets read it.
    Csv,
    /// A JSON object per line.
    Ndjson,
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportStatus {
    /// Nobody has begun it yet.
    Queued,
    /// It is being written.
    Running,
    /// Its file can be had.
    Ready,
    /// It was given up.
    Failed,
}

/// What report is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// About which venue.
    pub venue: VenueId,
    /// What of time.
    pub range: Range,
    /// A line per song, or a line per play.
    pub kind: ExportKind,
    /// How it is written.
    pub format: ExportFormat,
}

/// A part of a venue's plays, newest first.
///
/// # Errors
/// Where the database fails.
pub async fn list(
    cloud: &Cloud,
    user: UserId,
    venue: VenueId,
    range: Option<Range>,
    slice: &Slice<Uuid>,
) -> Result<Vec<Play>, Unmet> {
    Ok(songs_playing::list(&mut *cloud.database.as_user(user).await?, venue, range, slice).await?)
}

/// How many there are.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, venue: VenueId, range: Option<Range>) -> Result<i64, Unmet> {
    Ok(songs_playing::count(&mut *cloud.database.as_user(user).await?, venue, range).await?)
}

/// One play, where the caller may see it.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, id: PlayId) -> Result<Option<Play>, Unmet> {
    Ok(songs_playing::find(&mut *cloud.database.as_user(user).await?, id).await?)
}

/// One report, where the caller may see it.
///
/// # Errors
/// Where the database fails.
pub async fn find_export(cloud: &Cloud, user: UserId, id: ExportId) -> Result<Option<Export>, Unmet> {
    Ok(history_exports::find(&mut *cloud.database.as_user(user).await?, &[id]).await?.pop())
}

/// A venue's reports, the newest first. They are for managers; others see none.
///
/// # Errors
/// Where the database fails.
pub async fn exports(cloud: &Cloud, user: UserId, venue: VenueId) -> Result<Vec<Export>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    Ok(history_exports::of_venue(&mut work, venue, MOST_EXPORTS).await?)
}

/// Asks for a report; [`crate::exporting`] writes it.
///
/// # Errors
/// Refused where the range is empty or too long, too many are waiting, or the caller may not.
pub async fn create_export(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    order: Order,
) -> Result<Export, Unmet> {
    check(order.range, LONGEST_REPORT)?;
    let Order { venue, range, kind, format } = order;
    let intent = Intent::new(user, key, "createHistoryExport", &(venue, range.from, range.to, kind, format));
    let mut work = cloud.database.as_user(user).await?;
    let id = if let Some(before) = intent.answered(&mut work).await? {
        before
    } else {
        let id: ExportId = mint(cloud)?;
        history_exports::create(&mut work, NewExport { id, venue, range, kind, format }).await?;
        intent.answer(&mut work, &id).await?;
        id
    };
    let export = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Export(id));
    Ok(export)
}

/// Where a report's file can be had, for a quarter of an hour; none while there is no file.
///
/// # Errors
/// Where the store fails.
pub async fn download_url(cloud: &Cloud, export: &Export) -> Result<Option<String>, Unmet> {
    let (ExportStatus::Ready, Some(key)) = (export.status.0, &export.object_key) else { return Ok(None) };
    let extension = if export.format.0 == ExportFormat::Csv { "csv" } else { "ndjson" };
    let name = format!("plays-{}.{extension}", export.range_from.format("%Y-%m-%d"));
    let url = cloud.media.download_url(key, Some(&name), ADDRESS_LIVES).await.map_err(anyhow::Error::from)?;
    Ok(Some(url))
}

async fn one(work: &mut PgConnection, id: ExportId) -> Result<Export, Unmet> {
    Ok(history_exports::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("report"))?)
}
