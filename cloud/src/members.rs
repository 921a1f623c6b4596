//! Who may do what: global roles, and members of venues.

use roomtone_schema::{IdempotencyKey, UserId, VenueId};
use serde::{Deserialize, Serialize};

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::{Code, Refusal, Unmet, text};
use crate::store::{people, profiles, venue_members};

pub use crate::store::people::Person;
pub use crate::store::venue_members::Member;

/// Members of one venue that are listed at most.
pub const MOST_MEMBERS: i64 = 200;
/// Memberships of one person that are listed at most.
pub const MOST_MEMBERSHIPS: i64 = 200;
/// The longest address.
const LONGEST_EMAIL: usize = 254;

/// What somebody may do in a venue: each may do what those below may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// Everything.
    Owner,
    /// Venue, zones, members below owner, hubs, players.
    Manager,
    /// The catalogue and what the venue plays of it.
    Staff,
    /// Looking.
    Viewer,
}

/// What somebody may do beyond single venues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GlobalRole {
    /// Everything everywhere.
    Admin,
    /// Opening venues.
    Manager,
    /// Listening.
    Listener,
}

/// Somebody and their global roles.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Who.
    pub person: Person,
    /// Their roles.
    pub roles: Vec<GlobalRole>,
}

/// The caller; their profile is made where there is none yet.
///
/// # Errors
/// Where the database fails.
pub async fn viewer(cloud: &Cloud, user: UserId) -> Result<Option<Viewer>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    let mut found = people::find(&mut work, &[user]).await?.pop();
    if found.is_none() {
        profiles::ensure(&mut work, user).await?;
        found = people::find(&mut work, &[user]).await?.pop();
    }
    let roles = people::roles(&mut work, user).await?;
    work.commit().await?;
    Ok(found.map(|person| Viewer { person, roles }))
}

/// Those of some people that the caller may know.
///
/// # Errors
/// Where the database fails.
pub async fn people(cloud: &Cloud, user: UserId, ids: &[UserId]) -> Result<Vec<Person>, Unmet> {
    Ok(people::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// The members of some venues that the caller may see, owners first.
///
/// # Errors
/// Where the database fails.
pub async fn of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Member>, Unmet> {
    Ok(venue_members::of_venues(&mut *cloud.database.as_user(user).await?, venues, MOST_MEMBERS).await?)
}

/// What the caller is a member of.
///
/// # Errors
/// Where the database fails.
pub async fn memberships(cloud: &Cloud, user: UserId) -> Result<Vec<Member>, Unmet> {
    Ok(venue_members::of_user(&mut *cloud.database.as_user(user).await?, user, MOST_MEMBERSHIPS).await?)
}

/// Adds whoever has this address to a venue.
///
/// # Errors
/// Refused where nobody has it, they are a member already, or the caller may not.
pub async fn add(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
    email: &str,
    role: MemberRole,
) -> Result<Member, Unmet> {
    let email = text("email", email, LONGEST_EMAIL)?;
    let intent = Intent::new(user, key, "addMember", &(venue, &email, role));
    let mut work = cloud.database.as_user(user).await?;
    let who = if let Some(before) = intent.answered(&mut work).await? {
        before
    } else {
        let who = venue_members::add(&mut work, venue, &email, role).await?;
        intent.answer(&mut work, &who).await?;
        who
    };
    let member = one(&mut work, venue, who).await?;
    work.commit().await?;
    tell(cloud, venue, who);
    Ok(member)
}

/// Gives a member another role.
///
/// # Errors
/// Refused where they are the last owner, no member, or the caller may not.
pub async fn change_role(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
    who: UserId,
    role: MemberRole,
) -> Result<Member, Unmet> {
    let intent = Intent::new(user, key, "changeMemberRole", &(venue, who, role));
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<UserId>(&mut work).await?.is_none() {
        venue_members::change(&mut work, venue, who, role).await?;
        intent.answer(&mut work, &who).await?;
    }
    let member = one(&mut work, venue, who).await?;
    work.commit().await?;
    tell(cloud, venue, who);
    Ok(member)
}

/// Takes a member out; from then on they see nothing of the venue.
///
/// # Errors
/// Refused where they are the last owner, no member, or the caller may not.
pub async fn remove(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
    who: UserId,
) -> Result<(), Unmet> {
    let intent = Intent::new(user, key, "removeMember", &(venue, who));
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<UserId>(&mut work).await?.is_none() {
        venue_members::remove(&mut work, venue, who).await?;
        intent.answer(&mut work, &who).await?;
    }
    work.commit().await?;
    tell(cloud, venue, who);
    Ok(())
}

async fn one(work: &mut sqlx::PgConnection, venue: VenueId, who: UserId) -> Result<Member, Unmet> {
    let found = venue_members::find(work, venue, who).await?;
    Ok(found.ok_or_else(|| Refusal::new(Code::NotFound, "they are no member of this venue"))?)
}

fn tell(cloud: &Cloud, venue: VenueId, who: UserId) {
    cloud.bus.publish(Topic::Venue(venue));
    cloud.bus.publish(Topic::User(who));
}
