//! What zones show, for whoever works at their venue.

use chrono::{DateTime, Utc};
use roomtone_schema::{SongId, UnixMillis, VenueId, ZoneId};
use serde_json::Value;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::facts::time;
use super::guests::{Begun, RECENT, Told};
use super::{Key, uuids};

/// What a zone showed when its hub told last, and the newest song that has begun there.
#[derive(Debug, Clone)]
pub struct Room {
    /// Which zone.
    pub zone_id: Key<ZoneId>,
    /// Of which venue.
    pub venue_id: Key<VenueId>,
    /// What was told.
    pub told: Told,
    /// When.
    pub told_at: DateTime<Utc>,
    /// What came next, also where listeners are not shown it.
    pub ahead: Vec<SongId>,
    /// The newest song that began there.
    pub newest: Option<Begun>,
}

/// What is known of the zones of some venues; what a newer hub says in another way is left out.
pub async fn of_venues(
    work: &mut PgConnection,
    venues: &[VenueId],
    now: UnixMillis,
) -> Result<Vec<Room>, sqlx::Error> {
    let rows = sqlx::query(
        "select r.zone_id, r.venue_id, r.told, r.told_at, r.ahead, p.song_id, p.played_at, p.ended_at is not null
         from private.rooms_told r left join lateral (
           select p.song_id, p.played_at, p.ended_at from public.songs_playing p
           where p.venue_id = r.venue_id and p.zone_id = r.zone_id and p.played_at > $2
           order by p.played_at desc, p.id desc limit 1) p on true
         where r.venue_id = any ($1) order by r.place, r.zone_id",
    )
    .bind(uuids(venues))
    .bind(time(now - RECENT))
    .fetch_all(work)
    .await?;
    let mut rooms = Vec::with_capacity(rows.len());
    for row in rows {
        let told: Value = row.try_get(2)?;
        let Ok(told) = serde_json::from_value(told) else { continue };
        let (song, began): (Option<Uuid>, Option<DateTime<Utc>>) = (row.try_get(5)?, row.try_get(6)?);
        let has_ended: bool = row.try_get(7)?;
        let ahead: Vec<Uuid> = row.try_get(4)?;
        rooms.push(Room {
            zone_id: Key(ZoneId(row.try_get(0)?)),
            venue_id: Key(VenueId(row.try_get(1)?)),
            told,
            told_at: row.try_get(3)?,
            ahead: ahead.into_iter().map(SongId).collect(),
            newest: song.zip(began).map(|(song, at)| Begun { song: SongId(song), at, has_ended }),
        });
    }
    Ok(rooms)
}
