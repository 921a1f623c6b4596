//! The outbox: every local fact, in the transaction that makes it true.
//!
//! Rows form a hash chain, so that bit rot is seen and rows of a damaged file can be trusted one by one.

use roomtone_schema::id::Id;
use roomtone_schema::{BootId, FactId, UnixMillis};
use roomtone_sync::chain::link;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hub_state;
use super::row;
use super::tx::Tx;

/// What a fact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// A song joined the catalogue.
    SongAdded,
    /// A song was taken out of it.
    SongWithdrawn,
    /// Somebody checked in.
    SessionStarted,
    /// Somebody left, or their time ran out.
    SessionEnded,
    /// A like or dislike.
    VoteCast,
    /// The recommender decided.
    PickMade,
    /// A song began on a player.
    PlayStarted,
    /// It ended.
    PlayEnded,
    /// A player was added.
    PlayerAdded,
    /// Its name, its place or how it is known here is another.
    PlayerChanged,
    /// It was taken out.
    PlayerRemoved,
    /// Somebody who is here showed by a ticket which profile of the cloud they are.
    ListenerSignedIn,
    /// What they had said as a guest counts for the profile.
    VotesClaimed,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Dense, never used twice.
    pub seq: i64,
    /// Counts the lives of this hub's database: one more after each restore.
    pub epoch: i64,
    /// The fact's own id; the same after a restore.
    pub op_id: FactId,
    /// What it says.
    pub kind: FactKind,
    /// The noun, as JSON.
    pub payload: Vec<u8>,
    /// When it happened, by the hybrid clock.
    pub hlc: u64,
    /// On which run of the machine.
    pub boot: BootId,
    /// By that run's monotonic clock.
    pub mono_ms: i64,
    /// By its wall clock.
    pub wall_ms: i64,
    /// Digest of the payload.
    pub payload_hash: [u8; 32],
    /// Digest of the chain so far.
    pub chain: [u8; 32],
}

impl Fact {
    /// The noun of the payload.
    pub fn noun<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.payload)
    }

    /// Whether the payload is what was written.
    pub fn is_sound(&self) -> bool {
        self.payload_hash == *blake3::hash(&self.payload).as_bytes()
    }

    /// Whether this row follows one whose chain was `before`.
    pub fn follows(&self, before: &[u8; 32]) -> bool {
        self.chain == link(before, &self.payload)
    }
}

/// Records that something happened at `at` (steady time). Belongs into the transaction that makes it true.
pub fn push(
    tx: &Tx<'_>,
    kind: FactKind,
    op: FactId,
    at: UnixMillis,
    payload: &impl Serialize,
) -> rusqlite::Result<i64> {
    let payload =
        serde_json::to_vec(payload).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let hlc = tx.hlc(at).0;
    append(tx, kind, op, hlc, &payload)
}

/// Appends a row with the next number and link.
pub(super) fn append(
    tx: &Tx<'_>,
    kind: FactKind,
    op: FactId,
    hlc: u64,
    payload: &[u8],
) -> rusqlite::Result<i64> {
    let stamp = tx.stamp();
    let known = tx.known;
    let epoch = known.epoch.get().map_or_else(|| hub_state::epoch(tx), Ok)?;
    let chain = link(&known.chain.get().map_or_else(|| last_chain(tx), Ok)?, payload);
    tx.execute_again("insert into outbox (epoch, op_id, kind, payload, payload_hash, hlc, boot_id, mono_ms, wall_ms, chain)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)", params![
        epoch,
        op.to_bytes(),
        row::word(kind)?,
        payload,
        *blake3::hash(payload).as_bytes(),
        hlc.cast_signed(),
        stamp.boot.to_bytes(),
        stamp.mono_ms,
        stamp.wall_ms,
        chain,
    ])?;
    known.epoch.set(Some(epoch));
    known.chain.set(Some(chain));
    let seq = tx.last_insert_rowid();
    tx.note_seq(seq);
    Ok(seq)
}

/// Up to `limit` facts after `seq`, oldest first.
pub fn after(conn: &Connection, seq: i64, limit: u32) -> rusqlite::Result<Vec<Fact>> {
    conn.prepare_cached(
        "select seq, epoch, op_id, kind, payload, hlc, boot_id, mono_ms, wall_ms, payload_hash, chain
         from outbox where seq > :seq order by seq limit :limit",
    )?
    .query_map(named_params! { ":seq": seq, ":limit": limit }, from_row)?
    .collect()
}

