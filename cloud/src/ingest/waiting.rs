//! Facts that wait for something: tried again when it may have come, and now and then.

use roomtone_schema::{DeadLetterId, HubId, UnixMillis, VenueId};
use roomtone_sync::wire::Hash;
use sqlx::PgConnection;

use super::{Item, Teller, apply_fresh};
use crate::database::Database;
use crate::store::facts::{self, Waiting};

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
        applied += usize::from(retry_one(conn, teller, fact).await?.0);
    }
    Ok(applied)
}

/// Tries one fact; whether it has been applied, and whether others may have waited for it.
async fn retry_one(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    fact: Waiting,
) -> Result<(bool, bool), sqlx::Error> {
    let teller = Teller { epoch: fact.epoch, ..teller };
    let payload = match fact.payload {
        // What Postgres could not keep as JSON was not to be read in the first place.
        serde_json::Value::String(escaped) => escaped.into_bytes(),
        noun => noun.to_string().into_bytes(),
    };
    let item = Item { seq: fact.seq, kind: fact.kind, payload, moment: fact.moment };
    let (apart, is_waited_for) = Box::pin(apply_fresh(conn, teller, std::slice::from_ref(&item))).await?;
    if let Some(still) = apart.first() {
        facts::note_tried(conn, teller.hub, fact.epoch, still).await?;
        return Ok((false, false));
    }
    facts::release(conn, teller.hub, fact.epoch, fact.seq).await?;
    Ok((true, is_waited_for))
}

/// Tries a dead letter that a person wants to be tried, and whatever has waited for it; whether it has been applied.
///
/// # Errors
/// Where the database fails.
pub async fn retry_letter(
    database: &Database,
    (hub, venue): (HubId, VenueId),
    letter: DeadLetterId,
    ticket_keys: &[Hash],
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let mut work = database.as_hub(hub, venue).await?;
    crate::store::sync_state::lock(&mut work, hub).await?;
    let Some(fact) = facts::waiting_letter(&mut work, hub, letter).await? else { return Ok(false) };
    let teller = Teller { hub, venue, epoch: 0, ticket_keys, now };
    let (is_applied, is_waited_for) = retry_one(&mut work, teller, fact).await?;
    if is_waited_for {
        retry(&mut work, teller).await?;
    }
    work.commit().await?;
    Ok(is_applied)
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
