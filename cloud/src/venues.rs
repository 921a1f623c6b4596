//! Venues: opening one, changing it, putting it away.

use chrono::{DateTime, Utc};
use roomtone_schema::id::Id;
use roomtone_schema::licence::Licence;
use roomtone_schema::{IdempotencyKey, OrganisationId, UserId, VenueId};
use serde::{Deserialize, Serialize};

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::members::MemberRole;
use crate::refusal::{Code, Refusal, Unmet, text, within};
use crate::store::audit_log::{self, Line};
use crate::store::{access, organisations, venues};

pub use crate::store::Slice;
pub use crate::store::organisations::Organisation;
pub use crate::store::venues::{Place, Venue, Wanted};

pub mod zones;

/// Organisations of one person that are listed at most.
pub const MOST_ORGANISATIONS: i64 = 200;
/// The longest name of a venue.
const LONGEST_NAME: usize = 200;

/// What sort of place a venue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VenueKind {
    /// Coffee and talk.
    Cafe,
    /// Rest.
    Spa,
    /// Work.
    Coworking,
    /// Things to look at.
    Gallery,
    /// Something else.
    Other,
}

/// A venue to come.
#[derive(Debug, Clone, Serialize)]
pub struct NewVenue {
    /// Whose it will be; a new organisation where there is none.
    pub organisation: Option<OrganisationId>,
    /// What the new organisation is called; as the venue where that is left out.
    pub organisation_name: Option<String>,
    /// What people will call it.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// What sort of place it is.
    pub kind: VenueKind,
    /// IANA name, such as `Europe/Berlin`.
    pub time_zone: String,
    /// How long a song rests.
    pub penalty_hours: i32,
    /// Overlap of two songs.
    pub crossfade_ms: i32,
}

/// What of a venue is to be otherwise; what is left out stays.
#[derive(Debug, Clone, Serialize)]
pub struct VenueChanges {
    /// Which.
    pub id: VenueId,
    /// Another name.
    pub name: Option<String>,
    /// Another name in addresses.
    pub slug: Option<String>,
    /// Another sort of place.
    pub kind: Option<VenueKind>,
    /// Another time zone.
    pub time_zone: Option<String>,
    /// Another rest.
    pub penalty_hours: Option<i32>,
    /// Another overlap.
    pub crossfade_ms: Option<i32>,
    /// Another licence.
    pub licence: Option<Licence>,
}

/// The ids of things that are made now.
pub(crate) fn mint<T: Id>(cloud: &Cloud) -> Result<T, Unmet> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bits: {error}"))?;
    Ok(T::mint(cloud.now(), random))
}

/// The caller's venues, a part of them.
///
/// # Errors
/// Where the database fails.
pub async fn list(
    cloud: &Cloud,
    user: UserId,
    wanted: &Wanted,
    slice: &Slice<Place>,
) -> Result<Vec<Venue>, Unmet> {
    Ok(venues::list(&mut *cloud.database.as_user(user).await?, wanted, slice).await?)
}

/// How many there are.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, wanted: &Wanted) -> Result<i64, Unmet> {
    Ok(venues::count(&mut *cloud.database.as_user(user).await?, wanted).await?)
}

