//! Where each hub stands: its epoch, who speaks as it, what it has told, and what its clocks read.

use chrono::{DateTime, Utc};
use roomtone_schema::{BootId, HubId, OrganisationId, UnixMillis, VenueId};
use roomtone_sync::clocks::Sample;
use roomtone_sync::fencing::Seat;
use roomtone_sync::store::KnownHub;
use roomtone_sync::wire::{Hash, Hello, PlayerTold, ZoneTold};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::facts::{column, time};

/// One sample of a run's clocks is kept for so long a time of that run.
const SLOT_MS: i64 = 10 * 60 * 1_000;

/// The hub of that id that is enrolled and not revoked.
pub async fn known_hub(conn: &mut PgConnection, hub: HubId) -> Result<Option<KnownHub>, sqlx::Error> {
    let row = sqlx::query(
        "select h.venue_id, v.organisation_id, h.public_key, h.next_public_key
         from public.hubs h join public.venues v on v.id = h.venue_id
         where h.id = $1 and h.revoked_at is null and h.public_key is not null",
    )
    .bind(hub.0)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let keys: [Option<Vec<u8>>; 2] = [row.try_get(2)?, row.try_get(3)?];
    let keys = keys.into_iter().flatten().filter_map(|key| key.try_into().ok()).collect();
    let (venue, organisation) = (VenueId(row.try_get(0)?), OrganisationId(row.try_get(1)?));
    Ok(Some(KnownHub { id: hub, venue, organisation, keys }))
}

/// Whether the hub in whose name this is may still speak.
pub async fn is_welcome(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.hub_venue() is not null").fetch_one(conn).await
}

/// A hub's place, and whether a run of it holds it; nobody else reads it until the transaction ends.
pub async fn lock(conn: &mut PgConnection, hub: HubId) -> Result<(Seat, bool), sqlx::Error> {
    sqlx::query("insert into public.sync_state (hub_id) values ($1) on conflict (hub_id) do nothing")
        .bind(hub.0)
        .execute(&mut *conn)
        .await?;
    let row = sqlx::query(
        "select epoch, acked_seq, instance_nonce, lease_until, last_hash from public.sync_state where hub_id = $1 for update",
    )
    .bind(hub.0)
    .fetch_one(conn)
    .await?;
    let instance: Option<Uuid> = row.try_get(2)?;
    let lease_until: Option<DateTime<Utc>> = row.try_get(3)?;
    let seat = Seat {
        epoch: row.try_get(0)?,
        ack: row.try_get(1)?,
        instance: instance.unwrap_or_default(),
        lease_until: UnixMillis(lease_until.map_or(0, |until| until.timestamp_millis())),
        chain: hash(row.try_get(4)?),
    };
    Ok((seat, instance.is_some()))
}

/// Notes a hub's place.
pub async fn put(conn: &mut PgConnection, hub: HubId, seat: &Seat) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.sync_state set epoch = $2, acked_seq = $3, instance_nonce = $4, lease_until = $5, last_hash = $6
         where hub_id = $1",
    )
    .bind(hub.0)
    .bind(seat.epoch)
    .bind(seat.ack)
    .bind(seat.instance)
    .bind(time(seat.lease_until))
    .bind(seat.chain.map(|link| link.to_vec()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what a person should hear of, and which other run it was where there are two.
pub async fn note_news(
    conn: &mut PgConnection,
    hub: HubId,
    news: &str,
    rival: Option<Uuid>,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update public.sync_state set news = $2, news_at = $3, rival = coalesce($4, rival),
                rival_at = case when $4::uuid is null then rival_at else $3 end
         where hub_id = $1",
    )
    .bind(hub.0)
    .bind(news)
    .bind(time(now))
    .bind(rival)
    .execute(conn)
    .await?;
    Ok(())
}

/// The chain's link at a number of an epoch, where a push ended there.
pub async fn link_at(
    conn: &mut PgConnection,
    hub: HubId,
    epoch: i64,
    seq: i64,
) -> Result<Option<Hash>, sqlx::Error> {
    let link: Option<Option<Vec<u8>>> = sqlx::query_scalar(
        "select link from private.sync_received where hub_id = $1 and epoch = $2 and seq = $3",
    )
    .bind(hub.0)
    .bind(epoch)
    .bind(seq)
    .fetch_optional(conn)
    .await?;
    Ok(hash(link.flatten()))
}

fn hash(bytes: Option<Vec<u8>>) -> Option<Hash> {
    bytes.and_then(|bytes| bytes.try_into().ok())
}

/// Notes what a hub says of itself.
pub async fn note_hub(
    conn: &mut PgConnection,
    hub: HubId,
    hello: &Hello,
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let skew = hello.now.wall_ms.saturating_sub(now.0);
    sqlx::query(
        "update public.hubs set software = left($2, 80), clock_skew_ms = $3, pending_operations = $4, last_seen_at = $5,
                guests_cut_off = $6
         where id = $1",
    )
    .bind(hub.0)
    .bind(hello.software.replace('\0', ""))
    .bind(i32::try_from(skew).unwrap_or(if skew < 0 { i32::MIN } else { i32::MAX }))
    .bind(i32::try_from(hello.pending).unwrap_or(i32::MAX))
    .bind(time(now))
    .bind(hello.guests_cut_off)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes what a run's clock read just now.
pub async fn add_sample(conn: &mut PgConnection, hub: HubId, sample: Sample) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.clock_samples (hub_id, boot, slot, mono_ms, cloud_at) values ($1, $2, $3, $4, $5)
         on conflict (hub_id, boot, slot) do nothing",
    )
    .bind(hub.0)
    .bind(sample.boot.0)
    .bind(sample.mono_ms.div_euclid(SLOT_MS))
    .bind(sample.mono_ms)
    .bind(time(sample.cloud))
    .execute(conn)
    .await?;
    Ok(())
}

