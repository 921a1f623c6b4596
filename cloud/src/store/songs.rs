//! Songs.

use chrono::{DateTime, Utc};
use pgvector::Vector;
use roomtone_schema::song::{Explicit, SongKind, SongStatus};
use roomtone_schema::{OrganisationId, SongId, VenueId};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, Word, pattern, uuids};
use crate::catalogue::{Direction, SongChanges, SongFilter, SongOrder, SongOrderField};

/// One piece of music, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Song {
    /// The same on every hub.
    pub id: Key<SongId>,
    /// Whose catalogue it is in.
    pub organisation_id: Key<OrganisationId>,
    /// The tag, the file's name, or what a manager called it.
    pub title: String,
    /// Who made it.
    pub artist: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// International Standard Recording Code.
    pub isrc: Option<String>,
    /// Who published it.
    pub label: Option<String>,
    /// Clean, explicit or unknown.
    pub explicit: Word<Explicit>,
    /// Where its file is stored.
    pub object_key: String,
    /// The file's digest.
    pub content_sha256: Vec<u8>,
    /// The file's size.
    pub content_bytes: i64,
    /// Container and codec.
    pub content_type: String,
    /// Beats per minute.
    pub bpm: Option<i32>,
    /// Exact length.
    pub duration_ms: Option<i32>,
    /// Musical key.
    pub key: Option<String>,
    /// Soundscape or instrumental.
    pub kind: Option<Word<SongKind>>,
    /// Integrated loudness.
    pub loudness_lufs: Option<f32>,
    /// True peak.
    pub true_peak_dbtp: Option<f32>,
    /// Where the sound begins.
    pub cue_in_ms: Option<i32>,
    /// Where it ends.
    pub cue_out_ms: Option<i32>,
    /// The five axes.
    pub embedding: Option<Vector>,
    /// What a manager has set: columns of this table.
    pub own_values: Vec<String>,
    /// Ready, withdrawn, ...
    pub status: Word<SongStatus>,
    /// Why it could not be analysed.
    pub failure: Option<String>,
    /// The newest play anywhere.
    pub last_played: Option<DateTime<Utc>>,
    /// When it joined the catalogue.
    pub created_at: DateTime<Utc>,
}

const COLUMNS: &str = "s.id, s.organisation_id, s.title, s.artist, s.album, s.isrc, s.label, s.explicit, s.object_key, \
    s.content_sha256, s.content_bytes, s.content_type, s.bpm, s.duration_ms, s.key, s.type as kind, s.loudness_lufs, \
    s.true_peak_dbtp, s.cue_in_ms, s.cue_out_ms, s.embedding, s.own_values, s.status, s.failure, s.last_played, s.created_at";

/// Where a song stands in a list: what it is ordered by, then its id.
pub type Place = (String, Uuid);

/// A song and its place in the list that was asked for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Placed {
    /// The song.
    #[sqlx(flatten)]
    pub song: Song,
    /// What it was ordered by.
    pub place: String,
}

/// What each order compares, as text.
fn ordered_by(field: SongOrderField) -> &'static str {
    match field {
        SongOrderField::Artist => "lower(coalesce(s.artist, '') || ' ' || s.title)",
        SongOrderField::CreatedAt => "to_char(s.created_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS')",
        SongOrderField::Title => "lower(s.title)",
    }
}

fn restrict(query: &mut QueryBuilder<Postgres>, filter: &SongFilter) {
    query.push(" where true");
    if let Some(organisation) = filter.organisation {
        query.push(" and s.organisation_id = ").push_bind(organisation.0);
    }
    if let Some(venue) = filter.venue {
        query.push(" and exists (select from public.venue_songs a where a.song_id = s.id and a.venue_id = ");
        query.push_bind(venue.0).push(" and a.enabled and a.removed_at is null)");
    }
    match filter.status {
        Some(status) => query.push(" and s.status = ").push_bind(Word(status)),
        None => query.push(" and s.status <> 'withdrawn'"),
    };
    if let Some(kind) = filter.kind {
        query.push(" and s.type = ").push_bind(Word(kind));
    }
    if let Some(explicit) = filter.explicit {
        query.push(" and s.explicit = ").push_bind(Word(explicit));
    }
    if let Some(search) = filter.search.as_deref() {
        query.push(" and concat_ws(' ', s.title, s.artist, s.album, s.label, s.isrc) ilike ");
        query.push_bind(pattern(search));
    }
}

