//! Zones: the parts of a venue, and how they behave.

use roomtone_schema::schedule::{HEAVIEST_PROFILE, Schedule};
use roomtone_schema::song::SongKind;
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{Embedding, IdempotencyKey, UserId, VenueId, ZoneId};
use serde::Serialize;
use sqlx::PgConnection;

use super::mint;
use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::members::MemberRole;
use crate::refusal::{Code, Refusal, Unmet, text, within};
use crate::store::{Key, access, fares, zones};

pub use crate::store::fares::Fares;
pub use crate::store::zones::{Settings, Zone};

/// The longest name of a zone.
const LONGEST_NAME: usize = 80;
/// The zone that every venue has.
const MAIN: &str = "main";
/// Zones of one venue at most.
const MOST_ZONES: usize = 50;

/// What of a zone's settings is to be otherwise; what is left out stays.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SettingsChanges {
    /// What it sounds like when nobody is there: five numbers.
    pub profile: Option<Vec<f64>>,
    /// 0 to 1.
    pub fairness: Option<f64>,
    /// 1 to 48.
    pub penalty_hours: Option<i32>,
    /// 0 to 20,000.
    pub crossfade_ms: Option<i32>,
    /// -40 to -5.
    pub loudness_lufs: Option<f64>,
    /// Whether explicit songs are played.
    pub allow_explicit: Option<bool>,
    /// 0 to 240.
    pub artist_separation_min: Option<i32>,
    /// 0.1 to 1.
    pub skip_share: Option<f64>,
    /// 1 to 100.
    pub skip_min: Option<i32>,
    /// Whether listeners see what comes next.
    pub show_up_next: Option<bool>,
    /// Whether check-in asks for the rotating code.
    pub require_rotating_code: Option<bool>,
    /// 0 to 20.
    pub profile_weight: Option<f64>,
    /// Which kinds of songs are played.
    pub kinds: Option<Vec<SongKind>>,
    /// A whole week.
    pub schedule: Option<Schedule>,
}

impl SettingsChanges {
    fn apply(&self, settings: &mut ZoneSettings) -> Result<(), Refusal> {
        if let Some(profile) = &self.profile {
            settings.profile = Some(five("profile", profile)?.values());
        }
        if let Some(given) = self.fairness {
            settings.fairness = within("fairness", given, 0.0, 1.0)?;
        }
        if let Some(given) = self.loudness_lufs {
            settings.loudness_lufs = within("loudnessLufs", given, -40.0, -5.0)? as f32;
        }
        if let Some(given) = self.skip_share {
            settings.skip_share = within("skipShare", given, 0.1, 1.0)?;
        }
        let whole = |field, given: Option<i32>, least, most, into: &mut u32| -> Result<(), Refusal> {
            if let Some(given) = given {
                *into = within(field, given, least, most)?.unsigned_abs();
            }
            Ok(())
        };
        whole("penaltyHours", self.penalty_hours, 1, 48, &mut settings.penalty_hours)?;
        whole("crossfadeMs", self.crossfade_ms, 0, 20_000, &mut settings.crossfade_ms)?;
        whole(
            "artistSeparationMin",
            self.artist_separation_min,
            0,
            240,
            &mut settings.artist_separation_min,
        )?;
        whole("skipMin", self.skip_min, 1, 100, &mut settings.skip_min)?;
        settings.allow_explicit = self.allow_explicit.unwrap_or(settings.allow_explicit);
        settings.show_up_next = self.show_up_next.unwrap_or(settings.show_up_next);
        settings.require_rotating_code = self.require_rotating_code.unwrap_or(settings.require_rotating_code);
        if let Some(given) = self.profile_weight {
            settings.profile_weight = within("profileWeight", given, 0.0, HEAVIEST_PROFILE)?;
        }
        if let Some(given) = &self.kinds {
            settings.kinds.clone_from(given);
        }
        if let Some(given) = &self.schedule {
            settings.schedule.clone_from(given);
        }
        Ok(())
    }
}

/// Five numbers of the input, as an embedding.
pub(crate) fn five(field: &str, given: &[f64]) -> Result<Embedding, Refusal> {
    let narrow: Vec<f32> = given.iter().map(|value| *value as f32).collect();
    let embedding =
        Embedding::try_from(narrow).map_err(|error| Refusal::invalid(field, error.to_string()))?;
    Ok(embedding)
}

