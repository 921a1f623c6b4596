//! A hub's code against its key.

use roomtone_schema::{HubId, OrganisationId, VenueId};
use sqlx::PgConnection;

use super::Key;

/// A hub that was let in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Enrolled {
    /// Which.
    pub hub_id: Key<HubId>,
    /// Where it stands.
    pub venue_id: Key<VenueId>,
    /// Whose catalogue it plays.
    pub organisation_id: Key<OrganisationId>,
    /// What people call the venue.
    pub venue_name: String,
    /// What people call the hub.
    pub hub_name: String,
}

/// Trades a code for a key; `None` where the code is none that may be traded for it.
pub async fn trade(
    work: &mut PgConnection,
    hash: &[u8],
    public_key: &[u8],
    software: &str,
) -> Result<Option<Enrolled>, sqlx::Error> {
    sqlx::query_as("select * from private.trade_enrolment($1, $2, $3)")
        .bind(hash)
        .bind(public_key)
        .bind(software)
        .fetch_optional(work)
        .await
}

/// Hands in the key that is to follow that of the hub in whose name this is; false where it is another hub's.
pub async fn offer_key(work: &mut PgConnection, public_key: &[u8]) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.offer_key($1)").bind(public_key).fetch_one(work).await
}

/// Has the key that was handed in take the place of the one before.
pub async fn turn_key(work: &mut PgConnection, public_key: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("select private.turn_key($1)").bind(public_key).execute(work).await.map(drop)
}

/// Whether there was such a hub, and it was told to go.
pub async fn is_revoked(work: &mut PgConnection, hub: HubId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from public.hubs where id = $1 and revoked_at is not null)")
        .bind(hub.0)
        .fetch_one(work)
        .await
}
