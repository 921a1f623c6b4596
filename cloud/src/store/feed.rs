//! What comes down to hubs: feeds of pointers, and what the rows say now.
//!
//! Where several of these must agree with each other, they are asked in one snapshot ([`crate::database::Database::as_hub_in_one_snapshot`]).

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgvector::Vector;
use roomtone_schema::session::SessionStatus;
use roomtone_schema::song::{Explicit, SongKind, SongStatus};
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{DeviceId, HubId, ListenerId, SessionId, SongId, UnixMillis};
use roomtone_sync::wire::{
    CatalogueSong, Cursor, GuestSession, GuestSkip, GuestVote, Head, Kind, LoudnessFacts, PairingNews,
    PlayerNews, Row, Scope, TasteNews, VenueNews, VenueSong, VolumeOrder, ZoneNews, encode_noun,
};
use serde::Serialize;
use serde_bytes::ByteArray;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::Word;

/// Where a feed begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Its newest number.
    pub head: i64,
    /// Below this it was trimmed.
    pub floor: i64,
}

/// A change, with the version that its row has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Its place.
    pub at: Cursor,
    /// Of what.
    pub key: RowKey,
}

/// A row, its newest change, and whether it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowKey {
    /// What it is.
    pub kind: String,
    /// Which.
    pub pk: Uuid,
    /// The number of its newest change.
    pub version: i64,
    /// Whether it is gone.
    pub is_gone: bool,
}

/// Where a scope's feed begins and ends.
pub async fn bounds(conn: &mut PgConnection, scope: Scope) -> Result<Bounds, sqlx::Error> {
    let row = sqlx::query("select head, floor from private.feed_heads where scope = $1")
        .bind(scope.to_string())
        .fetch_optional(conn)
        .await?;
    match row {
        Some(row) => Ok(Bounds { head: row.try_get(0)?, floor: row.try_get(1)? }),
        None => Ok(Bounds { head: 0, floor: 0 }),
    }
}

/// The tag of a number; `None` where there is none.
pub async fn tag(conn: &mut PgConnection, scope: Scope, seq: i64) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("select tag from private.feed where scope = $1 and seq = $2")
        .bind(scope.to_string())
        .bind(seq)
        .fetch_optional(conn)
        .await
}

/// Where a feed ends, as a cursor.
pub async fn end(conn: &mut PgConnection, scope: Scope) -> Result<Cursor, sqlx::Error> {
    let seq = bounds(&mut *conn, scope).await?.head;
    Ok(Cursor { seq, tag: tag(conn, scope, seq).await?.unwrap_or(0) })
}

/// Changes behind a number, in order.
pub async fn pointers(
    conn: &mut PgConnection,
    scope: Scope,
    after: i64,
    limit: i64,
) -> Result<Vec<Pointer>, sqlx::Error> {
    let rows = sqlx::query(
        "select f.seq, f.tag, f.kind, f.pk, coalesce(r.seq, f.seq), coalesce(r.gone, true)
         from private.feed f left join private.feed_rows r on r.scope = f.scope and r.kind = f.kind and r.pk = f.pk
         where f.scope = $1 and f.seq > $2 order by f.seq limit $3",
    )
    .bind(scope.to_string())
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let read = |row: &PgRow| {
        let at = Cursor { seq: row.try_get(0)?, tag: row.try_get(1)? };
        let key = RowKey {
            kind: row.try_get(2)?,
            pk: row.try_get(3)?,
            version: row.try_get(4)?,
            is_gone: row.try_get(5)?,
        };
        Ok(Pointer { at, key })
    };
    rows.iter().map(read).collect()
}

/// Which rows of a scope are asked for by where they are kept.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Of these kinds; none means all.
    pub kinds: Vec<String>,
    /// Of these buckets; none means all.
    pub buckets: Vec<i16>,
    /// Behind this one.
    pub after: Option<(String, Uuid)>,
}

/// Rows that are there, in the order of (kind, pk).
pub async fn keys(
    conn: &mut PgConnection,
    scope: Scope,
    place: &Place,
    limit: i64,
) -> Result<Vec<RowKey>, sqlx::Error> {
    let (kind, pk) = place.after.clone().unwrap_or_default();
    let rows = sqlx::query(
        "select kind, pk, seq from private.feed_rows
         where scope = $1 and not gone and (kind, pk) > ($2::text, $3::uuid)
           and (cardinality($4::text[]) = 0 or kind = any ($4)) and (cardinality($5::smallint[]) = 0 or bucket = any ($5))
         order by kind, pk limit $6",
    )
    .bind(scope.to_string())
    .bind(kind)
    .bind(pk)
    .bind(&place.kinds)
    .bind(&place.buckets)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    let read = |row: &PgRow| {
        Ok(RowKey { kind: row.try_get(0)?, pk: row.try_get(1)?, version: row.try_get(2)?, is_gone: false })
    };
    rows.iter().map(read).collect()
}

