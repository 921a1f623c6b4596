//! Files on their way into the catalogue.

use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::song::Sha256;
use roomtone_schema::{OrganisationId, SongId, UploadId, UserId, VenueId};
use sqlx::postgres::types::PgInterval;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, Word, uuids};
use crate::refusal::Code;
use crate::uploads::{NewUpload, OwnValues, UploadState};

/// An upload, as people may see it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Upload {
    /// Made when the file was announced.
    pub id: Key<UploadId>,
    /// Whose catalogue it is for.
    pub organisation_id: Key<OrganisationId>,
    /// The file's name where it came from, made harmless.
    pub filename: String,
    /// Where the bytes arrive.
    pub object_key: String,
    /// What they must sum up to.
    content_sha256: Vec<u8>,
    content_bytes: i64,
    /// What kind of file was announced.
    pub content_type: String,
    /// The store's name for it, where it goes in parts.
    pub multipart_id: Option<String>,
    part_bytes: Option<i64>,
    /// How far it is.
    pub state: Word<UploadState>,
    /// Why it was refused, for programs.
    pub refusal_code: Option<Word<Code>>,
    /// Why it was refused, for people.
    pub refusal: Option<String>,
    /// What it became.
    pub song_id: Option<Key<SongId>>,
    /// Until when bytes are waited for.
    pub expires_at: DateTime<Utc>,
    /// When it was announced.
    pub created_at: DateTime<Utc>,
}

impl Upload {
    /// What the bytes must sum up to.
    pub fn sha256(&self) -> Sha256 {
        // The column's check holds it to 32 bytes.
        Sha256(self.content_sha256.as_slice().try_into().unwrap_or_default())
    }

    /// How many bytes were announced.
    pub fn bytes(&self) -> u64 {
        self.content_bytes.cast_unsigned()
    }

    /// How long each part but the last is, where it goes in parts.
    pub fn part_bytes(&self) -> Option<u64> {
        self.part_bytes.map(i64::cast_unsigned)
    }
}

/// An upload that one replica works on.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claimed {
    /// The upload.
    #[sqlx(flatten)]
    pub upload: Upload,
    /// Who announced it, where they still have an account.
    pub user_id: Option<Key<UserId>>,
    /// What the manager says of the song.
    pub own_values: Json<OwnValues>,
    /// Where it is to be played.
    pub venue_ids: Vec<Uuid>,
    /// How often it was begun, with this time.
    pub attempts: i32,
}

/// What may lie around of an upload that has come to its end.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Remains {
    /// The upload.
    pub id: Key<UploadId>,
    /// Whose it was.
    pub organisation_id: Key<OrganisationId>,
    /// Where bytes may lie.
    pub object_key: String,
    /// Where parts may lie.
    pub multipart_id: Option<String>,
}

/// Which uploads are meant.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose.
    pub organisation: OrganisationId,
    /// How far they are; all where empty.
    pub states: Vec<UploadState>,
}

const COLUMNS: &str = "select id, organisation_id, filename, object_key, content_sha256, content_bytes, content_type, \
    multipart_id, part_bytes, state, refusal_code, refusal, song_id, expires_at, created_at from public.song_uploads where ";

fn interval(time: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: time.as_micros() as i64 }
}

/// The upload, where the caller may see it.
pub async fn find(work: &mut PgConnection, id: UploadId) -> Result<Option<Upload>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("id = ").push_bind(id.0);
    query.build_query_as().fetch_optional(work).await
}

fn restrict(query: &mut QueryBuilder<Postgres>, wanted: &Wanted) {
    let states: Vec<&str> = wanted.states.iter().map(|state| state.word()).collect();
    query.push("organisation_id = ").push_bind(wanted.organisation.0);
    if !states.is_empty() {
        query.push(" and state = any (").push_bind(states).push(")");
    }
}

/// A part of an organisation's uploads, the newest first.
pub async fn list(
    work: &mut PgConnection,
    wanted: &Wanted,
    slice: &Slice<Uuid>,
) -> Result<Vec<Upload>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    restrict(&mut query, wanted);
    for (place, sign) in [(slice.after, " and id < "), (slice.before, " and id > ")] {
        if let Some(place) = place {
            query.push(sign).push_bind(place);
        }
    }
    query.push(if slice.backwards { " order by id limit " } else { " order by id desc limit " });
    query.push_bind(slice.limit);
    query.build_query_as().fetch_all(work).await
}

