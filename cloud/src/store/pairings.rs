//! Players that are being let in. No code is ever read by anybody but the hub that it is for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::{HubId, PairingId, PlayerId, VenueId, ZoneId};
use sqlx::PgConnection;

use super::{Key, Word, uuids};
use crate::pairings::{PairingCode, Stored};

/// A pairing, as a manager may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Pairing {
    /// Its id.
    pub id: Key<PairingId>,
    /// Where.
    pub venue_id: Key<VenueId>,
    /// At which hub.
    pub hub_id: Key<HubId>,
    /// In which zone the player is to play.
    pub zone_id: Option<Key<ZoneId>>,
    /// What it is to be called.
    pub name: Option<String>,
    /// How far it is.
    pub state: Word<Stored>,
    /// Who came in.
    pub player_id: Option<Key<PlayerId>>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// A pairing to come.
#[derive(Debug, Clone, Copy)]
pub struct NewPairing<'a> {
    /// Its id.
    pub id: PairingId,
    /// At which hub; the only one of the venue where none is said.
    pub hub: Option<HubId>,
    /// At the only hub of which venue.
    pub venue: Option<VenueId>,
    /// What the player is to be called.
    pub name: Option<&'a str>,
    /// Where it is to play.
    pub zone: Option<ZoneId>,
}

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[PairingId]) -> Result<Vec<Pairing>, sqlx::Error> {
    sqlx::query_as(
        "select id, venue_id, hub_id, zone_id, name, state, player_id, expires_at
         from public.player_pairings where id = any ($1)",
    )
    .bind(uuids(ids))
    .fetch_all(work)
    .await
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

/// Begins one; where.
pub async fn open(
    work: &mut PgConnection,
    pairing: &NewPairing<'_>,
    code: &PairingCode,
    lasts: Duration,
    most_an_hour: i32,
) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> =
        sqlx::query_scalar("select private.open_pairing($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(pairing.id.0)
            .bind(pairing.hub.map(|id| id.0))
            .bind(pairing.venue.map(|id| id.0))
            .bind(pairing.name)
            .bind(pairing.zone.map(|id| id.0))
            .bind(code.digits())
            .bind(seconds(lasts))
            .bind(most_an_hour)
            .fetch_one(work)
            .await?;
    Ok(venue.0)
}

/// Gives one another code.
pub async fn renew(
    work: &mut PgConnection,
    pairing: PairingId,
    code: &PairingCode,
    lasts: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.renew_pairing($1, $2, $3)")
        .bind(pairing.0)
        .bind(code.digits())
        .bind(seconds(lasts))
        .execute(work)
        .await
        .map(drop)
}

/// Ends one.
pub async fn close(work: &mut PgConnection, pairing: PairingId) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> =
        sqlx::query_scalar("select private.close_pairing($1)").bind(pairing.0).fetch_one(work).await?;
    Ok(venue.0)
}

/// The code of one, and for how many milliseconds it is good, for the hub that it is for.
pub async fn code(work: &mut PgConnection, pairing: PairingId) -> Result<Option<(String, i64)>, sqlx::Error> {
    let (digits, left): (Option<String>, Option<i64>) =
        sqlx::query_as("select digits, left_ms from private.hub_pairing($1)")
            .bind(pairing.0)
            .fetch_one(work)
            .await?;
    Ok(digits.zip(left))
}

/// What the hub tells of one; whether that is news.
pub async fn tell(
    work: &mut PgConnection,
    pairing: PairingId,
    state: Stored,
    player: Option<PlayerId>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.hub_tells_pairing($1, $2, $3)")
        .bind(pairing.0)
        .bind(Word(state))
        .bind(player.map(|id| id.0))
        .fetch_one(work)
        .await
}

/// Forgets what is over.
pub async fn sweep(work: &mut PgConnection, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select private.sweep_pairings($1)").bind(now).fetch_one(work).await
}