/// The sums of a scope's buckets that have any rows (see `roomtone_sync::digest`).
pub async fn digest(conn: &mut PgConnection, scope: Scope) -> Result<Vec<(u8, [u8; 16])>, sqlx::Error> {
    let rows = sqlx::query(
        "select bucket, bit_xor(('x' || encode(substr(d, 1, 8), 'hex'))::bit(64)::bigint),
                bit_xor(('x' || encode(substr(d, 9, 8), 'hex'))::bit(64)::bigint)
         from (select bucket, private.row_digest(kind, pk, seq) as d from private.feed_rows
               where scope = $1 and not gone) r
         group by bucket",
    )
    .bind(scope.to_string())
    .fetch_all(conn)
    .await?;
    let read = |row: &PgRow| {
        let (bucket, high, low): (i16, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let mut sum = [0; 16];
        sum[..8].copy_from_slice(&high.to_be_bytes());
        sum[8..].copy_from_slice(&low.to_be_bytes());
        Ok((u8::try_from(bucket).unwrap_or_default(), sum))
    };
    rows.iter().map(read).collect()
}

/// The heads of scopes that may have moved since, and what to ask with next. A transaction is told of again until all
/// that began before it have ended: an older one may commit later.
pub async fn moved(conn: &mut PgConnection, since: i64) -> Result<(Vec<Head>, i64), sqlx::Error> {
    let next: i64 = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        .fetch_one(&mut *conn)
        .await?;
    // Transactions of a restored cluster begin with lower numbers again.
    let since = if since > next { 0 } else { since };
    let rows = sqlx::query("select scope, head from private.feed_heads where moved >= $1::text::xid8")
        .bind(since.to_string())
        .fetch_all(conn)
        .await?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in rows {
        if let Ok(scope) = row.try_get::<String, _>(0)?.parse() {
            heads.push(Head { scope, seq: row.try_get(1)? });
        }
    }
    Ok((heads, next))
}

/// Rows as they are now, one for each key and in that order. What is gone, or of a kind that nobody knows any more, has
/// no body.
pub async fn rows(conn: &mut PgConnection, scope: Scope, keys: &[RowKey]) -> Result<Vec<Row>, sqlx::Error> {
    let mut by_kind: HashMap<&str, Vec<Uuid>> = HashMap::new();
    for key in keys.iter().filter(|key| !key.is_gone) {
        by_kind.entry(key.kind.as_str()).or_default().push(key.pk);
    }
    let mut bodies = HashMap::new();
    for (word, pks) in by_kind {
        let Some(kind) = Kind::of(word) else { continue };
        for (pk, body) in bodies_of(&mut *conn, scope, kind, &pks).await? {
            bodies.insert((word, pk), body);
        }
    }
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let body = bodies.remove(&(key.kind.as_str(), key.pk));
        rows.push(Row { seq: key.version, kind: key.kind.clone(), pk: key.pk, body });
    }
    Ok(rows)
}

type Bodies = Vec<(Uuid, Vec<u8>)>;
type Read = fn(&PgRow) -> Result<Vec<u8>, sqlx::Error>;

async fn bodies_of(
    conn: &mut PgConnection,
    scope: Scope,
    kind: Kind,
    pks: &[Uuid],
) -> Result<Bodies, sqlx::Error> {
    let whose = match scope {
        Scope::Catalogue(organisation) => organisation.0,
        Scope::Venue(venue) => venue.0,
    };
    let (sql, read): (&'static str, Read) = match kind {
        Kind::Song => (SONGS, song),
        Kind::Venue => (VENUES, venue),
        Kind::Zone => (ZONES, zone),
        Kind::VenueSong => (VENUE_SONGS, venue_song),
        Kind::Player => (PLAYERS, player),
        Kind::Taste => (TASTES, taste),
        Kind::GuestSession => (GUEST_SESSIONS, guest_session),
        Kind::GuestVote => (GUEST_VOTES, guest_vote),
        Kind::GuestSkip => (GUEST_SKIPS, guest_skip),
        Kind::PlayerPairing => (PAIRINGS, pairing),
    };
    let rows = sqlx::query(sql).bind(whose).bind(pks).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("pk")?, read(row)?))).collect()
}