/// How many there are.
pub async fn count(work: &mut PgConnection, wanted: &Wanted) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select count(*) from public.song_uploads where ");
    restrict(&mut query, wanted);
    query.build_query_scalar().fetch_one(work).await
}

/// The song of these very bytes in a catalogue.
pub async fn song_of(
    work: &mut PgConnection,
    organisation: OrganisationId,
    sha256: Sha256,
) -> Result<Option<SongId>, sqlx::Error> {
    let found = sqlx::query_scalar(
        "select id from public.songs where organisation_id = $1 and content_sha256 = $2 and status <> 'withdrawn'",
    )
    .bind(organisation.0)
    .bind(&sha256.0[..])
    .fetch_optional(work)
    .await?;
    Ok(found.map(SongId))
}

/// Whose catalogue a venue plays from, where the caller may see the venue.
pub async fn organisation_of(
    work: &mut PgConnection,
    venue: VenueId,
) -> Result<Option<OrganisationId>, sqlx::Error> {
    let found = sqlx::query_scalar("select organisation_id from public.venues where id = $1")
        .bind(venue.0)
        .fetch_optional(work)
        .await?;
    Ok(found.map(OrganisationId))
}

/// Whether the caller may send files to an organisation's catalogue.
pub async fn may_send(work: &mut PgConnection, organisation: OrganisationId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select $1 = any (array(select private.my_organisations('staff')))")
        .bind(organisation.0)
        .fetch_one(work)
        .await
}

/// Whether the caller may see an organisation's catalogue.
pub async fn may_look(work: &mut PgConnection, organisation: OrganisationId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select $1 = any (array(select private.my_organisations('viewer')))")
        .bind(organisation.0)
        .fetch_one(work)
        .await
}

/// Announces a file.
pub async fn begin(
    work: &mut PgConnection,
    id: UploadId,
    organisation: OrganisationId,
    new: &NewUpload,
    open_for: Duration,
    most_open: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.begin_song_upload($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(id.0)
        .bind(organisation.0)
        .bind(&new.filename)
        .bind(&new.sha256.0[..])
        .bind(new.bytes.cast_signed())
        .bind(&new.content_type)
        .bind(interval(open_for))
        .bind(most_open)
        .execute(work)
        .await
        .map(drop)
}

/// Notes that it goes in parts; `false` where that was noted before.
pub async fn divide(
    work: &mut PgConnection,
    id: UploadId,
    multipart: &str,
    part_bytes: u64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.divide_song_upload($1, $2, $3)")
        .bind(id.0)
        .bind(multipart)
        .bind(part_bytes.cast_signed())
        .fetch_one(work)
        .await
}

/// Has it looked at.
pub async fn finalise(
    work: &mut PgConnection,
    id: UploadId,
    own: &OwnValues,
    venues: &[VenueId],
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.finalise_song_upload($1, $2, $3)")
        .bind(id.0)
        .bind(Json(own))
        .bind(uuids(venues))
        .execute(work)
        .await
        .map(drop)
}

/// Gives it up.
pub async fn cancel(work: &mut PgConnection, id: UploadId) -> Result<(), sqlx::Error> {
    sqlx::query("select private.cancel_song_upload($1)").bind(id.0).execute(work).await.map(drop)
}

/// Takes up to `most` files to look at that nobody looks at, for as long as `lease`; the same one never goes to two.
pub async fn claim(
    work: &mut PgConnection,
    replica: Uuid,
    lease: Duration,
    most: i64,
) -> Result<Vec<Claimed>, sqlx::Error> {
    sqlx::query_as(
        "update public.song_uploads
         set state = 'analysing', attempts = attempts + 1, claimed_by = $1, claimed_until = clock_timestamp() + $2
         where id in (select id from public.song_uploads
                      where state in ('queued', 'analysing')
                        and (claimed_until is null or claimed_until < clock_timestamp())
                      order by id limit $3 for update skip locked)
         returning id, organisation_id, filename, object_key, content_sha256, content_bytes, content_type, multipart_id,
           part_bytes, state, refusal_code, refusal, song_id, expires_at, created_at, user_id, own_values, venue_ids,
           attempts",
    )
    .bind(replica)
    .bind(interval(lease))
    .bind(most)
    .fetch_all(work)
    .await
}

/// Goes on with one; `false` where somebody else has it by now.
pub async fn renew(
    work: &mut PgConnection,
    id: UploadId,
    replica: Uuid,
    lease: Duration,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.song_uploads set claimed_until = clock_timestamp() + $3
         where id = $1 and claimed_by = $2 and state = 'analysing'",
    )
    .bind(id.0)
    .bind(replica)
    .bind(interval(lease))
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts it back, to be tried again after `pause`: the fault was not the file's.
pub async fn put_back(
    work: &mut PgConnection,
    id: UploadId,
    replica: Uuid,
    pause: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.song_uploads set state = 'queued', attempts = attempts - 1, claimed_by = null,
           claimed_until = clock_timestamp() + $3
         where id = $1 and claimed_by = $2 and state = 'analysing'",
    )
    .bind(id.0)
    .bind(replica)
    .bind(interval(pause))
    .execute(work)
    .await
    .map(drop)
}

