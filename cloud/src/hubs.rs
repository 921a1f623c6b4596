//! Hubs, as their venue's managers know them: letting one in, watching it, telling it to go.

use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::{HubId, IdempotencyKey, UserId, VenueId};
use sqlx::PgConnection;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::{Refusal, Unmet, text};
use crate::store::hubs::{self, NewHub};
use crate::venues::{later, mint};

pub use crate::store::hubs::Hub;
pub use code::EnrolmentCode;

mod code;

/// Hubs of one venue that are listed at most, revoked ones among them.
pub const MOST_HUBS: i64 = 100;
/// The longest name of a hub.
const LONGEST_NAME: usize = 80;
/// For how long an enrolment code is good: as long as it takes to walk to the box.
pub const CODE_LIVES: Duration = Duration::from_mins(30);

/// A hub that spoke this lately is there: it speaks every 30 to 60 seconds.
const ONLINE: Duration = Duration::from_mins(3);
/// One that spoke this lately may be having a short break.
const STALE: Duration = Duration::from_mins(15);
/// A hub that owes more facts than this does not get rid of them.
const MANY_PENDING: i32 = 1_000;
/// A clock that is wrong by more than this dates what it tells wrongly.
const WRONG_CLOCK_MS: i32 = 60_000;

/// How a hub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubStatus {
    /// It has not spoken for a while: its venue plays on, and what it tells comes later.
    Offline,
    /// It speaks.
    Online,
    /// It was told to go.
    Revoked,
    /// It has missed a few words.
    Stale,
    /// Its code has not been shown yet.
    Waiting,
}

/// What a hub's manager should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubReason {
    /// Its clock is wrong by more than a minute.
    ClockWrong,
    /// Its code was not shown in time; ask for another one.
    CodeExpired,
    /// Two boxes speak as this hub: enrol one of them anew.
    Duplicate,
    /// It owes many facts.
    FactsPending,
    /// It has not spoken for minutes, or never.
    Silent,
}

impl Hub {
    /// How it is at a time.
    pub fn status(&self, now: DateTime<Utc>) -> HubStatus {
        let spoke_within = |span: Duration| self.last_seen_at.is_some_and(|at| now - at < delta(span));
        match () {
            () if self.revoked_at.is_some() => HubStatus::Revoked,
            () if self.enrolled_at.is_none() => HubStatus::Waiting,
            () if spoke_within(ONLINE) => HubStatus::Online,
            () if spoke_within(STALE) => HubStatus::Stale,
            () => HubStatus::Offline,
        }
    }

    /// Whether guests seem not to reach it; a hub that is not heard from any more says nothing of that.
    pub fn is_cut_off(&self, now: DateTime<Utc>) -> bool {
        self.guests_cut_off && matches!(self.status(now), HubStatus::Online | HubStatus::Stale)
    }

    /// What to know of it at a time.
    pub fn reasons(&self, now: DateTime<Utc>) -> Vec<HubReason> {
        let status = self.status(now);
        if status == HubStatus::Revoked {
            return Vec::new();
        }
        let code_expired = self.enrolment_expires_at.is_none_or(|at| at <= now);
        let has_rival = self.rival_at.is_some_and(|at| now - at < delta(STALE));
        let told = [
            (self.clock_skew_ms.unwrap_or(0).abs() > WRONG_CLOCK_MS, HubReason::ClockWrong),
            (status == HubStatus::Waiting && code_expired, HubReason::CodeExpired),
            (self.duplicates > 0 || has_rival, HubReason::Duplicate),
            (self.pending_operations.unwrap_or(0) > MANY_PENDING, HubReason::FactsPending),
            (matches!(status, HubStatus::Stale | HubStatus::Offline), HubReason::Silent),
        ];
        told.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect()
    }
}

fn delta(span: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(span).unwrap_or(chrono::TimeDelta::MAX)
}

/// A hub to come, and the code that lets it in; the code is shown this once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The hub.
    pub hub: Hub,
    /// What to type in at the box.
    pub code: EnrolmentCode,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// The hubs of some venues that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Hub>, Unmet> {
    Ok(hubs::of_venues(&mut *cloud.database.as_user(user).await?, venues, MOST_HUBS).await?)
}

