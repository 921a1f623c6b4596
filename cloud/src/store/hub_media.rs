//! Files of songs, as hubs fetch and bring them.

use std::time::Duration;

use roomtone_schema::{HubId, OrganisationId, SongId, UploadId};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use super::{Key, Word, uuids};
use crate::uploads::UploadState;

/// A file that was verified.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Verified {
    /// Whose.
    pub id: Key<SongId>,
    /// Where it is.
    pub object_key: String,
    /// The sum of its bytes.
    pub content_sha256: Vec<u8>,
    /// How long it is.
    pub content_bytes: i64,
}

/// Files of those songs of the hub's catalogue that may be played.
pub async fn verified(work: &mut PgConnection, songs: &[SongId]) -> Result<Vec<Verified>, sqlx::Error> {
    sqlx::query_as(
        "select id, object_key, content_sha256, content_bytes from public.songs
         where id = any ($1) and status = 'ready'",
    )
    .bind(uuids(songs))
    .fetch_all(work)
    .await
}

/// A song of those very bytes.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Known {
    /// What it is called.
    pub title: String,
    /// Whether its file was verified.
    pub is_ready: bool,
}

/// The song of a catalogue that has these very bytes.
pub async fn known(
    work: &mut PgConnection,
    organisation: OrganisationId,
    sha256: &[u8],
) -> Result<Option<Known>, sqlx::Error> {
    sqlx::query_as(
        "select title, status = 'ready' as is_ready from public.songs
         where organisation_id = $1 and content_sha256 = $2 and status <> 'withdrawn'",
    )
    .bind(organisation.0)
    .bind(sha256)
    .fetch_optional(work)
    .await
}

/// The newest upload of a hub.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Brought {
    /// Which.
    pub id: Key<UploadId>,
    /// Where its bytes arrive.
    pub object_key: String,
    /// How long it is.
    pub content_bytes: i64,
    /// What it is.
    pub content_type: String,
    /// How far it is.
    pub state: Word<UploadState>,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// Refused ones of the last day.
    pub refused: i64,
}

/// The newest upload of these bytes by a hub.
pub async fn brought(
    work: &mut PgConnection,
    hub: HubId,
    sha256: &[u8],
) -> Result<Option<Brought>, sqlx::Error> {
    sqlx::query_as(
        "select u.id, u.object_key, u.content_bytes, u.content_type, u.state, u.refusal,
           (select count(*) from public.song_uploads r where r.hub_id = $1 and r.content_sha256 = $2
             and r.state = 'refused' and r.created_at > now() - interval '1 day') as refused
         from public.song_uploads u where u.hub_id = $1 and u.content_sha256 = $2 order by u.id desc limit 1",
    )
    .bind(hub.0)
    .bind(sha256)
    .fetch_optional(work)
    .await
}

/// A file that a hub is about to bring.
#[derive(Debug, Clone)]
pub struct NewFile<'a> {
    /// The upload's id.
    pub id: UploadId,
    /// Whose catalogue it is for.
    pub organisation: OrganisationId,
    /// Who brings it.
    pub hub: HubId,
    /// What it is called.
    pub filename: &'a str,
    /// The sum of its bytes.
    pub sha256: &'a [u8],
    /// How long it is.
    pub bytes: u64,
    /// What it is.
    pub content_type: &'a str,
}

/// Announces it.
pub async fn begin(
    work: &mut PgConnection,
    file: &NewFile<'_>,
    open_for: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.song_uploads (id, organisation_id, hub_id, filename, object_key, content_sha256,
           content_bytes, content_type, expires_at, sweep_after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9, now() + $9)",
    )
    .bind(file.id.0)
    .bind(file.organisation.0)
    .bind(file.hub.0)
    .bind(file.filename)
    .bind(format!("staging/{}", file.id))
    .bind(file.sha256)
    .bind(file.bytes.cast_signed())
    .bind(file.content_type)
    .bind(interval(open_for))
    .execute(work)
    .await
    .map(drop)
}

/// Waits for it for longer.
pub async fn prolong(work: &mut PgConnection, id: UploadId, open_for: Duration) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.song_uploads set expires_at = now() + $2, sweep_after = now() + $2
         where id = $1 and state = 'waiting'",
    )
    .bind(id.0)
    .bind(interval(open_for))
    .execute(work)
    .await
    .map(drop)
}

/// All bytes are there: it is to be looked at.
pub async fn arrived(work: &mut PgConnection, id: UploadId) -> Result<(), sqlx::Error> {
    sqlx::query("update public.song_uploads set state = 'queued' where id = $1 and state = 'waiting'")
        .bind(id.0)
        .execute(work)
        .await
        .map(drop)
}

fn interval(time: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: time.as_micros() as i64 }
}
