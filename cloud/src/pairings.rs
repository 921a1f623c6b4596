//! Letting a player in from here: a code for a manager, which one hub fetches and nobody else.
//!
//! The code is as the hub's own would be, and what is shown for it is, too: whoever types it at a player proves to the hub
//! to know it (SPAKE2), five times at most. What is absent: the window, the tries and the player's secret; those are the
//! hub's.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::{HubId, IdempotencyKey, PairingId, UserId, VenueId, ZoneId};
use roomtone_sync::trouble::is_odd;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::{Code, Refusal, Unmet, text};
use crate::store::pairings::{self, NewPairing};
use crate::venues::mint;

pub use crate::store::pairings::Pairing;

/// For how long a code is good: as long as the hub's own.
pub const CODE_LASTS: Duration = Duration::from_mins(5);

/// Pairings that may be begun in a venue within an hour: more than anybody has players to pair, and so few that five tries
/// at each find nothing.
pub const MOST_AN_HOUR: i32 = 60;

/// The longest name of a player, as its hub takes it.
const LONGEST_NAME: usize = 60;

/// How far a pairing is, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// Its hub has not fetched the code.
    Waiting,
    /// The hub's window is open.
    Ready,
    /// Somebody came in.
    Paired,
    /// Every try was used up.
    UsedUp,
    /// The hub has no such zone.
    NoZone,
    /// It was ended before anybody came, or another one was begun.
    Closed,
    /// Nobody came in time.
    Expired,
}

impl Pairing {
    /// How far it is at a time.
    pub fn state_at(&self, now: DateTime<Utc>) -> Stored {
        let is_open = matches!(self.state.0, Stored::Waiting | Stored::Ready);
        if is_open && self.expires_at <= now { Stored::Expired } else { self.state.0 }
    }
}

/// Eight digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode(String);

impl PairingCode {
    /// A code that nobody has seen.
    ///
    /// # Errors
    /// Where the machine has no random bits.
    pub fn fresh() -> Result<Self, Unmet> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bits: {error}"))?;
        Ok(Self(format!("{:08}", u64::from_le_bytes(random) % 100_000_000)))
    }

    /// As the hub is told it.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// As people read it: in two halves.
impl fmt::Display for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(4);
        write!(f, "{first} {second}")
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairingCode(..)")
    }
}

/// What a manager wishes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// At which hub; the only one of the venue where none is said.
    pub hub: Option<HubId>,
    /// At the only hub of which venue.
    pub venue: Option<VenueId>,
    /// What the player is to be called.
    pub name: Option<&'a str>,
    /// Where it is to play.
    pub zone: Option<ZoneId>,
}

/// A pairing that has begun, and its code, which is shown this once.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The pairing.
    pub pairing: Pairing,
    /// What to type at the player.
    pub code: PairingCode,
}

/// Begins a pairing. Asked for again with the same key, it is the same one with a fresh code, and the code before is void.
///
/// # Errors
/// Refused where the caller may not, there is no hub that could let anybody in, or too many were begun lately.
pub async fn begin(cloud: &Cloud, user: UserId, key: IdempotencyKey, wish: Wish<'_>) -> Result<Begun, Unmet> {
    if wish.hub.is_some() == wish.venue.is_some() {
        return Err(Refusal::new(Code::Invalid, "say either the hub or the venue").at("hubId").into());
    }
    let name = wish.name.map(|name| text("name", name, LONGEST_NAME)).transpose()?;
    if name.as_ref().is_some_and(|name| name.chars().any(is_odd)) {
        return Err(
            Refusal::invalid("name", "this holds a character that cannot be seen; write it anew").into()
        );
    }
    let intent = Intent::new(user, key, "createPlayerPairing", &(wish.hub, wish.venue, &name, wish.zone));
    let code = PairingCode::fresh()?;
    let mut work = cloud.database.as_user(user).await?;
    let id = if let Some(before) = intent.answered(&mut work).await? {
        pairings::renew(&mut work, before, &code, CODE_LASTS).await?;
        before
    } else {
        let id: PairingId = mint(cloud)?;
        let new = NewPairing { id, hub: wish.hub, venue: wish.venue, name: name.as_deref(), zone: wish.zone };
        pairings::open(&mut work, &new, &code, CODE_LASTS, MOST_AN_HOUR).await?;
        intent.answer(&mut work, &id).await?;
        id
    };
    let pairing = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*pairing.venue_id));
    Ok(Begun { pairing, code })
}

/// Ends a pairing: its code opens nothing from now on, as soon as the hub hears of it. One that is over stays as it is.
///
/// # Errors
/// Refused where the caller may not.
pub async fn cancel(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: PairingId,
) -> Result<Pairing, Unmet> {
    let intent = Intent::new(user, key, "cancelPlayerPairing", &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<PairingId>(&mut work).await?.is_none() {
        pairings::close(&mut work, id).await?;
        intent.answer(&mut work, &id).await?;
    }
    let pairing = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(*pairing.venue_id));
    Ok(pairing)
}

/// One that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, id: PairingId) -> Result<Option<Pairing>, Unmet> {
    Ok(pairings::find(&mut *cloud.database.as_user(user).await?, &[id]).await?.pop())
}

async fn one(work: &mut PgConnection, id: PairingId) -> Result<Pairing, Unmet> {
    Ok(pairings::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("pairing"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_eight_digits_in_halves_and_does_not_show_in_logs() {
        let code = PairingCode("00424711".to_owned());
        assert_eq!((code.to_string().as_str(), code.digits()), ("0042 4711", "00424711"));
        assert_eq!(format!("{code:?}"), "PairingCode(..)");
        let fresh = PairingCode::fresh().unwrap();
        assert!(fresh.digits().len() == 8 && fresh.digits().bytes().all(|digit| digit.is_ascii_digit()));
        assert_ne!(fresh, PairingCode::fresh().unwrap());
    }
}
