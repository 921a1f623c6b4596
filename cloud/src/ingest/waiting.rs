//! Facts that wait for something: tried again when it may have come, and now and then.

use roomtone_schema::{HubId, UnixMillis, VenueId};
use roomtone_sync::wire::Hash;
use sqlx::PgConnection;

use super::{Item, Teller, apply_fresh};
use crate::database::Database;
use crate::store::facts;

/// So many of a hub are tried at once.
const MOST: i64 = 500;

/// Tries what waits of one hub; how many have been applied.
pub(super) async fn retry(conn: &mut PgConnection, teller: Teller<'_>) -> Result<usize, sqlx::Error> {
    let mut applied = 0;
    for fact in facts::waiting(conn, teller.hub, MOST).await? {
        // Without the keys every ticket looks forged.
        if teller.ticket_keys.is_empty() && fact.kind == "listener_signed_in" {
            continue;
        }
        let teller = Teller { epoch: fact.epoch, ..teller };
        let payload = match fact.payload {
            // What Postgres could not keep as JSON was not to be read in the first place.
            serde_json::Value::String(escaped) => escaped.into_bytes(),
            noun => noun.to_string().into_bytes(),
        };
        let item = Item { seq: fact.seq, kind: fact.kind, payload, moment: fact.moment };
        let (apart, _) = Box::pin(apply_fresh(conn, teller, std::slice::from_ref(&item))).await?;
        if let Some(still) = apart.first() {
            facts::note_tried(conn, teller.hub, fact.epoch, still).await?;
        } else {
            facts::release(conn, teller.hub, fact.epoch, fact.seq).await?;
            applied += 1;
        }
    }
    Ok(applied)
}

/// Tries what waits of all hubs; how many have been applied.
///
/// # Errors
/// Where the database fails.
pub async fn retry_all(
    database: &Database,
    ticket_keys: &[Hash],
    now: UnixMillis,
) -> Result<usize, sqlx::Error> {
    let mut work = database.as_service().await?;
    let hubs = facts::hubs_that_wait(&mut work).await?;
    work.commit().await?;
    let mut applied = 0;
    for (hub, venue) in hubs {
        let (hub, venue) = (HubId(hub), VenueId(venue));
        let mut work = database.as_hub(hub, venue).await?;
        crate::store::sync_state::lock(&mut work, hub).await?;
        applied += retry(&mut work, Teller { hub, venue, epoch: 0, ticket_keys, now }).await?;
        work.commit().await?;
    }
    Ok(applied)
}
