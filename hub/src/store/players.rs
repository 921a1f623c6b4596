//! Players: boxes with a loudspeaker. Only the hash of a player's token is kept.

use roomtone_schema::id::Id;
use roomtone_schema::player::{Player, PlayerStatus};
use roomtone_schema::{FactId, PlayerId, SongId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;

const COLUMNS: &str =
    "id, name, tag, zone, status, current_song, last_seen_at, volume, silence_ms, created_at";

/// Records a player with its fact. Its name must be free.
pub fn insert(tx: &Tx<'_>, op: FactId, player: &Player, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    insert_row(tx, player, token_hash)?;
    outbox::push(tx, FactKind::PlayerAdded, op, player.created_at, player)?;
    Ok(())
}

pub(super) fn insert_row(tx: &Tx<'_>, player: &Player, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into players (id, name, tag, zone, token_hash, status, current_song, last_seen_at, volume,
             silence_ms, created_at)
         values (:id, :name, :tag, :zone, :token, :status, :song, :seen, :volume, :silence, :created)",
    )?
    .execute(named_params! {
        ":id": player.id.to_bytes(), ":name": player.name, ":tag": player.tag, ":zone": player.zone.to_bytes(),
        ":token": token_hash, ":status": row::word(player.status)?,
        ":song": player.current_song.map(Id::to_bytes), ":seen": player.last_seen_at.map(|at| at.0),
        ":volume": player.volume, ":silence": player.silence_ms.cast_signed(), ":created": player.created_at.0,
    })?;
    Ok(())
}

/// The player that this token belongs to.
pub fn by_token_hash(conn: &Connection, token_hash: &[u8; 32]) -> rusqlite::Result<Option<Player>> {
    conn.prepare_cached(&format!("select {COLUMNS} from players where token_hash = :token"))?
        .query_row(named_params! { ":token": token_hash }, from_row)
        .optional()
}

/// Every player with the hash of its token, by id.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<(Player, [u8; 32])>> {
    conn.prepare_cached(&format!("select {COLUMNS}, token_hash from players order by id"))?
        .query_map([], |row| Ok((from_row(row)?, row.get(10)?)))?
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

/// Gives a player another name, which must be free.
pub fn rename(tx: &Tx<'_>, id: PlayerId, name: &str) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update players set name = :name where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":name": name })?;
    Ok(changed == 1)
}

/// Gives a player another token; the old one opens nothing from then on.
pub fn renew_token(tx: &Tx<'_>, id: PlayerId, token_hash: &[u8; 32]) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached("update players set token_hash = :token where id = :id")?
        .execute(named_params! { ":id": id.to_bytes(), ":token": token_hash })?;
    Ok(changed == 1)
}

/// Removes a player; its plays stay.
pub fn remove(tx: &Tx<'_>, id: PlayerId) -> rusqlite::Result<bool> {
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
    })
}