/// What the clocks of some runs read, and when.
pub async fn samples(
    conn: &mut PgConnection,
    hub: HubId,
    boots: &[Uuid],
) -> Result<Vec<Sample>, sqlx::Error> {
    let rows = sqlx::query(
        "select boot, mono_ms, cloud_at from private.clock_samples where hub_id = $1 and boot = any ($2) order by boot, slot",
    )
    .bind(hub.0)
    .bind(boots)
    .fetch_all(conn)
    .await?;
    let mut samples = Vec::with_capacity(rows.len());
    for row in rows {
        let cloud: DateTime<Utc> = row.try_get(2)?;
        let (boot, cloud) = (BootId(row.try_get(0)?), UnixMillis(cloud.timestamp_millis()));
        samples.push(Sample { boot, mono_ms: row.try_get(1)?, cloud });
    }
    Ok(samples)
}

/// Finds a hub's zones by their names.
pub async fn put_zones(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    zones: &[ZoneTold],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.zone_aliases (hub_id, hub_zone, zone_id)
         select distinct on (n.id) $1::uuid, n.id, z.id from unnest($3::uuid[], $4::text[]) n (id, name)
         join public.zones z on z.venue_id = $2 and z.name = n.name and z.archived_at is null
         on conflict (hub_id, hub_zone) do update set zone_id = excluded.zone_id
           where zone_aliases.zone_id <> excluded.zone_id",
    )
    .bind(hub.0)
    .bind(venue.0)
    .bind(column(zones, |zone| zone.id.0))
    .bind(column(zones, |zone| zone.name.replace('\0', "")))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes the latest state of a hub's players, as far as they are known here.
pub async fn note_players(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    players: &[PlayerTold],
) -> Result<(), sqlx::Error> {
    let known = |word: &str, words: &[&str]| words.contains(&word).then(|| word.to_owned());
    let seconds = |ms: u64| i32::try_from(ms / 1_000).unwrap_or(i32::MAX);
    sqlx::query(
        "update public.players p set status = coalesce(n.status, 'offline'), tier = n.tier, current_song_id = s.id,
                last_poll_at = coalesce(n.seen, p.last_poll_at), silence_seconds = n.silence,
                volume_percent = case when p.volume_order <= n.volume_order then n.volume else p.volume_percent end
         from unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[], $8::int[], $9::smallint[], $10::bigint[])
              n (id, status, tier, song, seen, silence, volume, volume_order)
         left join private.song_aliases a on a.hub_song = n.song
         left join public.songs s on s.id = coalesce(a.song_id, n.song)
         where p.id = n.id and p.venue_id = $2 and p.hub_id = $1 and p.revoked_at is null",
    )
    .bind(hub.0)
    .bind(venue.0)
    .bind(column(players, |player| player.id.0))
    .bind(column(players, |player| known(&player.status, &["active", "idle", "offline"])))
    .bind(column(players, |player| player.tier.as_deref().and_then(|tier| known(tier, &["hub", "plan", "cache"]))))
    .bind(column(players, |player| player.song.map(|song| song.0)))
    .bind(column(players, |player| player.last_seen_at.map(time)))
    .bind(column(players, |player| seconds(player.silence_ms)))
    .bind(column(players, |player| player.volume.map(|volume| i16::from(volume.percent.min(100)))))
    .bind(column(players, |player| player.volume.map(|volume| volume.number)))
    .execute(conn)
    .await?;
    Ok(())
}

/// What people call the venue and the hub.
pub async fn names(conn: &mut PgConnection, hub: HubId) -> Result<(String, String), sqlx::Error> {
    let row = sqlx::query(
        "select v.name, h.name from public.hubs h join public.venues v on v.id = h.venue_id where h.id = $1",
    )
    .bind(hub.0)
    .fetch_one(conn)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// When the venue's zones last heard its songs since then, the newest first.
pub async fn heard(
    conn: &mut PgConnection,
    hub: HubId,
    venue: VenueId,
    since: UnixMillis,
    most: i64,
) -> Result<Vec<(Uuid, Uuid, UnixMillis)>, sqlx::Error> {
    // Ids say when by themselves, within a day of what the fact says.
    let rows = sqlx::query(
        "select coalesce(a.hub_zone, p.zone_id), p.song_id, max(p.played_at)
         from public.songs_playing p left join private.zone_aliases a on a.hub_id = $1 and a.zone_id = p.zone_id
         where p.venue_id = $2 and p.played_at >= $3 and p.id >= private.uuid7_floor($3 - interval '1 day')
           and p.zone_id is not null
         group by 1, 2 order by 3 desc limit $4",
    )
    .bind(hub.0)
    .bind(venue.0)
    .bind(time(UnixMillis(since.0.max(86_400_000))))
    .bind(most)
    .fetch_all(conn)
    .await?;
    let mut heard = Vec::with_capacity(rows.len());
    for row in rows {
        let at: DateTime<Utc> = row.try_get(2)?;
        heard.push((row.try_get(0)?, row.try_get(1)?, UnixMillis(at.timestamp_millis())));
    }
    Ok(heard)
}
