//! What hubs tell: whole batches per statement. Every function here may be called twice with the same facts, and the
//! second call changes nothing.

use chrono::{DateTime, Utc};
use roomtone_schema::play::Play;
use roomtone_schema::player::Player;
use roomtone_schema::session::Session;
use roomtone_schema::vote::{Vote, VoteValue};
use roomtone_schema::{HubId, ListenerId, UnixMillis, VenueId};
use serde::Serialize;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// How far a hub's facts have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The life of the hub's database that may push.
    pub epoch: i32,
    /// Up to which number every fact of it is taken.
    pub acked_seq: i64,
}

/// A song on a player, and what the decision for it weighed, where that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct WeighedPlay {
    /// The play.
    pub play: Play,
    /// Dot of the vibe and the song's direction.
    pub similarity: Option<f32>,
    /// What its last play cost the song.
    pub penalty: Option<f32>,
}

/// A fact that could not be applied, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantined {
    /// Its number.
    pub seq: i64,
    /// What it says.
    pub kind: String,
    /// Its noun.
    pub payload: serde_json::Value,
    /// `parked` or `rejected`.
    pub outcome: &'static str,
    /// Why.
    pub error: String,
}

/// How far this hub has come; nobody else pushes for it until the transaction ends.
pub async fn lock_progress(conn: &mut PgConnection, hub: HubId) -> Result<Progress, sqlx::Error> {
    sqlx::query("insert into public.sync_state (hub_id) values ($1) on conflict (hub_id) do nothing")
        .bind(hub.0)
        .execute(&mut *conn)
        .await?;
    let row = sqlx::query("select epoch, acked_seq from public.sync_state where hub_id = $1 for update")
        .bind(hub.0)
        .fetch_one(conn)
        .await?;
    Ok(Progress { epoch: row.try_get(0)?, acked_seq: row.try_get(1)? })
}

