//! Zones.

use std::sync::Once;

use chrono::{DateTime, Utc};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{VenueId, ZoneId};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Key, uuids};

/// How a zone behaves. A row that says it in a way that we do not understand has the defaults: it must not be in the way
/// of those beside it.
#[derive(Debug, Clone, Default)]
pub struct Settings(pub ZoneSettings);

impl From<Json<Value>> for Settings {
    fn from(Json(told): Json<Value>) -> Self {
        static TOLD: Once = Once::new();
        Self(serde_json::from_value(told).unwrap_or_else(|error| {
            TOLD.call_once(|| {
                tracing::warn!(%error, "the settings of a zone cannot be read, so it has the defaults; write them anew");
            });
            ZoneSettings::default()
        }))
    }
}

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
    #[sqlx(try_from = "Json<Value>")]
    pub settings: Settings,
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

/// The zones of some venues, the main one first, at most 50 of each; archived ones are left out.
pub async fn of_venues(work: &mut PgConnection, venues: &[VenueId]) -> Result<Vec<Zone>, sqlx::Error> {
    sqlx::query_as(
        "select z.* from (select distinct unnest($1::uuid[]) as venue_id) wanted cross join lateral (
           select o.id, o.venue_id, o.name, o.settings, o.archived_at from public.zones o
           where o.venue_id = wanted.venue_id and o.archived_at is null
           order by o.name <> 'main', o.name, o.id limit 50) z
         order by z.name <> 'main', z.name, z.id",
    )
    .bind(uuids(venues))
    .fetch_all(work)
    .await
}

/// Adds one.
pub async fn create(work: &mut PgConnection, zone: &Zone) -> Result<(), sqlx::Error> {
    sqlx::query("select private.create_zone($1, $2, $3, $4)")
        .bind(zone.id)
        .bind(zone.venue_id)
        .bind(&zone.name)
        .bind(Json(&zone.settings.0))
        .execute(work)
        .await
        .map(drop)
}

/// Writes a zone's name and settings; `changes` is what the log tells of it.
pub async fn change(work: &mut PgConnection, zone: &Zone, changes: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("select private.change_zone($1, $2, $3, $4)")
        .bind(zone.id)
        .bind(&zone.name)
        .bind(Json(&zone.settings.0))
        .bind(Json(changes))
        .execute(work)
        .await
        .map(drop)
}

/// Puts one away.
pub async fn archive(work: &mut PgConnection, zone: ZoneId) -> Result<(), sqlx::Error> {
    sqlx::query("select private.archive_zone($1)").bind(zone.0).execute(work).await.map(drop)
}
