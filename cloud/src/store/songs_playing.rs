//! Plays: what was heard where. A range of time is one of `played_at`, which is mended here: an id holds the time, too, but
//! by the clock of the box that made it, which may be any.

use chrono::{DateTime, Utc};
use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::{PlayId, PlayerId, SongId, VenueId, ZoneId};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, Word};

/// One song played on one player.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Play {
    /// Made when it began.
    pub id: Key<PlayId>,
    /// Where.
    pub venue_id: Key<VenueId>,
    /// In which part of it.
    pub zone_id: Option<Key<ZoneId>>,
    /// On which player.
    pub player_id: Option<Key<PlayerId>>,
    /// What.
    pub song_id: Key<SongId>,
    /// When it began.
    pub played_at: DateTime<Utc>,
    /// When it ended, where it has.
    pub ended_at: Option<DateTime<Utc>>,
    /// How.
    pub ended: Option<Word<PlayEnd>>,
    /// How much of it was heard.
    pub heard_ms: Option<i32>,
    /// From which tier it came.
    pub tier: Word<Tier>,
    /// How near it was to what the room wanted.
    pub similarity: Option<f32>,
    /// What it lost for having been played lately.
    pub penalty: Option<f32>,
}

/// From and until when; either may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Only plays that began then or later.
    pub from: DateTime<Utc>,
    /// Only plays that began before.
    pub to: DateTime<Utc>,
}

const COLUMNS: &str = "select id, venue_id, zone_id, player_id, song_id, played_at, ended_at, ended, heard_ms, tier, \
    similarity, penalty from public.songs_playing where ";

fn restrict(query: &mut QueryBuilder<Postgres>, venue: VenueId, range: Option<Range>) {
    query.push("venue_id = ").push_bind(venue.0);
    if let Some(Range { from, to }) = range {
        query.push(" and played_at >= ").push_bind(from);
        query.push(" and played_at < ").push_bind(to);
    }
}

/// A part of a venue's plays, newest first.
pub async fn list(
    work: &mut PgConnection,
    venue: VenueId,
    range: Option<Range>,
    slice: &Slice<Uuid>,
) -> Result<Vec<Play>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    restrict(&mut query, venue, range);
    if let Some(id) = slice.after {
        query.push(" and id < ").push_bind(id);
    }
    if let Some(id) = slice.before {
        query.push(" and id > ").push_bind(id);
    }
    query.push(if slice.backwards { " order by id limit " } else { " order by id desc limit " });
    query.push_bind(slice.limit).build_query_as().fetch_all(work).await
}

/// How many plays there are.
pub async fn count(
    work: &mut PgConnection,
    venue: VenueId,
    range: Option<Range>,
) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select count(*) from public.songs_playing where ");
    restrict(&mut query, venue, range);
    query.build_query_scalar().fetch_one(work).await
}

/// One play, where the caller may see it.
pub async fn find(work: &mut PgConnection, id: PlayId) -> Result<Option<Play>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("id = ").push_bind(id.0);
    query.build_query_as().fetch_optional(work).await
}

/// A line of the report for rights societies: one song of one venue.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Reported {
    /// Which song.
    pub song_id: Uuid,
    /// Who made it.
    pub artist: Option<String>,
    /// What it is called; none where it is gone from the catalogue.
    pub title: Option<String>,
    /// Its recording code.
    pub isrc: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// Who published it.
    pub label: Option<String>,
    /// How often it was played.
    pub plays: i64,
    /// How often as a pick of the hub.
    pub hub_plays: i64,
    /// How often from a player's plan.
    pub plan_plays: i64,
    /// How often from a player's cache.
    pub cache_plays: i64,
    /// How much of it was heard.
    pub heard_ms: i64,
}

/// The next songs of a report, by id. Whoever writes it sees every tenant's songs, and a hub may tell of any id: names
/// come from the venue's own catalogue only.
pub async fn report(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<Reported>, sqlx::Error> {
    sqlx::query_as(
        "select p.*, s.artist, s.title, s.isrc, s.album, s.label from (
           select song_id, count(*) as plays, count(*) filter (where tier = 'hub') as hub_plays,
             count(*) filter (where tier = 'plan') as plan_plays, count(*) filter (where tier = 'cache') as cache_plays,
             coalesce(sum(heard_ms), 0)::bigint as heard_ms
           from public.songs_playing
           where venue_id = $1 and played_at >= $2 and played_at < $3
             and ($4::uuid is null or song_id > $4)
           group by song_id order by song_id limit $5) p
         left join public.songs s on s.id = p.song_id
           and s.organisation_id = (select v.organisation_id from public.venues v where v.id = $1)
         order by p.song_id",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(after)
    .bind(most)
    .fetch_all(work)
    .await
}

/// A line of the report of single plays.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Told {
    /// Which play.
    pub id: Uuid,
    /// When it began.
    pub played_at: DateTime<Utc>,
    /// In which zone.
    pub zone: Option<String>,
    /// On which player.
    pub player: Option<String>,
    /// Who made it.
    pub artist: Option<String>,
    /// What it is called; none where it is gone from the catalogue.
    pub title: Option<String>,
    /// Its recording code.
    pub isrc: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// Who published it.
    pub label: Option<String>,
    /// From which tier it came.
    pub tier: String,
    /// How it ended.
    pub ended: Option<String>,
    /// How much of it was heard.
    pub heard_ms: i64,
}

/// The next plays of a report, oldest first.
pub async fn tell(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<Told>, sqlx::Error> {
    sqlx::query_as(
        "select p.id, p.played_at, z.name as zone, b.name as player, s.artist, s.title, s.isrc, s.album, s.label, p.tier,
           p.ended, coalesce(p.heard_ms, 0)::bigint as heard_ms
         from public.songs_playing p left join public.songs s on s.id = p.song_id
           and s.organisation_id = (select v.organisation_id from public.venues v where v.id = $1)
         left join public.zones z on z.id = p.zone_id and z.venue_id = p.venue_id
         left join public.players b on b.id = p.player_id and b.venue_id = p.venue_id
         where p.venue_id = $1 and p.played_at >= $2 and p.played_at < $3
           and ($4::uuid is null or p.id > $4)
         order by p.id limit $5",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(after)
    .bind(most)
    .fetch_all(work)
    .await
}
