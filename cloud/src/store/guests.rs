//! Guests whose phones do not reach the hub: what the page shows them, and what they do. The connection acts as a guest of
//! one venue (see [`crate::database::Database::as_guest`]); a token, or the venue's code, is shown with each question.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pgvector::Vector;
use roomtone_schema::song::{Explicit, SongKind};
use roomtone_schema::view::OpenHoursView;
use roomtone_schema::{AXES, HubId, SongId, UnixMillis, VenueId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::facts::time;
use super::{Word, uuids};

/// A play that began longer ago than this is no longer what plays.
pub(super) const RECENT: Duration = Duration::from_hours(3);

/// What a zone showed when its hub told last. Songs by the catalogue's names, times the cloud's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What played.
    pub now: Option<Playing>,
    /// What came next.
    pub next: Vec<SongId>,
    /// The five axes.
    pub axes: [f64; AXES],
    /// 0 = the room is split, 1 = all want the same.
    pub consensus: f64,
    /// People checked in.
    pub listeners: u32,
    /// What the axes come from.
    pub source: String,
    /// Whether only the code on its screen lets anybody in.
    pub needs_screen_code: bool,
    /// When its music is.
    #[serde(default)]
    pub hours: Option<OpenHoursView>,
}

/// What played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playing {
    /// Which song.
    pub song: SongId,
    /// When it began.
    pub started_at: UnixMillis,
    /// How far it was when it was told.
    pub position_ms: u32,
    /// People who wanted to skip it then.
    #[serde(default)]
    pub skip_votes: u32,
    /// How many it took; 0 where it could not be skipped.
    #[serde(default)]
    pub skip_votes_needed: u32,
}

/// The newest song that began in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Which.
    pub song: SongId,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it has ended.
    pub has_ended: bool,
}

/// What a hub tells of a zone: to guests, and what comes next to staff.
pub type News = (Told, Vec<SongId>);

