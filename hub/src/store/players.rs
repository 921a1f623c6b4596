//! Players: boxes with a loudspeaker. Only the hashes of a player's secrets are kept.

use roomtone_schema::id::Id;
use roomtone_schema::player::{Player, PlayerMode, PlayerStatus};
use roomtone_schema::{FactId, PlayerId, SongId, UnixMillis};
use roomtone_sync::wire::VolumeOrder;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;

const COLUMNS: &str = "id, name, tag, zone, status, current_song, last_seen_at, volume, silence_ms, created_at, \
                       paired, secret_made_at, mode";

/// A player with the hashes of what it may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The player.
    pub player: Player,
    /// Of the secret that counts.
    pub token: [u8; 32],
    /// Of the one that will count once it was shown.
    pub next: Option<[u8; 32]>,
    /// The number of the cloud's newest word on its volume that was followed.
    pub volume_order: i64,
}

/// Records a player with its fact. Its name must be free.
pub fn insert(tx: &Tx<'_>, op: FactId, player: &Player, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    insert_row(tx, player, token_hash)?;
    outbox::push(tx, FactKind::PlayerAdded, op, player.created_at, player)?;
    Ok(())
}

pub(super) fn insert_row(tx: &Tx<'_>, player: &Player, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into players (id, name, tag, zone, token_hash, status, current_song, last_seen_at, volume,
             silence_ms, created_at, paired, secret_made_at, mode)
         values (:id, :name, :tag, :zone, :token, :status, :song, :seen, :volume, :silence, :created, :paired,
             :made, :mode)",
    )?
    .execute(named_params! {
        ":id": player.id.to_bytes(), ":name": player.name, ":tag": player.tag, ":zone": player.zone.to_bytes(),
        ":token": token_hash, ":status": row::word(player.status)?,
        ":song": player.current_song.map(Id::to_bytes), ":seen": player.last_seen_at.map(|at| at.0),
        ":volume": player.volume, ":silence": player.silence_ms.cast_signed(), ":created": player.created_at.0,
        ":paired": player.paired, ":made": player.secret_made_at.map(|at| at.0), ":mode": row::word(player.mode)?,
    })?;
    Ok(())
}

/// The player that this token belongs to.
pub fn by_token_hash(conn: &Connection, token_hash: &[u8; 32]) -> rusqlite::Result<Option<Player>> {
    conn.prepare_cached(&format!("select {COLUMNS} from players where token_hash = :token"))?
        .query_row(named_params! { ":token": token_hash }, from_row)
        .optional()
}

/// Every player with what it may show, by id.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<Kept>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS}, token_hash, next_token_hash, volume_order from players order by id"
    ))?
    .query_map([], |row| {
        let (token, next, volume_order) = (row.get(13)?, row.get(14)?, row.get(15)?);
        Ok(Kept { player: from_row(row)?, token, next, volume_order })
    })?
    .collect()
}

/// Keeps a player's last sign of life. Heartbeats are state, not facts: write them down when something changes.
pub fn heartbeat(
    tx: &Tx<'_>,
    id: PlayerId,
    status: PlayerStatus,
    current_song: Option<SongId>,
    silence_ms: u64,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "update players set status = :status, current_song = :song, silence_ms = :silence, last_seen_at = :at
         where id = :id",
    )?
    .execute(named_params! {
        ":id": id.to_bytes(), ":status": row::word(status)?, ":song": current_song.map(Id::to_bytes),
        ":silence": silence_ms.cast_signed(), ":at": at.0,
    })?;
    Ok(())
}

/// Keeps how loud a player is to be, 0 to 1.
pub fn set_volume(tx: &Tx<'_>, id: PlayerId, volume: f32) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update players set volume = :volume where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":volume": volume })?;
    Ok(changed == 1)
}