/// Notes how far it has come.
pub async fn note_progress(
    conn: &mut PgConnection,
    hub: HubId,
    acked_seq: i64,
    last_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query("update public.sync_state set acked_seq = $2, last_hash = $3 where hub_id = $1")
        .bind(hub.0)
        .bind(acked_seq)
        .bind(last_hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// The first of these numbers that was taken with another content.
pub async fn first_fork(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i32,
    seqs: &[i64],
    hashes: &[Vec<u8>],
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select min(r.seq) from unnest($3::bigint[], $4::bytea[]) n (seq, hash)
         join private.sync_received r on r.hub_id = $1 and r.epoch = $2 and r.seq = n.seq
         where r.payload_hash <> n.hash",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(seqs)
    .bind(hashes)
    .fetch_one(conn)
    .await
}

/// Notes what was taken, and its content.
pub async fn note_received(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i32,
    seqs: &[i64],
    hashes: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.sync_received (hub_id, epoch, seq, payload_hash)
         select $1, $2, seq, hash from unnest($3::bigint[], $4::bytea[]) n (seq, hash)",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(seqs)
    .bind(hashes)
    .execute(conn)
    .await?;
    Ok(())
}

/// Listeners born at a hub.
pub async fn add_guests(
    conn: &mut PgConnection,
    venue: VenueId,
    guests: &[ListenerId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = guests.iter().map(|guest| guest.0).collect();
    sqlx::query(
        "insert into public.guests (id, venue_id) select distinct id, $1::uuid from unnest($2::uuid[]) g (id)
         on conflict (id) do nothing",
    )
    .bind(venue.0)
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(())
}

/// Presences: begun, or ended since they were told of. One of each id.
pub async fn put_sessions(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    sessions: &[Session],
) -> Result<(), sqlx::Error> {
    let ended = |session: &Session| {
        (session.status != roomtone_schema::session::SessionStatus::Active).then_some(session.last_seen_at)
    };
    sqlx::query(
        "insert into public.sessions (venue_id, hub_id, id, guest_id, zone_id, status, checked_in_at, expires_at, ended_at)
         select $1, $2, * from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::timestamptz[],
                                      $8::timestamptz[], $9::timestamptz[])
         on conflict (venue_id, id) do update
           set status = excluded.status, ended_at = excluded.ended_at, expires_at = excluded.expires_at,
               received_at = excluded.received_at
           -- What has ended stays so, in whatever order one hears of it.
           where sessions.status = 'active' and excluded.status <> 'active'",
    )
    .bind(venue.0)
    .bind(hub.0)
    .bind(column(sessions, |session| session.id.0))
    .bind(column(sessions, |session| session.listener.0))
    .bind(column(sessions, |session| session.zone.0))
    .bind(column(sessions, |session| word(&session.status)))
    .bind(column(sessions, |session| time(session.checked_in_at)))
    .bind(column(sessions, |session| time(session.expires_at)))
    .bind(column(sessions, |session| ended(session).map(time)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Votes.
pub async fn add_votes(conn: &mut PgConnection, venue: VenueId, votes: &[Vote]) -> Result<(), sqlx::Error> {
    let sign = |value| match value {
        VoteValue::Like => 1_i32,
        VoteValue::Dislike => -1,
    };
    sqlx::query(
        "insert into public.votes (venue_id, id, song_id, session_id, guest_id, vote_value, vote_time)
         select $1, * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[], $7::timestamptz[])
         on conflict (venue_id, id) do nothing",
    )
    .bind(venue.0)
    .bind(column(votes, |vote| vote.id.0))
    .bind(column(votes, |vote| vote.song.0))
    .bind(column(votes, |vote| vote.session.0))
    .bind(column(votes, |vote| vote.listener.0))
    .bind(column(votes, |vote| sign(vote.value)))
    .bind(column(votes, |vote| time(vote.cast_at)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Plays: begun, or ended since they were told of. One of each id.
pub async fn put_plays(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    plays: &[WeighedPlay],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.songs_playing (venue_id, hub_id, id, zone_id, player_id, song_id, pick_id, played_at, ended_at,
                                           ended, heard_ms, tier, similarity, penalty)
         select $1, $2, * from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::timestamptz[],
                                      $9::timestamptz[], $10::text[], $11::int[], $12::text[], $13::real[], $14::real[])
         on conflict (venue_id, id) do update
           set ended_at = excluded.ended_at, ended = excluded.ended, heard_ms = excluded.heard_ms,
               received_at = excluded.received_at
           where songs_playing.ended_at is null and excluded.ended_at is not null",
    )
    .bind(venue.0)
    .bind(hub.0)
    .bind(column(plays, |of| of.play.id.0))
    .bind(column(plays, |of| of.play.zone.0))
    .bind(column(plays, |of| of.play.player.0))
    .bind(column(plays, |of| of.play.song.0))
    .bind(column(plays, |of| of.play.pick.map(|pick| pick.0)))
    .bind(column(plays, |of| time(of.play.started_at)))
    .bind(column(plays, |of| of.play.ended_at.map(time)))
    .bind(column(plays, |of| of.play.ended.map(|ended| word(&ended))))
    .bind(column(plays, |of| of.play.heard_ms.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX))))
    .bind(column(plays, |of| word(&of.play.tier)))
    .bind(column(plays, |of| of.similarity))
    .bind(column(plays, |of| of.penalty))
    .execute(conn)
    .await?;
    Ok(())
}

/// Players, with the time from which they count as removed. One of each id. A zone that is not known here is left out.
pub async fn put_players(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    players: &[(Player, Option<UnixMillis>)],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.players (id, venue_id, hub_id, zone_id, name, created_at)
         select p.id, $1, $2, z.id, p.name, p.created_at
         from unnest($3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[]) p (id, zone_id, name, created_at)
         left join public.zones z on z.id = p.zone_id and z.venue_id = $1
         on conflict (id) do update
           set hub_id = excluded.hub_id, zone_id = excluded.zone_id, name = excluded.name",
    )
    .bind(venue.0)
    .bind(hub.0)
    .bind(column(players, |(player, _)| player.id.0))
    .bind(column(players, |(player, _)| player.zone.0))
    .bind(column(players, |(player, _)| player.name.clone()))
    .bind(column(players, |(player, _)| time(player.created_at)))
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update public.players p set revoked_at = n.removed_at from unnest($1::uuid[], $2::timestamptz[]) n (id, removed_at)
         where p.id = n.id and n.removed_at is not null and p.revoked_at is null",
    )
    .bind(column(players, |(player, _)| player.id.0))
    .bind(column(players, |(_, removed)| removed.map(time)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps what could not be applied.
pub async fn quarantine(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    epoch: i32,
    facts: &[Quarantined],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.sync_quarantine (hub_id, hub_epoch, venue_id, seq, kind, payload, outcome, error)
         select $1, $2, $3, * from unnest($4::bigint[], $5::text[], $6::jsonb[], $7::text[], $8::text[])
         on conflict (hub_id, hub_epoch, seq) do nothing",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(venue.0)
    .bind(column(facts, |fact| fact.seq))
    .bind(column(facts, |fact| fact.kind.clone()))
    .bind(column(facts, |fact| fact.payload.clone()))
    .bind(column(facts, |fact| fact.outcome.to_owned()))
    .bind(column(facts, |fact| fact.error.clone()))
    .execute(conn)
    .await?;
    Ok(())
}

fn column<T, C>(rows: &[T], value: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

/// A time as Postgres has it. [`crate::ingest`] refuses what lies beyond that.
fn time(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or(DateTime::UNIX_EPOCH)
}

/// An enum as the word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
