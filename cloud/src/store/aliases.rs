//! By which names hubs call what the cloud knows, and people with an account.

use std::collections::HashMap;

use roomtone_schema::{HubId, SessionId, SongId, UnixMillis, VenueId};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::facts::{column, time};
use super::uuids;

/// Takes songs that a hub has made into its catalogue: `Song`s as JSON, in a list.
pub async fn add_songs(conn: &mut PgConnection, songs: &serde_json::Value) -> Result<(), sqlx::Error> {
    sqlx::query("select private.hub_adds_songs($1)").bind(songs).execute(conn).await.map(drop)
}

/// Takes songs off the shelf of the hub's own venue.
pub async fn withdraw_songs(conn: &mut PgConnection, songs: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query("select private.hub_withdraws_songs($1)").bind(songs).execute(conn).await.map(drop)
}

/// What the catalogue calls these songs, where it calls them otherwise.
pub async fn songs(conn: &mut PgConnection, ids: &[SongId]) -> Result<HashMap<SongId, SongId>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select hub_song, song_id from private.song_aliases where hub_song = any ($1)")
            .bind(uuids(ids))
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(theirs, ours)| (SongId(theirs), SongId(ours))).collect())
}

/// The venue's zones by the hub's names for them.
pub async fn zones(conn: &mut PgConnection, hub: HubId) -> Result<HashMap<Uuid, Uuid>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select hub_zone, zone_id from private.zone_aliases where hub_id = $1")
            .bind(hub.0)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().collect())
}

/// Of some listeners those with an account, and whether they have ever signed in at the hub's venue.
pub async fn people(conn: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<Uuid, bool>, sqlx::Error> {
    let rows =
        sqlx::query("select id, was_here from private.hub_people($1)").bind(ids).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Somebody with an account who has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// In which presence.
    pub session: SessionId,
    /// Who.
    pub profile: Uuid,
    /// When.
    pub at: UnixMillis,
}

/// Notes who was there.
pub async fn note_people(
    conn: &mut PgConnection,
    venue: VenueId,
    sign_ins: &[SignIn],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.venue_people as p (venue_id, user_id, last_seen_at)
         select $1, id, max(at) from unnest($2::uuid[], $3::timestamptz[]) n (id, at) group by id order by id
         on conflict (user_id, venue_id) do update
           set last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at),
               is_here = p.is_here or excluded.last_seen_at > now() - interval '30 days'",
    )
    .bind(venue.0)
    .bind(column(sign_ins, |of| of.profile))
    .bind(column(sign_ins, |of| time(of.at)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes whose presences those are from then on.
pub async fn note_whose(
    conn: &mut PgConnection,
    venue: VenueId,
    sign_ins: &[SignIn],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.sessions s set user_id = n.profile, guest_id = null
         from unnest($2::uuid[], $3::uuid[]) n (session, profile)
         where s.venue_id = $1 and s.id = n.session and s.user_id is distinct from n.profile",
    )
    .bind(venue.0)
    .bind(column(sign_ins, |of| of.session.0))
    .bind(column(sign_ins, |of| of.profile))
    .execute(conn)
    .await?;
    Ok(())
}