/// The fact with this number.
pub fn by_seq(conn: &Connection, seq: i64) -> rusqlite::Result<Option<Fact>> {
    conn.prepare_cached(
        "select seq, epoch, op_id, kind, payload, hlc, boot_id, mono_ms, wall_ms, payload_hash, chain
         from outbox where seq = :seq",
    )?
    .query_row(named_params! { ":seq": seq }, from_row)
    .optional()
}

/// How many of the newest `limit` facts are not what was written: damage that SQLite itself cannot see.
pub(super) fn unsound(conn: &Connection, limit: u32) -> rusqlite::Result<u64> {
    let newest = last_seq(conn)?;
    let facts = after(conn, newest - i64::from(limit), limit)?;
    let broken_links = facts
        .windows(2)
        .filter(|pair| pair[1].seq == pair[0].seq + 1 && !pair[1].follows(&pair[0].chain))
        .count();
    let broken_payloads = facts.iter().filter(|fact| !fact.is_sound()).count();
    Ok(broken_links.max(broken_payloads) as u64)
}

/// The number of the newest fact; 0 before the first.
pub fn last_seq(conn: &Connection) -> rusqlite::Result<i64> {
    let newest = conn.prepare_cached("select max(seq) from outbox")?.query_row([], |row| row.get(0))?;
    match newest {
        Some(seq) => Ok(seq),
        // Nothing left of it but the number: AUTOINCREMENT remembers.
        None => Ok(conn
            .query_row("select seq from sqlite_sequence where name = 'outbox'", [], |row| row.get(0))
            .optional()?
            .unwrap_or(0)),
    }
}

/// The number up to which the cloud has everything.
pub fn acknowledged(conn: &Connection) -> rusqlite::Result<i64> {
    Ok(hub_state::get(conn, hub_state::ACKNOWLEDGED)?.unwrap_or(0))
}

/// Notes that the cloud has everything up to `seq`. Never goes back.
pub fn acknowledge(tx: &Tx<'_>, seq: i64) -> rusqlite::Result<()> {
    let further = acknowledged(tx)?.max(seq);
    hub_state::put(tx, hub_state::ACKNOWLEDGED, further)
}

/// When the oldest unacknowledged fact happened.
pub fn oldest_pending(conn: &Connection) -> rusqlite::Result<Option<UnixMillis>> {
    let hlc: Option<i64> = conn
        .prepare_cached("select hlc from outbox where seq > :seq order by seq limit 1")?
        .query_row(named_params! { ":seq": acknowledged(conn)? }, |row| row.get(0))
        .optional()?;
    Ok(hlc.map(|hlc| UnixMillis(hlc >> 16)))
}

/// Removes facts from before their time: acknowledged ones that happened before `acknowledged_before`, any before
/// `any_before`. The newest row always stays, for the chain hangs on it.
pub(super) fn purge(
    tx: &Tx<'_>,
    acknowledged_before: UnixMillis,
    any_before: UnixMillis,
    limit: u32,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from outbox where seq in (
             select seq from outbox
             where seq < (select max(seq) from outbox)
               and (hlc < :any or (seq <= :acknowledged and hlc < :old))
             order by seq limit :limit)",
    )?
    .execute(named_params! {
        ":any": any_before.0 << 16, ":old": acknowledged_before.0 << 16,
        ":acknowledged": acknowledged(tx)?, ":limit": limit,
    })
}

/// The newest reading of the hybrid clock in any row.
pub(super) fn last_hlc(conn: &Connection) -> rusqlite::Result<u64> {
    let hlc: Option<i64> = conn
        .prepare_cached("select hlc from outbox order by seq desc limit 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(hlc.unwrap_or(0).cast_unsigned())
}

fn last_chain(conn: &Connection) -> rusqlite::Result<[u8; 32]> {
    let chain = conn
        .prepare_cached("select chain from outbox order by seq desc limit 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(chain.unwrap_or([0; 32]))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Fact> {
    Ok(Fact {
        seq: row.get(0)?,
        epoch: row.get(1)?,
        op_id: row::id(row, 2)?,
        kind: row::from_word(row, 3)?,
        payload: row.get(4)?,
        hlc: row.get::<_, i64>(5)?.cast_unsigned(),
        boot: row::id(row, 6)?,
        mono_ms: row.get(7)?,
        wall_ms: row.get(8)?,
        payload_hash: row.get(9)?,
        chain: row.get(10)?,
    })
}
