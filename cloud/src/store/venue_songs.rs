//! What venues play.

use roomtone_schema::{SongId, VenueId};
use sqlx::PgConnection;

use super::{Key, uuids};
use crate::store::venues::Venue;

/// The venues that play some songs, as pairs; archived ones are left out.
pub async fn of_songs(
    work: &mut PgConnection,
    songs: &[SongId],
) -> Result<Vec<(Key<SongId>, Key<VenueId>)>, sqlx::Error> {
    sqlx::query_as(
        "select a.song_id, a.venue_id from public.venue_songs a join public.venues v on v.id = a.venue_id
         where a.song_id = any ($1) and a.enabled and a.removed_at is null and v.archived_at is null
         order by lower(v.name), v.id",
    )
    .bind(uuids(songs))
    .fetch_all(work)
    .await
}

/// How many of some songs are in a venue's own catalogue, and not withdrawn.
pub async fn count_own(work: &mut PgConnection, venue: &Venue, songs: &[SongId]) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from public.songs where id = any ($1) and organisation_id = $2 and status <> 'withdrawn'",
    )
    .bind(uuids(songs))
    .bind(venue.organisation_id)
    .fetch_one(work)
    .await
}

/// Has a venue play some songs; says how many it did not play before.
pub async fn assign(work: &mut PgConnection, venue: VenueId, songs: &[SongId]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "insert into public.venue_songs (venue_id, song_id) select $1, song from unnest($2::uuid[]) as wanted (song)
         on conflict (venue_id, song_id) do update set enabled = true, removed_at = null
         where not venue_songs.enabled or venue_songs.removed_at is not null",
    )
    .bind(venue.0)
    .bind(uuids(songs))
    .execute(work)
    .await?;
    Ok(done.rows_affected())
}

/// Has a venue play some songs no more; says how many it played before.
pub async fn unassign(work: &mut PgConnection, venue: VenueId, songs: &[SongId]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update public.venue_songs set removed_at = now()
         where venue_id = $1 and song_id = any ($2) and removed_at is null",
    )
    .bind(venue.0)
    .bind(uuids(songs))
    .execute(work)
    .await?;
    Ok(done.rows_affected())
}
