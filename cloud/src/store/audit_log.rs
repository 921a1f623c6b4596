//! Who did what.

use chrono::{DateTime, Utc};
use roomtone_schema::{AuditEntryId, OrganisationId, UserId, VenueId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, uuids};

/// A line of the log, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AuditEntry {
    /// Made when it happened.
    pub id: Key<AuditEntryId>,
    /// About which venue, where it is about one.
    pub venue_id: Option<Key<VenueId>>,
    /// Who did it; none where their account is gone.
    pub actor_id: Option<Key<UserId>>,
    /// Such as `hub.revoked`.
    pub action: String,
    /// Such as `Hub:<uuid>`.
    pub target: String,
    /// What else there is to tell.
    pub detail: Json<Value>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a line is about: a venue or a catalogue, what was done to what, and what else there is to tell.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Of which catalogue, where it is about no venue.
    pub organisation: Option<OrganisationId>,
    /// Of which venue.
    pub venue: Option<VenueId>,
    /// Such as `hub.revoked`.
    pub action: &'static str,
    /// Such as `Hub:<uuid>`.
    pub target: &'a str,
    /// What else there is to tell.
    pub detail: Value,
}

/// Writes a line in the name of whoever acts, about what is theirs.
pub async fn write(work: &mut PgConnection, line: Line<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("select private.audit($1, $2, $3, $4, $5)")
        .bind(line.organisation.map(|id| id.0))
        .bind(line.venue.map(|id| id.0))
        .bind(line.action)
        .bind(line.target)
        .bind(Json(line.detail))
        .execute(work)
        .await
        .map(drop)
}

/// A part of a venue's log, newest first.
pub async fn of_venue(
    work: &mut PgConnection,
    venue: VenueId,
    slice: &Slice<Uuid>,
) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("venue_id = ").push_bind(venue.0);
    if let Some(id) = slice.after {
        query.push(" and id < ").push_bind(id);
    }
    if let Some(id) = slice.before {
        query.push(" and id > ").push_bind(id);
    }
    query.push(if slice.backwards { " order by id limit " } else { " order by id desc limit " });
    query.push_bind(slice.limit).build_query_as().fetch_all(work).await
}

const COLUMNS: &str =
    "select id, venue_id, actor_id, action, target, detail, at from public.audit_log where ";

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[AuditEntryId]) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// How many lines a venue's log has.
pub async fn count(work: &mut PgConnection, venue: VenueId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from public.audit_log where venue_id = $1")
        .bind(venue.0)
        .fetch_one(work)
        .await
}
