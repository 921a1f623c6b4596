//! A song enters the catalogue: with what was found in its file, and what its manager says of it.

use pgvector::Vector;
use roomtone_schema::SongId;
use roomtone_schema::song::SongFacts;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Word;
use super::uploads::Claimed;

/// Where the file is.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its key in the store.
    pub key: String,
    /// As the database names it for everybody.
    pub url: String,
}

/// Enters a song. Where its catalogue has these very bytes already, that song stays as it is; where it was only told of
/// by a hub, its file is what was missing, and it is ready.
pub async fn enter(
    work: &mut PgConnection,
    id: SongId,
    claimed: &Claimed,
    facts: &SongFacts,
    place: &Place,
) -> Result<SongId, sqlx::Error> {
    let (own, upload) = (&claimed.own_values.0, &claimed.upload);
    // Silence has no direction, and a song without one has no model that made it.
    let embedding = own.embedding.or(facts.embedding);
    let added: Option<Uuid> = sqlx::query_scalar(
        "insert into public.songs (id, organisation_id, title, artist, album, isrc, label, explicit, file_url, object_key,
           content_sha256, content_bytes, content_type, bpm, duration, duration_ms, key, type, loudness_lufs,
           true_peak_dbtp, cue_in_ms, cue_out_ms, embedding, embedding_model_id, own_values, status, uploaded_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, greatest(round($15 / 1000.0)::int, 1), $15,
           $16, $17, $18, $19, $20, $21, $22, $23, $24, 'ready', $25)
         on conflict (organisation_id, content_sha256) where status <> 'withdrawn' do nothing returning id",
    )
    .bind(id.0)
    .bind(upload.organisation_id)
    .bind(own.title.as_ref().unwrap_or(&facts.title))
    .bind(own.artist.as_ref().or(facts.artist.as_ref()))
    .bind(own.album.as_ref().or(facts.album.as_ref()))
    .bind(own.isrc.as_ref().or(facts.isrc.as_ref()))
    .bind(own.label.as_ref().or(facts.label.as_ref()))
    .bind(Word(own.explicit.unwrap_or(facts.explicit)))
    .bind(&place.url)
    .bind(&place.key)
    .bind(&facts.sha256.0[..])
    .bind(facts.bytes.cast_signed())
    .bind(&facts.content_type)
    .bind(own.bpm.or(facts.bpm.map(|bpm| bpm.round() as i32).filter(|bpm| (1..=400).contains(bpm))))
    .bind(facts.duration_ms.cast_signed())
    .bind(own.key.as_ref().or(facts.key.as_ref()))
    .bind(own.kind.or(facts.kind).map(Word))
    .bind(facts.loudness_lufs)
    .bind(facts.true_peak_dbtp)
    .bind(facts.cue_in_ms.cast_signed())
    .bind(facts.cue_out_ms.cast_signed())
    .bind(embedding.map(|embedding| Vector::from(embedding.values().to_vec())))
    .bind(embedding.map(|_| facts.embedding_version.0.cast_signed()))
    .bind(own.columns())
    .bind(claimed.user_id)
    .fetch_optional(&mut *work)
    .await?;
    match added {
        Some(added) => return Ok(SongId(added)),
        None => complete(work, claimed, facts, place).await?,
    }
    sqlx::query_scalar(
        "select id from public.songs where organisation_id = $1 and content_sha256 = $2 and status <> 'withdrawn'",
    )
    .bind(upload.organisation_id)
    .bind(&facts.sha256.0[..])
    .fetch_one(work)
    .await
    .map(SongId)
}

/// Gives a song that a hub told of the file that it was missing, and what was measured in it. What the hub read of it,
/// and what a manager has said since, stays.
async fn complete(
    work: &mut PgConnection,
    claimed: &Claimed,
    facts: &SongFacts,
    place: &Place,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.songs set status = 'ready', stored = true, failure = null, object_key = $3, file_url = $4, content_bytes = $5,
           content_type = $6, duration_ms = $7::int, duration = greatest(round($7::int / 1000.0)::int, 1), loudness_lufs = $8,
           true_peak_dbtp = $9, cue_in_ms = $10, cue_out_ms = $11,
           embedding = case when 'embedding' = any (own_values) then embedding else $12 end,
           embedding_model_id = case when 'embedding' = any (own_values) then embedding_model_id else $13 end
         where organisation_id = $1 and content_sha256 = $2 and status in ('draft', 'analysing', 'failed')",
    )
    .bind(claimed.upload.organisation_id)
    .bind(&facts.sha256.0[..])
    .bind(&place.key)
    .bind(&place.url)
    .bind(facts.bytes.cast_signed())
    .bind(&facts.content_type)
    .bind(facts.duration_ms.cast_signed())
    .bind(facts.loudness_lufs)
    .bind(facts.true_peak_dbtp)
    .bind(facts.cue_in_ms.cast_signed())
    .bind(facts.cue_out_ms.cast_signed())
    .bind(facts.embedding.map(|embedding| Vector::from(embedding.values().to_vec())))
    .bind(facts.embedding.map(|_| facts.embedding_version.0.cast_signed()))
    .execute(work)
    .await
    .map(drop)
}

/// Has those of the upload's venues play it that are still its organisation's; says which.
pub async fn assign(
    work: &mut PgConnection,
    song: SongId,
    claimed: &Claimed,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "insert into public.venue_songs (venue_id, song_id)
         select v.id, $1 from public.venues v where v.id = any ($2) and v.organisation_id = $3
         on conflict (venue_id, song_id) do update set enabled = true, removed_at = null
         returning venue_id",
    )
    .bind(song.0)
    .bind(&claimed.venue_ids)
    .bind(claimed.upload.organisation_id)
    .fetch_all(work)
    .await
}

/// Leaves a line in the log, in the name of whoever announced the file.
pub async fn log(work: &mut PgConnection, song: SongId, claimed: &Claimed) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.audit_log (organisation_id, actor_id, action, target, detail)
         values ($1, $2, 'song.added', $3, jsonb_build_object('file', $4::text))",
    )
    .bind(claimed.upload.organisation_id)
    .bind(claimed.user_id)
    .bind(format!("Song:{song}"))
    .bind(&claimed.upload.filename)
    .execute(work)
    .await
    .map(drop)
}