/// Those of some hubs that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, ids: &[HubId]) -> Result<Vec<Hub>, Unmet> {
    Ok(hubs::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// A code for a hub to come. Asked for again with the same key, it is the same hub with a fresh code, and the code
/// before is void.
///
/// # Errors
/// Refused where the caller may not, or the hub has been enrolled since.
pub async fn create_enrolment(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
    name: &str,
) -> Result<Enrolment, Unmet> {
    let name = text("name", name, LONGEST_NAME)?;
    let intent = Intent::new(user, key, "createHubEnrolment", &(venue, &name));
    let code = EnrolmentCode::fresh()?;
    let expires_at = later(cloud, CODE_LIVES);
    let mut work = cloud.database.as_user(user).await?;
    let id = if let Some(before) = intent.answered(&mut work).await? {
        hubs::renew(&mut work, before, &code.sha256(), expires_at).await?;
        before
    } else {
        let id: HubId = mint(cloud)?;
        let new = NewHub { id, venue, name: &name };
        hubs::enrol(&mut work, &new, &code.sha256(), expires_at).await?;
        intent.answer(&mut work, &id).await?;
        id
    };
    let hub = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(venue));
    Ok(Enrolment { hub, code, expires_at })
}

/// Gives a hub another name.
///
/// # Errors
/// Refused where the caller may not.
pub async fn rename(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: HubId,
    name: &str,
) -> Result<Hub, Unmet> {
    let name = text("name", name, LONGEST_NAME)?;
    let intent = Intent::new(user, key, "renameHub", &(id, &name));
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<HubId>(&mut work).await?.is_none() {
        hubs::rename(&mut work, id, &name).await?;
        intent.answer(&mut work, &id).await?;
    }
    let hub = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*hub.venue_id));
    Ok(hub)
}

/// Tells a hub to go, for ever. Its history stays.
///
/// # Errors
/// Refused where the caller may not.
pub async fn revoke(cloud: &Cloud, user: UserId, key: IdempotencyKey, id: HubId) -> Result<Hub, Unmet> {
    let intent = Intent::new(user, key, "revokeHub", &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<HubId>(&mut work).await?.is_none() {
        hubs::revoke(&mut work, id).await?;
        intent.answer(&mut work, &id).await?;
    }
    let hub = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*hub.venue_id));
    Ok(hub)
}

async fn one(work: &mut PgConnection, id: HubId) -> Result<Hub, Unmet> {
    Ok(hubs::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("hub"))?)
}

#[cfg(test)]
mod tests {
    use roomtone_schema::id::Id as _;
    use uuid::Uuid;

    use super::*;
    use crate::store::Key;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + 60 * minutes, 0).unwrap()
    }

    fn hub() -> Hub {
        Hub {
            id: Key(HubId::from_uuid(Uuid::nil())),
            venue_id: Key(VenueId::from_uuid(Uuid::nil())),
            name: "bar".to_owned(),
            enrolled_at: Some(at(0)),
            enrolment_expires_at: None,
            software: None,
            clock_skew_ms: None,
            pending_operations: None,
            last_seen_at: Some(at(0)),
            revoked_at: None,
            created_at: at(0),
            epoch: Some(1),
            duplicates: 0,
            guests_cut_off: false,
            rival_at: None,
        }
    }

    #[test]
    fn a_hub_fades_from_online_over_stale_to_offline() {
        assert_eq!(hub().status(at(2)), HubStatus::Online);
        assert_eq!(hub().status(at(4)), HubStatus::Stale);
        assert_eq!(hub().status(at(20)), HubStatus::Offline);
        assert_eq!(hub().reasons(at(2)), []);
        assert_eq!(hub().reasons(at(20)), [HubReason::Silent]);
    }

    #[test]
    fn a_hub_that_waits_says_when_its_code_is_void() {
        let waiting =
            Hub { enrolled_at: None, last_seen_at: None, enrolment_expires_at: Some(at(30)), ..hub() };
        assert_eq!(waiting.status(at(1)), HubStatus::Waiting);
        assert_eq!(waiting.reasons(at(1)), []);
        assert_eq!(waiting.reasons(at(31)), [HubReason::CodeExpired]);
    }

    #[test]
    fn what_is_wrong_with_a_hub_is_told_until_it_is_revoked() {
        let wrong =
            Hub { clock_skew_ms: Some(-120_000), pending_operations: Some(5_000), duplicates: 1, ..hub() };
        let reasons = [HubReason::ClockWrong, HubReason::Duplicate, HubReason::FactsPending];
        assert_eq!(wrong.reasons(at(1)), reasons);
        let rivalled = Hub { rival_at: Some(at(0)), ..hub() };
        assert_eq!(rivalled.reasons(at(1)), [HubReason::Duplicate]);
        assert_eq!(Hub { last_seen_at: Some(at(16)), ..rivalled }.reasons(at(16)), []);
        let revoked = Hub { revoked_at: Some(at(1)), ..wrong };
        assert_eq!((revoked.status(at(1)), revoked.reasons(at(1))), (HubStatus::Revoked, Vec::new()));
    }
}
