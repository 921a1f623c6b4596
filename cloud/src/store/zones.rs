//! Zones.

use chrono::{DateTime, Utc};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{VenueId, ZoneId};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Key, uuids};

/// A part of a venue, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Zone {
    /// Made when it was added.
    pub id: Key<ZoneId>,
    /// Of which venue.
    pub venue_id: Key<VenueId>,
    /// `main`, `terrace`, ...
    pub name: String,
    /// How it behaves.
    pub settings: Json<ZoneSettings>,
    /// When it was put away.
    pub archived_at: Option<DateTime<Utc>>,
}

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[ZoneId]) -> Result<Vec<Zone>, sqlx::Error> {
    sqlx::query_as("select id, venue_id, name, settings, archived_at from public.zones where id = any ($1)")
        .bind(uuids(ids))
        .fetch_all(work)
        .await
}

/// The zones of some venues, the main one first; archived ones are left out.
pub async fn of_venues(work: &mut PgConnection, venues: &[VenueId]) -> Result<Vec<Zone>, sqlx::Error> {
    sqlx::query_as(
        "select id, venue_id, name, settings, archived_at from public.zones
         where venue_id = any ($1) and archived_at is null order by name <> 'main', name, id",
    )
    .bind(uuids(venues))
    .fetch_all(work)
    .await
}

/// Adds one.
pub async fn create(work: &mut PgConnection, zone: &Zone) -> Result<(), sqlx::Error> {
    sqlx::query("insert into public.zones (id, venue_id, name, settings) values ($1, $2, $3, $4)")
        .bind(zone.id)
        .bind(zone.venue_id)
        .bind(&zone.name)
        .bind(&zone.settings)
        .execute(work)
        .await
        .map(drop)
}

/// Writes a zone's name, settings and whether it is archived.
pub async fn change(work: &mut PgConnection, zone: &Zone) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query("update public.zones set name = $2, settings = $3, archived_at = $4 where id = $1")
            .bind(zone.id)
            .bind(&zone.name)
            .bind(&zone.settings)
            .bind(zone.archived_at)
            .execute(work)
            .await?;
    Ok(done.rows_affected() == 1)
}
