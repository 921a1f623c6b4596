//! Hubs.

use chrono::{DateTime, Utc};
use roomtone_schema::{HubId, VenueId};
use sqlx::{PgConnection, QueryBuilder};

use super::{Key, uuids};

/// A hub, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Hub {
    /// Made when its code was asked for.
    pub id: Key<HubId>,
    /// Where it stands.
    pub venue_id: Key<VenueId>,
    /// What people call it.
    pub name: String,
    /// When its code was traded for its key.
    pub enrolled_at: Option<DateTime<Utc>>,
    /// Until when its code may be shown, where it waits for that.
    pub enrolment_expires_at: Option<DateTime<Utc>>,
    /// Its program's version.
    pub software: Option<String>,
    /// By how much its clock is wrong.
    pub clock_skew_ms: Option<i32>,
    /// Facts that it still owes.
    pub pending_operations: Option<i32>,
    /// When it was last heard of.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it was told to go.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When its code was asked for.
    pub created_at: DateTime<Utc>,
    /// How often it has begun anew: after a restore from a backup, or on another box.
    pub epoch: Option<i32>,
    /// Facts of it that were told twice and not alike: a sign that it runs twice.
    pub duplicates: i64,
    /// Guests seem not to reach it, as it told last.
    pub guests_cut_off: bool,
    /// When another box last asked to speak as this hub while one did.
    pub rival_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "select h.id, h.venue_id, h.name, h.enrolled_at, h.enrolment_expires_at, h.software, \
    h.clock_skew_ms, h.pending_operations, h.last_seen_at, h.revoked_at, h.created_at, h.guests_cut_off, (case when s.epoch < 2147483647 then s.epoch end)::int as epoch, s.rival_at, \
    (select count(*) from public.sync_quarantine q where q.hub_id = h.id and q.outcome = 'rejected' and q.error like 'fork%') as duplicates \
    from public.hubs h left join public.sync_state s on s.hub_id = h.id where ";

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[HubId]) -> Result<Vec<Hub>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("h.id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// The hubs of some venues, by name; revoked ones come last. At most `most` of each venue.
pub async fn of_venues(
    work: &mut PgConnection,
    venues: &[VenueId],
    most: i64,
) -> Result<Vec<Hub>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("h.id in (select x.id from unnest(").push_bind(uuids(venues));
    query.push(
        "::uuid[]) as wanted (venue_id) cross join lateral (select o.id from public.hubs o
         where o.venue_id = wanted.venue_id order by o.revoked_at is not null, o.name, o.id limit ",
    );
    query.push_bind(most).push(") x) order by h.revoked_at is not null, h.name, h.id");
    query.build_query_as().fetch_all(work).await
}

/// A code for a hub to come.
pub async fn enrol(
    work: &mut PgConnection,
    hub: &NewHub<'_>,
    hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.enrol_hub($1, $2, $3, $4, $5)")
        .bind(hub.id.0)
        .bind(hub.venue.0)
        .bind(hub.name)
        .bind(hash)
        .bind(expires_at)
        .execute(work)
        .await
        .map(drop)
}

/// A hub to come.
#[derive(Debug, Clone, Copy)]
pub struct NewHub<'a> {
    /// Its id.
    pub id: HubId,
    /// Where it will stand.
    pub venue: VenueId,
    /// What people will call it.
    pub name: &'a str,
}

/// Another code for a hub that waits for one.
pub async fn renew(
    work: &mut PgConnection,
    hub: HubId,
    hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.renew_enrolment($1, $2, $3)")
        .bind(hub.0)
        .bind(hash)
        .bind(expires_at)
        .execute(work)
        .await
        .map(drop)
}

/// Gives it another name.
pub async fn rename(work: &mut PgConnection, hub: HubId, name: &str) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> = sqlx::query_scalar("select private.rename_hub($1, $2)")
        .bind(hub.0)
        .bind(name)
        .fetch_one(work)
        .await?;
    Ok(venue.0)
}

/// Tells it to go.
pub async fn revoke(work: &mut PgConnection, hub: HubId) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> =
        sqlx::query_scalar("select private.revoke_hub($1)").bind(hub.0).fetch_one(work).await?;
    Ok(venue.0)
}