/// A part of the songs that the caller may see.
pub async fn list(
    work: &mut PgConnection,
    filter: &SongFilter,
    order: SongOrder,
    slice: &Slice<Place>,
) -> Result<Vec<Placed>, sqlx::Error> {
    let by = ordered_by(order.field);
    let mut query = QueryBuilder::new("select ");
    query.push(COLUMNS).push(", ").push(by).push(" as place from public.songs s");
    restrict(&mut query, filter);
    let descends = order.direction == Direction::Desc;
    for (place, forward) in [(&slice.after, true), (&slice.before, false)] {
        if let Some((text, id)) = place {
            query.push(" and (").push(by).push(if forward == descends {
                ", s.id) < ("
            } else {
                ", s.id) > ("
            });
            query.push_bind(text).push(", ").push_bind(id).push(")");
        }
    }
    let way = if descends == slice.backwards { " asc" } else { " desc" };
    query
        .push(" order by ")
        .push(by)
        .push(way)
        .push(", s.id")
        .push(way)
        .push(" limit ")
        .push_bind(slice.limit);
    query.build_query_as().fetch_all(work).await
}

/// How many there are.
pub async fn count(work: &mut PgConnection, filter: &SongFilter) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select count(*) from public.songs s");
    restrict(&mut query, filter);
    query.build_query_scalar().fetch_one(work).await
}

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[SongId]) -> Result<Vec<Song>, sqlx::Error> {
    let mut query = QueryBuilder::new("select ");
    query.push(COLUMNS).push(" from public.songs s where s.id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// How many songs some venues play.
pub async fn count_of_venues(
    work: &mut PgConnection,
    venues: &[VenueId],
) -> Result<Vec<(Key<VenueId>, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select a.venue_id, count(*) from public.venue_songs a join public.songs s on s.id = a.song_id
         where a.venue_id = any ($1) and a.enabled and a.removed_at is null and s.status <> 'withdrawn'
         group by a.venue_id",
    )
    .bind(uuids(venues))
    .fetch_all(work)
    .await
}

/// Writes a manager's own values, and keeps in mind that they are; says whether there was such a song to change.
pub async fn change(work: &mut PgConnection, to: &SongChanges) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.songs set title = coalesce($2, title), artist = coalesce($3, artist),
           album = coalesce($4, album), isrc = coalesce($5, isrc), label = coalesce($6, label),
           explicit = coalesce($7, explicit), bpm = coalesce($8, bpm), key = coalesce($9, key),
           type = coalesce($10, type), embedding = coalesce($11::real[]::extensions.vector, embedding),
           embedding_model_id = case when $11 is null then embedding_model_id else $12 end,
           own_values = array(select distinct v from unnest(own_values || $13::text[]) as own (v) order by v)
         where id = $1",
    )
    .bind(to.id.0)
    .bind(&to.title)
    .bind(&to.artist)
    .bind(&to.album)
    .bind(&to.isrc)
    .bind(&to.label)
    .bind(to.explicit.map(Word))
    .bind(to.bpm)
    .bind(&to.key)
    .bind(to.kind.map(Word))
    .bind(to.embedding.map(|embedding| embedding.values().to_vec()))
    .bind(EMBEDDED_BY)
    .bind(to.own_values())
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The row of `embedding_models` that a manager's five numbers are of.
const EMBEDDED_BY: i16 = 1;

/// Takes a song out of the catalogue or brings it back; says whether that changed anything.
pub async fn withdraw(work: &mut PgConnection, id: SongId, out: bool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.withdraw_song($1, $2)").bind(id.0).bind(out).fetch_one(work).await
}