/// Those of some venues that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, ids: &[VenueId]) -> Result<Vec<Venue>, Unmet> {
    Ok(venues::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// The organisations of the caller's venues.
///
/// # Errors
/// Where the database fails.
pub async fn organisations(cloud: &Cloud, user: UserId) -> Result<Vec<Organisation>, Unmet> {
    Ok(organisations::mine(&mut *cloud.database.as_user(user).await?, MOST_ORGANISATIONS).await?)
}

/// Those of some organisations that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find_organisations(
    cloud: &Cloud,
    user: UserId,
    ids: &[OrganisationId],
) -> Result<Vec<Organisation>, Unmet> {
    Ok(organisations::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// Opens a venue: with a zone named main, and the caller as its owner.
///
/// # Errors
/// Refused where the input cannot be meant, the slug is taken, or the caller may not.
pub async fn create(cloud: &Cloud, user: UserId, key: IdempotencyKey, new: NewVenue) -> Result<Venue, Unmet> {
    let new = NewVenue {
        name: text("name", &new.name, LONGEST_NAME)?,
        slug: slug(&new.slug)?,
        organisation_name: new
            .organisation_name
            .map(|name| text("organisationName", &name, LONGEST_NAME))
            .transpose()?,
        penalty_hours: within("penaltyHours", new.penalty_hours, 1, 48)?,
        crossfade_ms: within("crossfadeMs", new.crossfade_ms, 0, 20_000)?,
        ..new
    };
    let intent = Intent::new(user, key, "createVenue", &new);
    let mut work = cloud.database.as_user(user).await?;
    let id = if let Some(before) = intent.answered(&mut work).await? {
        before
    } else {
        let id: VenueId = mint(cloud)?;
        venues::create(&mut work, id, &new).await?;
        intent.answer(&mut work, &id).await?;
        id
    };
    let venue = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::User(user));
    Ok(venue)
}

/// Changes a venue.
///
/// # Errors
/// Refused where the input cannot be meant, the slug is taken, or the caller may not.
pub async fn update(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    to: VenueChanges,
) -> Result<Venue, Unmet> {
    let to = VenueChanges {
        name: to.name.map(|name| text("name", &name, LONGEST_NAME)).transpose()?,
        slug: to.slug.map(|given| slug(&given)).transpose()?,
        penalty_hours: to.penalty_hours.map(|hours| within("penaltyHours", hours, 1, 48)).transpose()?,
        crossfade_ms: to.crossfade_ms.map(|ms| within("crossfadeMs", ms, 0, 20_000)).transpose()?,
        ..to
    };
    let intent = Intent::new(user, key, "updateVenue", &to);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<VenueId>(&mut work).await?.is_none() {
        access::require(&mut work, to.id, MemberRole::Manager).await?;
        venues::change(&mut work, &to).await.map_err(slug_taken)?;
        let target = format!("Venue:{}", to.id);
        let detail = serde_json::to_value(&to).map_err(anyhow::Error::from)?;
        let line =
            Line { organisation: None, venue: Some(to.id), action: "venue.updated", target: &target, detail };
        audit_log::write(&mut work, line).await?;
        intent.answer(&mut work, &to.id).await?;
    }
    let venue = one(&mut work, to.id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(to.id));
    Ok(venue)
}

/// Puts a venue away, or brings it back. Nothing of it is lost; its hubs play on.
///
/// # Errors
/// Refused where the caller is not its owner.
pub async fn archive(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: VenueId,
    away: bool,
) -> Result<Venue, Unmet> {
    let operation = if away { "archiveVenue" } else { "unarchiveVenue" };
    let intent = Intent::new(user, key, operation, &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<VenueId>(&mut work).await?.is_none() {
        venues::archive(&mut work, id, away).await?;
        intent.answer(&mut work, &id).await?;
    }
    let venue = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(id));
    Ok(venue)
}

/// A venue that the caller may see.
pub(crate) async fn one(work: &mut sqlx::PgConnection, id: VenueId) -> Result<Venue, Unmet> {
    let found = venues::find(work, &[id]).await?.pop();
    Ok(found.ok_or_else(|| Refusal::not_found("venue"))?)
}

fn slug_taken(error: sqlx::Error) -> Unmet {
    match Unmet::from(error) {
        Unmet::Refused(Refusal { code: Code::Conflict, .. }) => {
            Refusal::new(Code::Conflict, "another venue has this slug; choose another one").at("slug").into()
        }
        other => other,
    }
}

/// A name for addresses: 2 to 63 small letters, digits and hyphens, not beginning with a hyphen.
fn slug(given: &str) -> Result<String, Refusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (2..=63).contains(&given.len()) && given.chars().all(fits) && !given.starts_with('-') {
        return Ok(given.to_owned());
    }
    Err(Refusal::invalid("slug", "a slug is 2 to 63 small letters, digits and hyphens, such as cafe-aurora"))
}

/// Until when what is made now holds, so much later.
pub(crate) fn later(cloud: &Cloud, by: std::time::Duration) -> DateTime<Utc> {
    cloud.now_utc() + by
}
