//! What hubs tell: whole batches per statement. Every function here may be called twice with the same facts, and the
//! second call changes nothing.

use chrono::{DateTime, Utc};
use roomtone_schema::play::Play;
use roomtone_schema::player::Player;
use roomtone_schema::session::Session;
use roomtone_schema::vote::Vote;
use roomtone_schema::{BootId, DeadLetterId, HubId, ListenerId, UnixMillis, VenueId};
use roomtone_sync::clocks::Moment;
use roomtone_sync::wire::Hash;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::tastes::sign;

/// A vote as it is kept: its times mended, its song by the catalogue's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptVote {
    /// The vote.
    pub vote: Vote,
    /// Whether whoever cast it has an account.
    pub is_profiles: bool,
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
    /// What it is dated by.
    pub moment: Moment,
    /// `parked` or `rejected`.
    pub outcome: &'static str,
    /// Why.
    pub error: String,
}

/// The first of these numbers that was taken with another content.
pub async fn first_fork(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
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

/// Notes what was taken, and its content, and the chain's link behind the last.
pub async fn note_received(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
    seqs: &[i64],
    hashes: &[Vec<u8>],
    link: Option<Hash>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.sync_received (hub_id, epoch, seq, payload_hash, link)
         select $1, $2, seq, hash, case when seq = $5 then $6::bytea end from unnest($3::bigint[], $4::bytea[]) n (seq, hash)
         on conflict (hub_id, epoch, seq) do nothing",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(seqs)
    .bind(hashes)
    .bind(seqs.last())
    .bind(link.map(|link| link.to_vec()))
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

/// Presences: begun, or ended since they were told of; and whether they are of somebody with an account. One of each id.
pub async fn put_sessions(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    sessions: &[(Session, bool)],
) -> Result<(), sqlx::Error> {
    let ended = |session: &Session| {
        (session.status != roomtone_schema::session::SessionStatus::Active).then_some(session.last_seen_at)
    };
    sqlx::query(
        "insert into public.sessions (venue_id, hub_id, id, guest_id, user_id, zone_id, status, checked_in_at, expires_at, ended_at)
         select $1, $2, * from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::timestamptz[],
                                      $9::timestamptz[], $10::timestamptz[])
         on conflict (venue_id, id) do update
           set status = excluded.status, ended_at = excluded.ended_at, expires_at = excluded.expires_at,
               received_at = excluded.received_at
           -- What has ended stays so, in whatever order one hears of it.
           where sessions.status = 'active' and excluded.status <> 'active'",
    )
    .bind(venue.0)
    .bind(hub.0)
    .bind(column(sessions, |(session, _)| session.id.0))
    .bind(column(sessions, |(session, is_profiles)| (!is_profiles).then_some(session.listener.0)))
    .bind(column(sessions, |(session, is_profiles)| is_profiles.then_some(session.listener.0)))
    .bind(column(sessions, |(session, _)| session.zone.0))
    .bind(column(sessions, |(session, _)| word(&session.status)))
    .bind(column(sessions, |(session, _)| time(session.checked_in_at)))
    .bind(column(sessions, |(session, _)| time(session.expires_at)))
    .bind(column(sessions, |(session, _)| ended(session).map(time)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Votes.
pub async fn add_votes(
    conn: &mut PgConnection,
    venue: VenueId,
    votes: &[KeptVote],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.votes (venue_id, id, song_id, session_id, guest_id, user_id, vote_value, vote_time, hlc)
         select $1, * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int[], $8::timestamptz[],
                                  $9::bigint[])
         on conflict (venue_id, id) do nothing",
    )
    .bind(venue.0)
    .bind(column(votes, |of| of.vote.id.0))
    .bind(column(votes, |of| of.vote.song.0))
    .bind(column(votes, |of| of.vote.session.0))
    .bind(column(votes, |of| (!of.is_profiles).then_some(of.vote.listener.0)))
    .bind(column(votes, |of| of.is_profiles.then_some(of.vote.listener.0)))
    .bind(column(votes, |of| sign(of.vote.value)))
    .bind(column(votes, |of| time(of.vote.cast_at)))
    .bind(column(votes, |of| of.vote.hlc.0.cast_signed()))
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
           set ended_at = excluded.ended_at, ended = excluded.ended, heard_ms = excluded.heard_ms, tier = excluded.tier,
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
    epoch: i64,
    facts: &[Quarantined],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.sync_quarantine (hub_id, hub_epoch, venue_id, seq, kind, payload, outcome, error, hlc, boot, mono_ms)
         select $1, $2, $3, * from unnest($4::bigint[], $5::text[], $6::jsonb[], $7::text[], $8::text[], $9::bigint[],
                                          $10::uuid[], $11::bigint[])
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
    .bind(column(facts, |fact| fact.moment.hlc.cast_signed()))
    .bind(column(facts, |fact| fact.moment.boot.0))
    .bind(column(facts, |fact| fact.moment.mono_ms))
    .execute(conn)
    .await?;
    Ok(())
}

/// What is kept apart of some numbers: seq, outcome and why.
pub async fn apart(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
    numbers: std::ops::RangeInclusive<i64>,
) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select seq, outcome, error from public.sync_quarantine
         where hub_id = $1 and hub_epoch = $2 and seq between $3 and $4 order by seq",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(numbers.start())
    .bind(numbers.end())
    .fetch_all(conn)
    .await
}

/// A fact that waits, and of which life of the hub's database it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The life.
    pub epoch: i64,
    /// Its number.
    pub seq: i64,
    /// What it says.
    pub kind: String,
    /// Its noun.
    pub payload: serde_json::Value,
    /// What it is dated by.
    pub moment: Moment,
}