/// How people fare in the zones of some venues that the caller may see, as far as hubs have told.
///
/// # Errors
/// Where the database fails.
pub async fn fares_of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Fares>, Unmet> {
    Ok(fares::of_venues(&mut *cloud.database.as_user(user).await?, venues).await?)
}

/// The zones of some venues that the caller may see, the main ones first.
///
/// # Errors
/// Where the database fails.
pub async fn of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Zone>, Unmet> {
    Ok(zones::of_venues(&mut *cloud.database.as_user(user).await?, venues).await?)
}

/// Those of some zones that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, ids: &[ZoneId]) -> Result<Vec<Zone>, Unmet> {
    Ok(zones::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// Adds a zone to a venue.
///
/// # Errors
/// Refused where the input cannot be meant, the name is taken, or the caller may not.
pub async fn create(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
    name: &str,
    settings: &SettingsChanges,
) -> Result<Zone, Unmet> {
    let name = text("name", name, LONGEST_NAME)?;
    let intent = Intent::new(user, key, "createZone", &(venue, &name, settings));
    let mut work = cloud.database.as_user(user).await?;
    let id = if let Some(before) = intent.answered(&mut work).await? {
        before
    } else {
        access::require(&mut work, venue, MemberRole::Manager).await?;
        if zones::of_venues(&mut work, &[venue]).await?.len() >= MOST_ZONES {
            return Err(
                Refusal::new(Code::TooLarge, format!("a venue has at most {MOST_ZONES} zones")).into()
            );
        }
        let id: ZoneId = mint(cloud)?;
        let mut zone = Zone {
            id: Key(id),
            venue_id: Key(venue),
            name,
            settings: Settings::default(),
            archived_at: None,
        };
        settings.apply(&mut zone.settings.0)?;
        zones::create(&mut work, &zone).await.map_err(name_taken)?;
        intent.answer(&mut work, &id).await?;
        id
    };
    let zone = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(venue));
    Ok(zone)
}

/// Changes a zone.
///
/// # Errors
/// Refused where the input cannot be meant, the name is taken, or the caller may not.
pub async fn update(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: ZoneId,
    name: Option<&str>,
    settings: &SettingsChanges,
) -> Result<Zone, Unmet> {
    let name = name.map(|name| text("name", name, LONGEST_NAME)).transpose()?;
    let intent = Intent::new(user, key, "updateZone", &(id, &name, settings));
    let mut work = cloud.database.as_user(user).await?;
    let mut zone = one(&mut work, id).await?;
    if intent.answered::<ZoneId>(&mut work).await?.is_none() {
        access::require(&mut work, *zone.venue_id, MemberRole::Manager).await?;
        if let Some(name) = name {
            if zone.name == MAIN && name != MAIN {
                let why = "the main zone keeps its name: hubs look for it";
                return Err(Refusal::new(Code::Conflict, why).at("name").into());
            }
            zone.name = name;
        }
        settings.apply(&mut zone.settings.0)?;
        let changes = serde_json::to_value(settings).map_err(anyhow::Error::from)?;
        zones::change(&mut work, &zone, &changes).await.map_err(name_taken)?;
        intent.answer(&mut work, &id).await?;
    }
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*zone.venue_id));
    Ok(zone)
}

/// Puts a zone away. The main one stays.
///
/// # Errors
/// Refused where it is the main zone, or the caller may not.
pub async fn archive(cloud: &Cloud, user: UserId, key: IdempotencyKey, id: ZoneId) -> Result<Zone, Unmet> {
    let intent = Intent::new(user, key, "archiveZone", &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<ZoneId>(&mut work).await?.is_none() {
        zones::archive(&mut work, id).await?;
        intent.answer(&mut work, &id).await?;
    }
    let zone = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*zone.venue_id));
    Ok(zone)
}

async fn one(work: &mut PgConnection, id: ZoneId) -> Result<Zone, Unmet> {
    Ok(zones::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("zone"))?)
}

fn name_taken(error: sqlx::Error) -> Unmet {
    match Unmet::from(error) {
        Unmet::Refused(Refusal { code: Code::Conflict, .. }) => {
            let why = "another zone of this venue has this name; choose another one";
            Refusal::new(Code::Conflict, why).at("name").into()
        }
        other => other,
    }
}
