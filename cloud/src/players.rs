//! Players, as their venue's managers know them. They come into being at their hub.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::{IdempotencyKey, PlayerId, UserId, VenueId, ZoneId};
use sqlx::PgConnection;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::{Code, Refusal, Unmet, text};
use crate::store::players;

pub use crate::store::players::Player;

/// Players of one venue that are listed at most, revoked ones among them.
pub const MOST_PLAYERS: i64 = 200;
/// The longest name of a player.
const LONGEST_NAME: usize = 80;
/// What a player did longer ago than this says nothing of now: its hub tells of it every minute.
const HEARD_OF: Duration = Duration::from_mins(5);

impl Player {
    /// What it does at a time, as far as is known.
    pub fn status_at(&self, now: DateTime<Utc>) -> PlayerStatus {
        let heard_of = TimeDelta::from_std(HEARD_OF).unwrap_or(TimeDelta::MAX);
        let lately = self.last_poll_at.is_some_and(|at| now - at < heard_of);
        if lately && self.revoked_at.is_none() { self.status.0 } else { PlayerStatus::Offline }
    }
}

/// The players of some venues that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Player>, Unmet> {
    Ok(players::of_venues(&mut *cloud.database.as_user(user).await?, venues, MOST_PLAYERS).await?)
}

/// Those of some players that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, ids: &[PlayerId]) -> Result<Vec<Player>, Unmet> {
    Ok(players::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// What of a player is to be otherwise; what is left out stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlayerChange<'a> {
    /// Another name.
    pub name: Option<&'a str>,
    /// Another zone of its venue.
    pub zone: Option<ZoneId>,
    /// Another volume, in percent.
    pub volume: Option<i32>,
}

/// Gives a player another name, zone or volume.
///
/// # Errors
/// Refused where the caller may not, the zone is not of the player's venue, or the volume is none.
pub async fn update(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: PlayerId,
    change: PlayerChange<'_>,
) -> Result<Player, Unmet> {
    let name = change.name.map(|name| text("name", name, LONGEST_NAME)).transpose()?;
    let volume = change.volume.map(percent).transpose()?;
    let intent = match volume {
        // As it was before there were volumes: a request that is repeated over an update of this program is the same.
        None => Intent::new(user, key, "updatePlayer", &(id, &name, change.zone)),
        Some(_) => Intent::new(user, key, "updatePlayer", &(id, &name, change.zone, volume)),
    };
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<PlayerId>(&mut work).await?.is_none() {
        if let Some(percent) = volume {
            players::turn(&mut work, id, percent).await?;
        }
        if volume.is_none() || name.is_some() || change.zone.is_some() {
            players::change(&mut work, id, name.as_deref(), change.zone).await?;
        }
        intent.answer(&mut work, &id).await?;
    }
    let player = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*player.venue_id));
    Ok(player)
}

/// Tells a player to go: its hub learns of it at the next word, and gives it no more music.
///
/// # Errors
/// Refused where the caller may not.
pub async fn revoke(cloud: &Cloud, user: UserId, key: IdempotencyKey, id: PlayerId) -> Result<Player, Unmet> {
    let intent = Intent::new(user, key, "revokePlayer", &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<PlayerId>(&mut work).await?.is_none() {
        players::revoke(&mut work, id).await?;
        intent.answer(&mut work, &id).await?;
    }
    let player = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*player.venue_id));
    Ok(player)
}

fn percent(volume: i32) -> Result<i16, Unmet> {
    let fits = i16::try_from(volume).ok().filter(|percent| (0..=100).contains(percent));
    Ok(fits.ok_or_else(|| {
        Refusal::new(Code::Invalid, "a volume is a whole number from 0 to 100").at("volumePercent")
    })?)
}

async fn one(work: &mut PgConnection, id: PlayerId) -> Result<Player, Unmet> {
    Ok(players::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("player"))?)
}