fn noun(noun: &impl Serialize) -> Result<Vec<u8>, sqlx::Error> {
    encode_noun(noun).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

const SONGS: &str = "select id as pk, status, content_sha256, content_bytes, content_type, stored, title, artist, album, isrc, label,
       explicit, type as kind, duration_ms, bpm, key, loudness_lufs, true_peak_dbtp, cue_in_ms, cue_out_ms, embedding,
       embedding_model_id, created_at
     from public.songs where organisation_id = $1 and id = any ($2)";

fn song(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    let sha256: Vec<u8> = row.try_get("content_sha256")?;
    let count = |name: &str| -> Result<u32, sqlx::Error> {
        Ok(row.try_get::<Option<i32>, _>(name)?.map_or(0, |number| u32::try_from(number).unwrap_or(0)))
    };
    let duration_ms = count("duration_ms")?;
    let embedding: Option<Vector> = row.try_get("embedding")?;
    let created_at: DateTime<Utc> = row.try_get("created_at")?;
    noun(&CatalogueSong {
        status: row.try_get::<Word<SongStatus>, _>("status")?.0,
        sha256: ByteArray::new(sha256.try_into().unwrap_or_default()),
        bytes: row.try_get::<i64, _>("content_bytes")?.cast_unsigned(),
        content_type: row.try_get("content_type")?,
        stored: row.try_get("stored")?,
        title: row.try_get("title")?,
        artist: row.try_get("artist")?,
        album: row.try_get("album")?,
        isrc: row.try_get("isrc")?,
        label: row.try_get("label")?,
        explicit: row.try_get::<Word<Explicit>, _>("explicit")?.0,
        kind: row.try_get::<Option<Word<SongKind>>, _>("kind")?.map(|kind| kind.0),
        duration_ms,
        bpm: row.try_get::<Option<i32>, _>("bpm")?.map(|bpm| bpm as f32),
        key: row.try_get("key")?,
        loudness: LoudnessFacts {
            lufs: row.try_get("loudness_lufs")?,
            true_peak_dbtp: row.try_get("true_peak_dbtp")?,
            cue_in_ms: count("cue_in_ms")?,
            cue_out_ms: match count("cue_out_ms")? {
                0 => duration_ms,
                cue => cue,
            },
        },
        embedding: embedding.and_then(|vector| vector.to_vec().try_into().ok()),
        embedding_version: row.try_get::<Option<i16>, _>("embedding_model_id")?.map_or(0, i16::cast_unsigned),
        created_at: UnixMillis(created_at.timestamp_millis()),
    })
}

const VENUES: &str = "select id as pk, name, timezone, penalty_hours, crossfade_ms, settings::text
     from public.venues where id = $1 and id = any ($2)";

fn venue(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&VenueNews {
        name: row.try_get("name")?,
        timezone: row.try_get("timezone")?,
        penalty_hours: row.try_get("penalty_hours")?,
        crossfade_ms: row.try_get("crossfade_ms")?,
        settings: row.try_get("settings")?,
    })
}

const ZONES: &str = "select id as pk, name, settings::text, archived_at is not null as archived
     from public.zones where venue_id = $1 and id = any ($2)";

fn zone(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&ZoneNews {
        name: row.try_get("name")?,
        settings: row.try_get("settings")?,
        archived: row.try_get("archived")?,
    })
}

const VENUE_SONGS: &str = "select song_id as pk, enabled and removed_at is null as enabled
     from public.venue_songs where venue_id = $1 and song_id = any ($2)";

fn venue_song(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&VenueSong { song: SongId(row.try_get("pk")?), enabled: row.try_get("enabled")? })
}

const PLAYERS: &str = "select p.id as pk, p.name, z.name as zone, p.revoked_at is not null as revoked, p.volume_ordered, p.volume_order
     from public.players p left join public.zones z on z.venue_id = p.venue_id and z.id = p.zone_id
     where p.venue_id = $1 and p.id = any ($2)";

fn player(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&PlayerNews {
        name: row.try_get("name")?,
        zone: row.try_get("zone")?,
        revoked: row.try_get("revoked")?,
        volume: match row.try_get::<Option<i16>, _>("volume_ordered")? {
            Some(percent) => Some(VolumeOrder {
                percent: u8::try_from(percent).unwrap_or(100),
                number: row.try_get("volume_order")?,
            }),
            None => None,
        },
    })
}