/// A hub's parked facts, those first that were not tried for the longest time.
pub async fn waiting(conn: &mut PgConnection, hub: HubId, most: i64) -> Result<Vec<Waiting>, sqlx::Error> {
    let rows = sqlx::query(
        "select hub_epoch, seq, kind, payload, boot, mono_ms, hlc from public.sync_quarantine
         where hub_id = $1 and outcome = 'parked' order by tried_at nulls first, hub_epoch, seq limit $2",
    )
    .bind(hub.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter().map(Waiting::read).collect()
}

/// A hub's fact that waits, by the id that people know it by.
pub async fn waiting_letter(
    conn: &mut PgConnection,
    hub: HubId,
    letter: DeadLetterId,
) -> Result<Option<Waiting>, sqlx::Error> {
    let row = sqlx::query(
        "select hub_epoch, seq, kind, payload, boot, mono_ms, hlc from public.sync_quarantine
         where hub_id = $1 and id = $2 and outcome = 'parked'",
    )
    .bind(hub.0)
    .bind(letter.0)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(Waiting::read).transpose()
}

impl Waiting {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let boot = BootId(row.try_get(4)?);
        let moment =
            Moment { boot, mono_ms: row.try_get(5)?, hlc: row.try_get::<i64, _>(6)?.cast_unsigned() };
        let (epoch, seq) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Self { epoch, seq, kind: row.try_get(2)?, payload: row.try_get(3)?, moment })
    }
}

/// A fact that was kept apart is applied now.
pub async fn release(conn: &mut PgConnection, hub: HubId, epoch: i64, seq: i64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from public.sync_quarantine where hub_id = $1 and hub_epoch = $2 and seq = $3")
        .bind(hub.0)
        .bind(epoch)
        .bind(seq)
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that a fact was tried again, and what came of it.
pub async fn note_tried(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
    fact: &Quarantined,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.sync_quarantine set tried_at = now(), outcome = $4, error = $5
         where hub_id = $1 and hub_epoch = $2 and seq = $3",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(fact.seq)
    .bind(fact.outcome)
    .bind(&fact.error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Hubs with parked facts, and their venues.
pub async fn hubs_that_wait(conn: &mut PgConnection) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "select distinct q.hub_id, q.venue_id from public.sync_quarantine q join public.hubs h on h.id = q.hub_id
         where q.outcome = 'parked' and h.revoked_at is null and h.venue_id = q.venue_id",
    )
    .fetch_all(conn)
    .await
}

/// A column of some rows.
pub(super) fn column<T, C>(rows: &[T], value: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

/// A time as Postgres has it. [`crate::ingest`] refuses what lies beyond that.
pub(super) fn time(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or(DateTime::UNIX_EPOCH)
}

/// An enum as the word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
