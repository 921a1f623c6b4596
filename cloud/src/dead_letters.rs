//! Facts of hubs that are kept apart: what a person may do about them.

use chrono::{DateTime, Utc};
use roomtone_schema::{DeadLetterId, HubId, IdempotencyKey, UserId, VenueId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::hubs::Hub;
use crate::intents::Intent;
use crate::refusal::{Refusal, Unmet};
use crate::store::{self, Slice, dead_letters};
use crate::{ingest, tickets};

pub use crate::store::dead_letters::DeadLetter;

/// How a fact is kept that is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterOutcome {
    /// What it depends on is not there yet; it is tried again by itself.
    Parked,
    /// It can never be applied as it is; a person decides.
    Rejected,
}

/// What is done about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is tried again.
    Retry,
    /// It is dropped for good.
    Discard,
}

/// A part of a hub's, newest first. They are for managers; others see an empty list.
///
/// # Errors
/// Where the database fails.
pub async fn of_hub(
    cloud: &Cloud,
    user: UserId,
    hub: HubId,
    slice: &Slice<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<DeadLetter>, Unmet> {
    Ok(dead_letters::of_hub(&mut *cloud.database.as_user(user).await?, hub, slice).await?)
}

/// How many a hub has.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, hub: HubId) -> Result<i64, Unmet> {
    Ok(dead_letters::count(&mut *cloud.database.as_user(user).await?, hub).await?)
}

/// One, where the caller may see it.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, id: DeadLetterId) -> Result<Option<DeadLetter>, Unmet> {
    Ok(dead_letters::find(&mut *cloud.database.as_user(user).await?, id).await?)
}

/// Decides about one; says whose it is.
///
/// # Errors
/// Refused where the caller may not, or there is none.
pub async fn decide(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: DeadLetterId,
    decision: Decision,
) -> Result<Hub, Unmet> {
    let operation = match decision {
        Decision::Retry => "retryDeadLetter",
        Decision::Discard => "discardDeadLetter",
    };
    let intent = Intent::new(user, key, operation, &id);
    let mut work = cloud.database.as_user(user).await?;
    let hub = if let Some(hub) = intent.answered::<HubId>(&mut work).await? {
        hub
    } else {
        let hub = match decision {
            Decision::Retry => dead_letters::retry(&mut work, id).await?,
            Decision::Discard => dead_letters::discard(&mut work, id).await?,
        };
        intent.answer(&mut work, &hub).await?;
        hub
    };
    let found = store::hubs::find(&mut work, &[hub]).await?.pop();
    let hub = found.ok_or_else(|| Refusal::not_found("hub"))?;
    work.commit().await?;
    let venue: VenueId = *hub.venue_id;
    if decision == Decision::Retry {
        try_now(cloud, (*hub.id, venue), id).await;
    }
    cloud.bus.publish(Topic::Venue(venue));
    Ok(hub)
}

/// Whoever wants it tried again wants to see what comes of it. It waits from here on, so where this fails it is tried with
/// the others.
async fn try_now(cloud: &Cloud, of: (HubId, VenueId), id: DeadLetterId) {
    let tried = async {
        let keys = tickets::keys(cloud).await?;
        ingest::retry_letter(&cloud.database, of, id, &keys, cloud.now()).await.map_err(Unmet::from)
    };
    if let Err(error) = tried.await {
        tracing::warn!(?error, hub = %of.0, "a dead letter could not be tried now; it is with the next facts of its hub");
    }
}