/// Puts back whatever a replica works on, for others to take at once; says what, and whose that was.
pub async fn put_all_back(
    work: &mut PgConnection,
    replica: Uuid,
) -> Result<Vec<(Key<UploadId>, Key<OrganisationId>)>, sqlx::Error> {
    sqlx::query_as(
        "update public.song_uploads set state = 'queued', attempts = attempts - 1, claimed_by = null,
           claimed_until = null
         where claimed_by = $1 and state = 'analysing' returning id, organisation_id",
    )
    .bind(replica)
    .fetch_all(work)
    .await
}

/// Whether a song has its file under this key, or an upload of these very bytes may come to have it there.
pub async fn is_kept(
    work: &mut PgConnection,
    organisation: OrganisationId,
    sha256: Sha256,
    key: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from public.songs where organisation_id = $1 and object_key = $3)
           or exists (select from public.song_uploads
                      where organisation_id = $1 and content_sha256 = $2 and state in ('queued', 'analysing'))",
    )
    .bind(organisation.0)
    .bind(&sha256.0[..])
    .bind(key)
    .fetch_one(work)
    .await
}

/// Refuses it; `false` where somebody else has it by now.
pub async fn refuse(
    work: &mut PgConnection,
    id: UploadId,
    replica: Uuid,
    code: Code,
    why: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.song_uploads set state = 'refused', refusal_code = $3, refusal = $4, claimed_by = null,
           claimed_until = null, sweep_after = clock_timestamp()
         where id = $1 and claimed_by = $2 and state = 'analysing'",
    )
    .bind(id.0)
    .bind(replica)
    .bind(Word(code))
    .bind(why)
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says what it became; `false` where somebody else has it by now.
pub async fn done(
    work: &mut PgConnection,
    id: UploadId,
    replica: Uuid,
    song: SongId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.song_uploads set state = 'done', song_id = $3, claimed_by = null, claimed_until = null,
           sweep_after = clock_timestamp()
         where id = $1 and claimed_by = $2 and state = 'analysing'",
    )
    .bind(id.0)
    .bind(replica)
    .bind(song.0)
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes some whose remains are due to be removed, for as long as `lease`; what was waited for too long expires.
pub async fn to_sweep(
    work: &mut PgConnection,
    lease: Duration,
    most: i64,
) -> Result<Vec<Remains>, sqlx::Error> {
    sqlx::query_as(
        "update public.song_uploads
         set state = case when state = 'waiting' then 'expired' else state end, sweep_after = clock_timestamp() + $1
         where id in (select id from public.song_uploads
                      where sweep_after <= clock_timestamp() and state not in ('queued', 'analysing')
                      order by sweep_after limit $2 for update skip locked)
         returning id, organisation_id, object_key, multipart_id",
    )
    .bind(interval(lease))
    .bind(most)
    .fetch_all(work)
    .await
}

/// Notes that nothing lies there now. While an address may still be good, it is looked at once more after `late`.
pub async fn swept(work: &mut PgConnection, id: UploadId, late: Duration) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.song_uploads
         set sweep_after = case when clock_timestamp() < expires_at + $2 then expires_at + $2 end
         where id = $1 and state not in ('waiting', 'queued', 'analysing')",
    )
    .bind(id.0)
    .bind(interval(late))
    .execute(work)
    .await
    .map(drop)
}
