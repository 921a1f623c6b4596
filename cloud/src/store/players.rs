//! Players.

use chrono::{DateTime, Utc};
use roomtone_schema::play::Tier;
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::{HubId, PlayerId, SongId, VenueId, ZoneId};
use sqlx::{PgConnection, QueryBuilder};

use super::{Key, Word, uuids};

/// A box with a loudspeaker, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Player {
    /// Made at its hub.
    pub id: Key<PlayerId>,
    /// Where it plays.
    pub venue_id: Key<VenueId>,
    /// In which part of it.
    pub zone_id: Option<Key<ZoneId>>,
    /// Whom it asks for music.
    pub hub_id: Option<Key<HubId>>,
    /// What people call it.
    pub name: String,
    /// What it plays.
    pub current_song_id: Option<Key<SongId>>,
    /// What it did when it was last heard of.
    pub status: Word<PlayerStatus>,
    /// Where its music came from.
    pub tier: Option<Word<Tier>>,
    /// For how long it was silent when it should not have been.
    pub silence_seconds: i32,
    /// How loud it is, as its hub has told or a manager has ordered since.
    pub volume_percent: Option<i16>,
    /// When it was last heard of.
    pub last_poll_at: Option<DateTime<Utc>>,
    /// When it was told to go.
    pub revoked_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "select p.id, p.venue_id, p.zone_id, p.hub_id, p.name, p.current_song_id, p.status, p.tier, \
    p.silence_seconds, p.volume_percent, p.last_poll_at, p.revoked_at from public.players p where ";

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[PlayerId]) -> Result<Vec<Player>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("p.id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// The players of some venues, by name; revoked ones come last. At most `most` of each venue.
pub async fn of_venues(
    work: &mut PgConnection,
    venues: &[VenueId],
    most: i64,
) -> Result<Vec<Player>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("p.id in (select x.id from unnest(").push_bind(uuids(venues));
    query.push(
        "::uuid[]) as wanted (venue_id) cross join lateral (select o.id from public.players o
         where o.venue_id = wanted.venue_id order by o.revoked_at is not null, o.name, o.id limit ",
    );
    query.push_bind(most).push(") x) order by p.revoked_at is not null, p.name, p.id");
    query.build_query_as().fetch_all(work).await
}

/// Gives it another name or zone.
pub async fn change(
    work: &mut PgConnection,
    player: PlayerId,
    name: Option<&str>,
    zone: Option<ZoneId>,
) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> = sqlx::query_scalar("select private.edit_player($1, $2, $3)")
        .bind(player.0)
        .bind(name)
        .bind(zone.map(|id| id.0))
        .fetch_one(work)
        .await?;
    Ok(venue.0)
}

/// Makes it so loud, in percent.
pub async fn turn(work: &mut PgConnection, player: PlayerId, percent: i16) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> = sqlx::query_scalar("select private.turn_player($1, $2)")
        .bind(player.0)
        .bind(percent)
        .fetch_one(work)
        .await?;
    Ok(venue.0)
}

/// Tells it to go.
pub async fn revoke(work: &mut PgConnection, player: PlayerId) -> Result<VenueId, sqlx::Error> {
    let venue: Key<VenueId> =
        sqlx::query_scalar("select private.revoke_player($1)").bind(player.0).fetch_one(work).await?;
    Ok(venue.0)
}