const TASTES: &str =
    "select v.user_id as pk, coalesce(p.embedding_model_id, private.current_model()) as version,
       coalesce(p.n_like, 0) as n_like, coalesce(p.sum_like, '{0,0,0,0,0}') as sum_like,
       coalesce(p.n_dislike, 0) as n_dislike, coalesce(p.sum_dislike, '{0,0,0,0,0}') as sum_dislike,
       coalesce(p.folded, '{}') as folded
     from private.venue_people v left join public.preferences p on p.user_id = v.user_id
     where v.venue_id = $1 and v.user_id = any ($2)";

fn taste(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    let sums = |name: &str| -> Result<_, sqlx::Error> {
        Ok(row.try_get::<Vec<i64>, _>(name)?.try_into().unwrap_or_default())
    };
    let folded: serde_json::Value = row.try_get("folded")?;
    noun(&TasteNews {
        version: row.try_get::<i16, _>("version")?.cast_unsigned(),
        n_like: row.try_get("n_like")?,
        sum_like: sums("sum_like")?,
        n_dislike: row.try_get("n_dislike")?,
        sum_dislike: sums("sum_dislike")?,
        folded: read_folded(&folded),
    })
}

/// Up to which fact of which hub a taste is folded, as the column has it: `{"<hub id>": [epoch, seq]}`.
pub fn read_folded(folded: &serde_json::Value) -> Vec<(HubId, i64, i64)> {
    let Some(entries) = folded.as_object() else { return Vec::new() };
    let read = |(hub, at): (&String, &serde_json::Value)| {
        Some((HubId(Uuid::parse_str(hub).ok()?), at.get(0)?.as_i64()?, at.get(1)?.as_i64()?))
    };
    entries.iter().filter_map(read).collect()
}

const GUEST_SESSIONS: &str =
    "select s.id as pk, s.listener_id, s.device_id, z.name as zone, s.display_name, s.status, s.checked_in_at, s.last_seen_at,
       s.expires_at
     from private.guest_sessions s join public.zones z on z.venue_id = s.venue_id and z.id = s.zone_id
     where s.venue_id = $1 and s.id = any ($2)";

fn guest_session(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    let at = |name: &str| -> Result<UnixMillis, sqlx::Error> {
        Ok(UnixMillis(row.try_get::<DateTime<Utc>, _>(name)?.timestamp_millis()))
    };
    noun(&GuestSession {
        listener: ListenerId(row.try_get("listener_id")?),
        device: DeviceId(row.try_get("device_id")?),
        zone: row.try_get("zone")?,
        display_name: row.try_get("display_name")?,
        status: row.try_get::<Word<SessionStatus>, _>("status")?.0,
        checked_in_at: at("checked_in_at")?,
        last_seen_at: at("last_seen_at")?,
        expires_at: at("expires_at")?,
    })
}

const GUEST_VOTES: &str = "select id as pk, session_id, listener_id, song_id, vote_value, cast_at
     from private.guest_votes where venue_id = $1 and id = any ($2)";

fn guest_vote(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    let is_like = 0 < row.try_get::<i32, _>("vote_value")?;
    noun(&GuestVote {
        session: SessionId(row.try_get("session_id")?),
        listener: ListenerId(row.try_get("listener_id")?),
        song: SongId(row.try_get("song_id")?),
        value: if is_like { VoteValue::Like } else { VoteValue::Dislike },
        cast_at: UnixMillis(row.try_get::<DateTime<Utc>, _>("cast_at")?.timestamp_millis()),
    })
}

const GUEST_SKIPS: &str = "select id as pk, session_id, song_id, cast_at
     from private.guest_skips where venue_id = $1 and id = any ($2)";

fn guest_skip(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&GuestSkip {
        session: SessionId(row.try_get("session_id")?),
        song: SongId(row.try_get("song_id")?),
        cast_at: UnixMillis(row.try_get::<DateTime<Utc>, _>("cast_at")?.timestamp_millis()),
    })
}

const PAIRINGS: &str = "select p.id as pk, p.hub_id, p.name, z.name as zone, p.expires_at
     from public.player_pairings p left join public.zones z on z.venue_id = p.venue_id and z.id = p.zone_id
     where p.venue_id = $1 and p.id = any ($2)";

fn pairing(row: &PgRow) -> Result<Vec<u8>, sqlx::Error> {
    noun(&PairingNews {
        hub: HubId(row.try_get("hub_id")?),
        name: row.try_get("name")?,
        zone: row.try_get("zone")?,
        until: UnixMillis(row.try_get::<DateTime<Utc>, _>("expires_at")?.timestamp_millis()),
    })
}