/// Follows the cloud's word on how loud a player is to be, unless it was followed already or a newer one was.
pub fn follow_volume(tx: &Tx<'_>, id: PlayerId, order: VolumeOrder) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "update players set volume = :volume, volume_order = :number where id = :id and volume_order < :number",
        )?
        .execute(named_params! {
            ":id": id.to_bytes(), ":volume": share_of(order.percent), ":number": order.number,
        })?;
    Ok(changed == 1)
}

/// A volume in percent as a player is told it, 0 to 1.
pub fn share_of(percent: u8) -> f32 {
    f32::from(percent.min(100)) / 100.0
}

/// Keeps what was ordered last.
pub fn set_mode(tx: &Tx<'_>, id: PlayerId, mode: PlayerMode) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update players set mode = :mode where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":mode": row::word(mode)? })?;
    Ok(changed == 1)
}

/// Records that a player has another name, stands in another zone or was paired. Its name must be free.
pub fn change(tx: &Tx<'_>, op: FactId, player: &Player, at: UnixMillis) -> rusqlite::Result<bool> {
    let changed = change_row(tx, player)?;
    if changed {
        outbox::push(tx, FactKind::PlayerChanged, op, at, player)?;
    }
    Ok(changed)
}

pub(super) fn change_row(tx: &Tx<'_>, player: &Player) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "update players set name = :name, zone = :zone, paired = :paired, secret_made_at = :made
             where id = :id",
        )?
        .execute(named_params! {
            ":id": player.id.to_bytes(), ":name": player.name, ":zone": player.zone.to_bytes(),
            ":paired": player.paired, ":made": player.secret_made_at.map(|at| at.0),
        })?;
    Ok(changed == 1)
}

/// Gives a player another token; the old one, and one that was to follow it, open nothing from then on.
pub fn renew_token(tx: &Tx<'_>, id: PlayerId, token_hash: &[u8; 32]) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update players set token_hash = :token, next_token_hash = null where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":token": token_hash })?;
    Ok(changed == 1)
}

/// Keeps the secret that is to follow the one that was shown, where that is still the one that counts.
pub fn offer_token(
    tx: &Tx<'_>,
    id: PlayerId,
    shown: &[u8; 32],
    token_hash: &[u8; 32],
) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "update players set next_token_hash = :token where id = :id and token_hash = :shown and paired",
        )?
        .execute(named_params! { ":id": id.to_bytes(), ":shown": shown, ":token": token_hash })?;
    Ok(changed == 1)
}

/// The secret that was to follow was shown: it is the one that counts.
pub fn take_offered_token(
    tx: &Tx<'_>,
    id: PlayerId,
    token_hash: &[u8; 32],
    at: UnixMillis,
) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "update players set token_hash = next_token_hash, next_token_hash = null, secret_made_at = :at
             where id = :id and next_token_hash = :token",
        )?
        .execute(named_params! { ":id": id.to_bytes(), ":token": token_hash, ":at": at.0 })?;
    Ok(changed == 1)
}

/// Removes a player with its fact; its plays stay.
pub fn remove(tx: &Tx<'_>, op: FactId, player: &Player, at: UnixMillis) -> rusqlite::Result<bool> {
    let removed = remove_row(tx, player.id)?;
    if removed {
        outbox::push(tx, FactKind::PlayerRemoved, op, at, player)?;
    }
    Ok(removed)
}

pub(super) fn remove_row(tx: &Tx<'_>, id: PlayerId) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("delete from players where id = :id")?
        .execute(named_params! { ":id": id.to_bytes() })?;
    Ok(changed == 1)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Player> {
    Ok(Player {
        id: row::id(row, 0)?,
        name: row.get(1)?,
        tag: row.get(2)?,
        zone: row::id(row, 3)?,
        status: row::from_word(row, 4)?,
        current_song: row::maybe_id(row, 5)?,
        last_seen_at: row::maybe_time(row, 6)?,
        volume: row.get(7)?,
        silence_ms: row.get::<_, i64>(8)?.cast_unsigned(),
        created_at: row::time(row, 9)?,
        paired: row.get(10)?,
        secret_made_at: row::maybe_time(row, 11)?,
        mode: row::from_word(row, 12)?,
    })
}
