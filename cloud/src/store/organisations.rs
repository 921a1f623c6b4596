//! Organisations: whoever owns venues.

use chrono::{DateTime, Utc};
use roomtone_schema::OrganisationId;
use sqlx::PgConnection;

use super::{Key, uuids};

/// An organisation, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Organisation {
    /// Made when its first venue was opened.
    pub id: Key<OrganisationId>,
    /// What it is called.
    pub name: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[OrganisationId]) -> Result<Vec<Organisation>, sqlx::Error> {
    sqlx::query_as("select id, name, created_at from public.organisations where id = any ($1)")
        .bind(uuids(ids))
        .fetch_all(work)
        .await
}

/// Those of the caller's venues, by name.
pub async fn mine(work: &mut PgConnection, most: i64) -> Result<Vec<Organisation>, sqlx::Error> {
    sqlx::query_as(
        "select id, name, created_at from public.organisations
         where id in (select v.organisation_id from public.venues v) order by name, id limit $1",
    )
    .bind(most)
    .fetch_all(work)
    .await
}