/// What a venue's zones showed before, by the cloud's ids of them.
pub async fn rooms_told(conn: &mut PgConnection, venue: VenueId) -> Result<HashMap<Uuid, News>, sqlx::Error> {
    let rows: Vec<(Uuid, Value, Vec<Uuid>)> =
        sqlx::query_as("select zone_id, told, ahead from private.rooms_told where venue_id = $1")
            .bind(venue.0)
            .fetch_all(conn)
            .await?;
    let read = |(zone, told, ahead): (Uuid, Value, Vec<Uuid>)| {
        Some((zone, (serde_json::from_value(told).ok()?, ahead.into_iter().map(SongId).collect())))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Notes what a hub's zones show: by the cloud's id of the zone, the main one first.
pub async fn tell_rooms(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    rooms: &[(Uuid, News)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    for (place, (zone, (told, ahead))) in rooms.iter().enumerate() {
        sqlx::query(
            "insert into private.rooms_told (venue_id, zone_id, hub_id, place, told, told_at, ahead) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (venue_id, zone_id) do update
             set hub_id = excluded.hub_id, place = excluded.place, told = excluded.told, told_at = excluded.told_at,
                 ahead = excluded.ahead",
        )
        .bind(venue.0)
        .bind(zone)
        .bind(hub.0)
        .bind(i32::try_from(place).unwrap_or(i32::MAX))
        .bind(serde_json::to_value(told).map_err(|error| sqlx::Error::Encode(Box::new(error)))?)
        .bind(time(now))
        .bind(uuids(ahead))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The venue that an address names, where it has a page for guests.
pub async fn page(conn: &mut PgConnection, slug: &str) -> Result<Option<VenueId>, sqlx::Error> {
    let found: Option<Uuid> =
        sqlx::query_scalar("select private.guest_page($1)").bind(slug).fetch_one(conn).await?;
    Ok(found.map(VenueId))
}

/// What the page shows of its venue.
#[derive(Debug, Clone)]
pub struct Place {
    /// What people call it.
    pub name: String,
    /// Its time zone.
    pub time_zone: String,
    /// When its hub was last heard.
    pub heard_at: Option<DateTime<Utc>>,
    /// Its zones, the main one first.
    pub zones: Vec<Zone>,
}

/// A zone as the page shows it.
#[derive(Debug, Clone)]
pub struct Zone {
    /// The cloud's name for it.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// As a manager has set it.
    pub settings: Value,
    /// What it showed last, and when.
    pub told: Option<(Told, DateTime<Utc>)>,
    /// The newest song that began there.
    pub newest: Option<Begun>,
}

/// What there is to show; `None` where the page is closed.
pub async fn place(
    conn: &mut PgConnection,
    venue: VenueId,
    now: UnixMillis,
) -> Result<Option<Place>, sqlx::Error> {
    let row = sqlx::query(
        "select v.name, v.timezone,
           (select max(h.last_seen_at) from public.hubs h where h.venue_id = v.id and h.revoked_at is null)
         from public.venues v where v.id = $1",
    )
    .bind(venue.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let zones = zones(conn, venue, now).await?;
    Ok(Some(Place { name: row.try_get(0)?, time_zone: row.try_get(1)?, heard_at: row.try_get(2)?, zones }))
}

async fn zones(conn: &mut PgConnection, venue: VenueId, now: UnixMillis) -> Result<Vec<Zone>, sqlx::Error> {
    let rows = sqlx::query(
        "select z.id, z.name, z.settings, r.told, r.told_at, p.song_id, p.played_at, p.ended_at is not null
         from public.zones z left join private.rooms_told r on r.venue_id = z.venue_id and r.zone_id = z.id
         left join lateral (
           select p.song_id, p.played_at, p.ended_at from public.songs_playing p
           where p.venue_id = z.venue_id and p.zone_id = z.id and p.played_at > $2
           order by p.played_at desc, p.id desc limit 1) p on true
         where z.venue_id = $1 and z.archived_at is null
         order by r.place nulls last, z.id",
    )
    .bind(venue.0)
    .bind(time(now - RECENT))
    .fetch_all(conn)
    .await?;
    let mut zones = Vec::with_capacity(rows.len());
    for row in rows {
        let told: Option<Value> = row.try_get(3)?;
        let told = told.and_then(|told| serde_json::from_value::<Told>(told).ok());
        let told_at: Option<DateTime<Utc>> = row.try_get(4)?;
        let song: Option<Uuid> = row.try_get(5)?;
        let began: Option<DateTime<Utc>> = row.try_get(6)?;
        let has_ended: bool = row.try_get(7)?;
        zones.push(Zone {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            settings: row.try_get(2)?,
            told: told.zip(told_at),
            newest: song.zip(began).map(|(song, at)| Begun { song: SongId(song), at, has_ended }),
        });
    }
    Ok(zones)
}

/// How many songs there are, and when any of them changed last.
pub type SongsVersion = (i64, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Changes when the venue's songs do.
pub async fn songs_version(conn: &mut PgConnection, venue: VenueId) -> Result<SongsVersion, sqlx::Error> {
    sqlx::query_as(
        "select count(*), max(w.updated_at), max(s.updated_at)
         from public.venue_songs w join public.songs s on s.id = w.song_id
         where w.venue_id = $1 and w.enabled and w.removed_at is null and s.status not in ('withdrawn', 'failed')",
    )
    .bind(venue.0)
    .fetch_one(conn)
    .await
}

/// A song as the page shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Song {
    /// The catalogue's name for it.
    pub id: Uuid,
    /// Its title.
    pub title: String,
    /// Who made it.
    pub artist: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// Clean, explicit or unknown.
    pub explicit: Word<Explicit>,
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
    /// The five axes.
    pub embedding: Option<Vector>,
    /// What computed them.
    pub embedding_version: Option<i16>,
    /// When it joined the catalogue.
    pub created_at: DateTime<Utc>,
}

/// The songs that the venue plays, by id.
pub async fn songs(conn: &mut PgConnection, venue: VenueId) -> Result<Vec<Song>, sqlx::Error> {
    sqlx::query_as(
        "select s.id, s.title, s.artist, s.album, s.explicit, s.bpm, s.duration_ms, s.key, s.type as kind, s.loudness_lufs,
           s.embedding, s.embedding_model_id as embedding_version, s.created_at
         from public.venue_songs w join public.songs s on s.id = w.song_id
         where w.venue_id = $1 and w.enabled and w.removed_at is null and s.status not in ('withdrawn', 'failed') order by s.id",
    )
    .bind(venue.0)
    .fetch_all(conn)
    .await
}

/// What a question of a guest comes to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    /// In a word.
    pub outcome: String,
    /// For how many seconds to wait.
    pub retry_s: i32,
    /// Whether the phone is to have another cookie.
    pub new_cookie: bool,
    /// The presence.
    #[sqlx(flatten)]
    pub presence: Presence,
    /// The listener's votes that count, newest first.
    pub votes: Value,
}

/// A presence; nothing where there is none.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Presence {
    /// Which.
    pub id: Option<Uuid>,
    /// Whose.
    pub listener_id: Option<Uuid>,
    /// On which phone.
    pub device_id: Option<Uuid>,
    /// Where.
    pub zone_id: Option<Uuid>,
    /// What they call themselves.
    pub display_name: Option<String>,
    /// Active or ended.
    pub status: Option<String>,
    /// When it began.
    pub checked_in_at: Option<DateTime<Utc>>,
    /// The last sign of life.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it ends at the latest.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Makes a retry the same check-in.
    pub key: Uuid,
    /// For the presence, the phone and the listener, in case they are new.
    pub ids: [Uuid; 3],
    /// As typed, without what only makes it legible.
    pub code: String,
    /// Where to.
    pub zone: Option<Uuid>,
    /// What they call themselves.
    pub name: Option<String>,
    /// The hash of the cookie that the phone shows.
    pub cookie: Option<[u8; 32]>,
    /// The hash of the one that it gets, where it has none that is good.
    pub new_cookie: [u8; 32],
    /// The hash of the presence's secret.
    pub token: [u8; 32],
    /// Where it comes from.
    pub address: String,
}

/// Lets somebody in, or says why not.
pub async fn arrive(
    conn: &mut PgConnection,
    arrival: &Arrival,
    limits: &Value,
    now: UnixMillis,
) -> Result<Seen, sqlx::Error> {
    sqlx::query_as("select * from private.guest_arrives($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
        .bind(arrival.key)
        .bind(arrival.ids.as_slice())
        .bind(&arrival.code)
        .bind(arrival.zone)
        .bind(arrival.name.as_deref())
        .bind(arrival.cookie.as_ref().map(<[u8; 32]>::as_slice))
        .bind(arrival.new_cookie.as_slice())
        .bind(arrival.token.as_slice())
        .bind(&arrival.address)
        .bind(limits)
        .bind(time(now))
        .fetch_one(conn)
        .await
}

/// Whose a token is.
pub async fn by_token(
    conn: &mut PgConnection,
    token: &[u8; 32],
    limits: &Value,
    now: UnixMillis,
) -> Result<Seen, sqlx::Error> {
    sqlx::query_as("select * from private.guest_by_token($1, $2, $3)")
        .bind(token.as_slice())
        .bind(limits)
        .bind(time(now))
        .fetch_one(conn)
        .await
}

/// A like or dislike.
#[derive(Debug, Clone, Copy)]
pub struct Ballot {
    /// Makes a retry the same vote.
    pub key: Uuid,
    /// The vote's id, in case it is a new one.
    pub vote: Uuid,
    /// For what.
    pub song: Uuid,
    /// 1 or -1.
    pub value: i32,
}

/// Counts a like or dislike, or says why not.
pub async fn vote(
    conn: &mut PgConnection,
    token: &[u8; 32],
    ballot: Ballot,
    limits: &Value,
    now: UnixMillis,
) -> Result<Seen, sqlx::Error> {
    sqlx::query_as("select * from private.guest_votes_for($1, $2, $3, $4, $5, $6, $7)")
        .bind(token.as_slice())
        .bind(ballot.key)
        .bind(ballot.vote)
        .bind(ballot.song)
        .bind(ballot.value)
        .bind(limits)
        .bind(time(now))
        .fetch_one(conn)
        .await
}

/// A vote to skip.
#[derive(Debug, Clone, Copy)]
pub struct Skip {
    /// Makes a retry the same vote.
    pub key: Uuid,
    /// The vote's id, in case it is a new one.
    pub vote: Uuid,
    /// What plays, as it is shown; `None` where nothing does that could be skipped.
    pub song: Option<Uuid>,
    /// Since when.
    pub since: UnixMillis,
}

/// Counts a vote to skip, or says why not.
pub async fn skip(
    conn: &mut PgConnection,
    token: &[u8; 32],
    skip: Skip,
    limits: &Value,
    now: UnixMillis,
) -> Result<Seen, sqlx::Error> {
    sqlx::query_as("select * from private.guest_skips_for($1, $2, $3, $4, $5, $6, $7)")
        .bind(token.as_slice())
        .bind(skip.key)
        .bind(skip.vote)
        .bind(skip.song)
        .bind(time(skip.since))
        .bind(limits)
        .bind(time(now))
        .fetch_one(conn)
        .await
}

/// Takes somebody out.
pub async fn leave(
    conn: &mut PgConnection,
    token: &[u8; 32],
    key: Uuid,
    limits: &Value,
    now: UnixMillis,
) -> Result<Seen, sqlx::Error> {
    sqlx::query_as("select * from private.guest_leaves($1, $2, $3, $4)")
        .bind(token.as_slice())
        .bind(key)
        .bind(limits)
        .bind(time(now))
        .fetch_one(conn)
        .await
}

/// For managers: the code of a venue's page, where it has one.
pub async fn code(conn: &mut PgConnection, venue: VenueId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select private.guest_code($1)").bind(venue.0).fetch_one(conn).await
}

/// For managers: opens the page, with a new code.
pub async fn open_page(conn: &mut PgConnection, venue: VenueId) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select private.open_guest_page($1)").bind(venue.0).fetch_one(conn).await
}

/// For managers: closes it. Whether it was open.
pub async fn close_page(conn: &mut PgConnection, venue: VenueId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.close_guest_page($1)").bind(venue.0).fetch_one(conn).await
}

/// Forgets what no hub waits for any more.
pub async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select private.sweep_guests($1)").bind(now).fetch_one(conn).await
}
