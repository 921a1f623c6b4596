//! What happened in a venue, counted: from the facts, or from the sums of whole days that outlive them.

use chrono::{DateTime, Utc};
use pgvector::Vector;
use roomtone_schema::{SongId, VenueId};
use sqlx::PgConnection;

use super::songs_playing::Range;
use super::{Key, uuids};

/// What was counted in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Songs that began.
    pub plays: i64,
    /// Different ones.
    pub songs: i64,
    /// People who checked in.
    pub listeners: i64,
    /// Likes.
    pub likes: i64,
    /// Dislikes.
    pub dislikes: i64,
    /// Music from players' plans, in milliseconds.
    pub plan_ms: i64,
    /// Music from players' caches, in milliseconds.
    pub cache_ms: i64,
}

/// What was counted in one hour, day or week of the venue's own calendar.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Point {
    /// When it began.
    pub at: DateTime<Utc>,
    /// What was counted.
    #[sqlx(flatten)]
    pub counts: Counts,
    /// The mean of the songs that began, each as often as it did; those without a direction are not in it.
    pub sound: Option<Vector>,
}

/// How many visits there are in some venues at a time, as far as their hubs have told: those that began within two days,
/// for no visit is longer.
pub async fn visits(
    work: &mut PgConnection,
    venues: &[VenueId],
    at: DateTime<Utc>,
) -> Result<Vec<(Key<VenueId>, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select venue_id, count(*) from public.sessions
         where venue_id = any ($1) and id >= private.uuid7_floor($2::timestamptz - interval '2 days') and checked_in_at <= $2
           and expires_at > $2 and ended_at is null
         group by venue_id",
    )
    .bind(uuids(venues))
    .bind(at)
    .fetch_all(work)
    .await
}

/// The sums of a whole range, from the facts. Of several votes of one person for one song on one day the last one
/// counts, as in the sums of days.
pub async fn of_facts(work: &mut PgConnection, venue: VenueId, range: Range) -> Result<Counts, sqlx::Error> {
    sqlx::query_as(
        "select p.*, v.*, s.* from
           (select count(*) as plays, count(distinct song_id) as songs,
              coalesce(sum(heard_ms) filter (where tier = 'plan'), 0)::bigint as plan_ms,
              coalesce(sum(heard_ms) filter (where tier = 'cache'), 0)::bigint as cache_ms
            from public.songs_playing
            where venue_id = $1 and played_at >= $2 and played_at < $3) p,
           (select coalesce(sum(likes), 0)::bigint as likes, coalesce(sum(dislikes), 0)::bigint as dislikes
            from private.count_votes($1, $2, $3, 'day')) v,
           (select count(distinct listener) as listeners from private.visits($1, $2, $3)) s",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .fetch_one(work)
    .await
}

/// The same for each hour, day or week (`every`) in which anything happened.
pub async fn series_of_facts(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    every: &str,
) -> Result<Vec<Point>, sqlx::Error> {
    sqlx::query_as(
        "with zone as (select timezone as name from public.venues where id = $1),
         told as (
           select p.played_at as at, 1 as plays, p.song_id as song, null::uuid as listener, 0 as likes, 0 as dislikes,
             case when p.tier = 'plan' then p.heard_ms end as plan_ms, case when p.tier = 'cache' then p.heard_ms end as cache_ms,
             case when s.embedding_model_id = private.current_model() then s.embedding end as embedding
           from public.songs_playing p left join public.songs s on s.id = p.song_id
           where p.venue_id = $1 and p.played_at >= $2 and p.played_at < $3
           union all
           select v.at, 0, null, null, v.likes, v.dislikes, 0, 0, null from private.count_votes($1, $2, $3, $4) v
           union all
           select private.uuid7_time(s.id), 0, null, s.listener, 0, 0, 0, 0, null from private.visits($1, $2, $3) s)
         select date_trunc($4, told.at at time zone zone.name) at time zone zone.name as at, sum(plays) as plays,
           count(distinct song) as songs, count(distinct listener) as listeners, sum(likes)::bigint as likes,
           sum(dislikes)::bigint as dislikes, coalesce(sum(plan_ms), 0)::bigint as plan_ms, coalesce(sum(cache_ms), 0)::bigint as cache_ms,
           extensions.avg(embedding) as sound
         from told, zone group by 1 order by 1",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(every)
    .fetch_all(work)
    .await
}

/// The same from the sums of days, for each day or week. People are counted once a day.
pub async fn series_of_days(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    every: &str,
) -> Result<Vec<Point>, sqlx::Error> {
    sqlx::query_as(
        "with sounds as (
           select date_trunc($4, d.day::timestamp) as at, extensions.avg(s.embedding) as sound
           from public.venue_song_daily d join public.songs s on s.id = d.song_id
             join public.venues v on v.id = d.venue_id cross join generate_series(1, d.plays)
           where d.venue_id = $1 and d.day >= ($2 at time zone v.timezone)::date and d.day < ($3 at time zone v.timezone)::date
             and s.embedding_model_id = private.current_model()
           group by 1)
         select date_trunc($4, d.day::timestamp) at time zone v.timezone as at, sum(d.plays)::bigint as plays,
           max(d.songs)::bigint as songs, sum(d.listeners)::bigint as listeners, sum(d.likes)::bigint as likes,
           sum(d.dislikes)::bigint as dislikes, (sum(d.plan_seconds) * 1000)::bigint as plan_ms,
           (sum(d.cache_seconds) * 1000)::bigint as cache_ms,
           (array_agg(h.sound))[1] as sound
         from public.venue_daily d join public.venues v on v.id = d.venue_id
           left join sounds h on h.at = date_trunc($4, d.day::timestamp)
         where d.venue_id = $1 and d.day >= ($2 at time zone v.timezone)::date and d.day < ($3 at time zone v.timezone)::date
         group by 1 order by 1",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(every)
    .fetch_all(work)
    .await
}

/// How many different songs the sums of days know of.
pub async fn songs_of_days(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(distinct d.song_id) from public.venue_song_daily d join public.venues v on v.id = d.venue_id
         where d.venue_id = $1 and d.plays > 0
           and d.day >= ($2 at time zone v.timezone)::date and d.day < ($3 at time zone v.timezone)::date",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .fetch_one(work)
    .await
}

/// The songs that were played most, from the facts.
pub async fn top_of_facts(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    most: i64,
) -> Result<Vec<(Key<SongId>, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select song_id, count(*) as plays from public.songs_playing
         where venue_id = $1 and played_at >= $2 and played_at < $3
         group by song_id order by plays desc, song_id limit $4",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(most)
    .fetch_all(work)
    .await
}

/// The songs that were played most, from the sums of days.
pub async fn top_of_days(
    work: &mut PgConnection,
    venue: VenueId,
    range: Range,
    most: i64,
) -> Result<Vec<(Key<SongId>, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select d.song_id, sum(d.plays)::bigint as plays
         from public.venue_song_daily d join public.venues v on v.id = d.venue_id
         where d.venue_id = $1 and d.day >= ($2 at time zone v.timezone)::date and d.day < ($3 at time zone v.timezone)::date
         group by d.song_id order by plays desc, d.song_id limit $4",
    )
    .bind(venue.0)
    .bind(range.from)
    .bind(range.to)
    .bind(most)
    .fetch_all(work)
    .await
}
