//! Play reports that are being written, or have been.

use chrono::{DateTime, Utc};
use roomtone_schema::{ExportId, UserId, VenueId};
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::songs_playing::Range;
use super::{Key, Word, uuids};
use crate::history::{ExportFormat, ExportKind, ExportStatus};

/// A report, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Export {
    /// Made when it was asked for.
    pub id: Key<ExportId>,
    /// About which venue.
    pub venue_id: Key<VenueId>,
    /// Who asked for it.
    pub user_id: Option<Key<UserId>>,
    /// From when.
    pub range_from: DateTime<Utc>,
    /// Until when.
    pub range_to: DateTime<Utc>,
    /// A line per song, or a line per play.
    pub kind: Word<ExportKind>,
    /// How it is written.
    pub format: Word<ExportFormat>,
    /// How far it is.
    pub status: Word<ExportStatus>,
    /// Lines that are written.
    pub rows_done: i32,
    /// Where its file is stored.
    pub object_key: Option<String>,
    /// Why it was given up.
    pub failure: Option<String>,
    /// How often it was begun.
    pub attempts: i32,
    /// Until when its file is kept.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

impl Export {
    /// What of time it is about.
    pub fn range(&self) -> Range {
        Range { from: self.range_from, to: self.range_to }
    }
}

const COLUMNS: &str = "select id, venue_id, user_id, range_from, range_to, kind, format, status, rows_done, object_key, \
    failure, attempts, expires_at, created_at from public.history_exports where ";

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[ExportId]) -> Result<Vec<Export>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// A venue's reports, the newest first.
pub async fn of_venue(
    work: &mut PgConnection,
    venue: VenueId,
    most: i64,
) -> Result<Vec<Export>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("venue_id = ").push_bind(venue.0).push(" order by id desc limit ").push_bind(most);
    query.build_query_as().fetch_all(work).await
}

/// How many of a venue's reports are not written yet.
pub async fn count_open(work: &mut PgConnection, venue: VenueId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from public.history_exports where venue_id = $1 and status in ('queued', 'running')",
    )
    .bind(venue.0)
    .fetch_one(work)
    .await
}

/// A report that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct NewExport {
    /// Its id.
    pub id: ExportId,
    /// About which venue.
    pub venue: VenueId,
    /// Who asks.
    pub user: UserId,
    /// What of time.
    pub range: Range,
    /// A line per song, or a line per play.
    pub kind: ExportKind,
    /// How it is written.
    pub format: ExportFormat,
}

/// Asks for one.
pub async fn create(work: &mut PgConnection, new: NewExport) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.history_exports (id, venue_id, user_id, range_from, range_to, kind, format)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id.0)
    .bind(new.venue.0)
    .bind(new.user.0)
    .bind(new.range.from)
    .bind(new.range.to)
    .bind(Word(new.kind))
    .bind(Word(new.format))
    .execute(work)
    .await
    .map(drop)
}

/// Takes the oldest that nobody works on, for a while; the cloud's own work. `run` is whoever takes it.
pub async fn claim(
    work: &mut PgConnection,
    run: Uuid,
    for_seconds: f64,
) -> Result<Option<Export>, sqlx::Error> {
    sqlx::query_as(
        "update public.history_exports set status = 'running', attempts = attempts + 1, rows_done = 0,
           claimed_by = $1, claimed_until = now() + make_interval(secs => $2), updated_at = now()
         where id = (select id from public.history_exports
           where status in ('queued', 'running') and (claimed_until is null or claimed_until < now())
           order by id limit 1 for update skip locked)
         returning id, venue_id, user_id, range_from, range_to, kind, format, status, rows_done, object_key, failure,
           attempts, expires_at, created_at",
    )
    .bind(run)
    .bind(for_seconds)
    .fetch_optional(work)
    .await
}

/// Says how far a report is, and keeps it for a while longer; `false` where somebody else has taken it.
pub async fn progress(
    work: &mut PgConnection,
    export: ExportId,
    run: Uuid,
    rows: i32,
    for_seconds: f64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.history_exports set rows_done = $3, claimed_until = now() + make_interval(secs => $4),
           updated_at = now() where id = $1 and claimed_by = $2 and status = 'running'",
    )
    .bind(export.0)
    .bind(run)
    .bind(rows)
    .bind(for_seconds)
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A report's file is there, until then.
pub async fn finish(
    work: &mut PgConnection,
    export: ExportId,
    run: Uuid,
    key: &str,
    expires_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.history_exports set status = 'ready', object_key = $3, expires_at = $4, claimed_by = null,
           claimed_until = null, updated_at = now() where id = $1 and claimed_by = $2",
    )
    .bind(export.0)
    .bind(run)
    .bind(key)
    .bind(expires_at)
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A report went wrong: it waits for another try, longer each time, or is given up; `false` where it is not this run's.
pub async fn fail(
    work: &mut PgConnection,
    export: ExportId,
    run: Uuid,
    why: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.history_exports set status = case when $3 is null then 'queued' else 'failed' end,
           failure = $3, claimed_by = null,
           claimed_until = case when $3 is null then now() + interval '1 minute' * attempts end, updated_at = now()
         where id = $1 and claimed_by = $2",
    )
    .bind(export.0)
    .bind(run)
    .bind(why)
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts back whatever a run has under its hands, for others to take at once; says what that was.
pub async fn put_back(work: &mut PgConnection, run: Uuid) -> Result<Vec<Export>, sqlx::Error> {
    sqlx::query_as(
        "update public.history_exports set status = 'queued', attempts = attempts - 1, rows_done = 0,
           claimed_by = null, claimed_until = null, updated_at = now()
         where claimed_by = $1 and status = 'running'
         returning id, venue_id, user_id, range_from, range_to, kind, format, status, rows_done, object_key, failure,
           attempts, expires_at, created_at",
    )
    .bind(run)
    .fetch_all(work)
    .await
}

/// Reports whose time has passed, with their files.
pub async fn overdue(
    work: &mut PgConnection,
    most: i64,
) -> Result<Vec<(Key<ExportId>, String)>, sqlx::Error> {
    sqlx::query_as(
        "select id, object_key from public.history_exports
         where status = 'ready' and expires_at < now() order by id limit $1",
    )
    .bind(most)
    .fetch_all(work)
    .await
}

/// Forgets a report.
pub async fn remove(work: &mut PgConnection, export: ExportId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from public.history_exports where id = $1")
        .bind(export.0)
        .execute(work)
        .await
        .map(drop)
}
