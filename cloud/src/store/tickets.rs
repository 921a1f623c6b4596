//! What check-in tickets are signed with, and what they say.

use roomtone_schema::{UserId, VenueId};
use sqlx::PgConnection;

/// The newest key's seed.
pub async fn seed(work: &mut PgConnection) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select seed from private.ticket_keys order by created_at desc, id desc limit 1")
        .fetch_optional(work)
        .await
}

/// Keeps a first key; of several replicas that make one at once, one does.
pub async fn keep_first(work: &mut PgConnection, seed: &[u8], public: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('ticket_keys', 0))")
        .execute(&mut *work)
        .await?;
    sqlx::query(
        "insert into private.ticket_keys (seed, public_key) select $1, $2
         where not exists (select from private.ticket_keys)",
    )
    .bind(seed)
    .bind(public)
    .execute(work)
    .await
    .map(drop)
}

/// The public halves, newest first: for hubs.
pub async fn public_keys(work: &mut PgConnection) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select public_key from private.ticket_keys order by created_at desc, id desc limit 4")
        .fetch_all(work)
        .await
}

/// What somebody calls themselves, where there is such a venue and it is open.
pub async fn holder(
    work: &mut PgConnection,
    user: UserId,
    venue: VenueId,
) -> Result<Option<Option<String>>, sqlx::Error> {
    sqlx::query_scalar(
        "select p.display_name from public.profiles p, public.venues v
         where p.id = $1 and v.id = $2 and v.archived_at is null",
    )
    .bind(user.0)
    .bind(venue.0)
    .fetch_optional(work)
    .await
}
