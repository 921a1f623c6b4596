//! How the people of zones fare, as their hubs told last.

use chrono::{DateTime, Utc};
use roomtone_schema::{HubId, UnixMillis, VenueId, ZoneId};
use roomtone_sync::wire::{FaresTold, ZoneTold};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::facts::{column, time};
use super::{Key, uuids};

/// What a hub told of a zone's people.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Fares {
    /// Which zone.
    pub zone_id: Key<ZoneId>,
    /// Of which venue.
    pub venue_id: Key<VenueId>,
    /// When.
    pub told_at: DateTime<Utc>,
    /// What.
    pub told: Json<Value>,
}

impl Fares {
    /// What was told, as far as this program understands it: a newer hub may say it in another way.
    pub fn read(&self) -> Option<FaresTold> {
        serde_json::from_value(self.told.0.clone()).ok()
    }
}

/// Notes what a hub tells of its zones' people, where it does.
pub async fn note(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    zones: &[ZoneTold],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let telling: Vec<(&ZoneTold, &FaresTold)> =
        zones.iter().filter_map(|zone| Some((zone, zone.fares.as_ref()?))).collect();
    if telling.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into public.zone_fairness (zone_id, venue_id, told_at, told)
         select distinct on (a.zone_id) a.zone_id, $2::uuid, $5, n.told
         from unnest($3::uuid[], $4::jsonb[]) n (id, told)
         join private.zone_aliases a on a.hub_id = $1 and a.hub_zone = n.id
         on conflict (zone_id) do update set told_at = excluded.told_at, told = excluded.told",
    )
    .bind(hub.0)
    .bind(venue.0)
    .bind(column(&telling, |(zone, _)| zone.id.0))
    .bind(column(&telling, |(_, told)| Json((*told).clone())))
    .bind(time(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// What is known of the zones of some venues.
pub async fn of_venues(work: &mut PgConnection, venues: &[VenueId]) -> Result<Vec<Fares>, sqlx::Error> {
    sqlx::query_as(
        "select zone_id, venue_id, told_at, told from public.zone_fairness where venue_id = any ($1)",
    )
    .bind(uuids(venues))
    .fetch_all(work)
    .await
}
