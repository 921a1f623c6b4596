//! Facts that the cloud keeps apart. Only its verdict brings a fact here, and only a person takes it away.

use roomtone_schema::id::Id as _;
use roomtone_schema::{FactId, UnixMillis};
use roomtone_sync::wire::{Apart, Fact, Outcome};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::outbox;
use super::row;
use super::tx::Tx;

/// A fact that the cloud keeps apart.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The fact.
    pub id: FactId,
    /// Under which number it was sent.
    pub seq: i64,
    /// What it says.
    pub kind: String,
    /// The noun, as JSON.
    pub payload: Vec<u8>,
    /// When it happened, by the hub's steady clock.
    pub at: UnixMillis,
    /// Whether the cloud tries again by itself.
    pub is_parked: bool,
    /// Why, in the cloud's words.
    pub reason: String,
    /// When the cloud said so.
    pub told_at: UnixMillis,
}

/// Keeps a fact with the cloud's verdict. One that comes a second time has the newer verdict.
pub(super) fn put(tx: &Tx<'_>, why: &Apart, fact: &Fact, now: UnixMillis) -> rusqlite::Result<()> {
    // Without its row, which cannot be: the payload alone tells which fact it is.
    let known = outbox::by_seq(tx, why.seq)?.map(|fact| fact.op_id);
    let id =
        known.unwrap_or_else(|| FactId::from_bytes(super::down_rows::short(blake3::hash(&fact.payload))));
    let outcome = if why.outcome == Outcome::Parked { "parked" } else { "rejected" };
    tx.prepare_cached(
        "insert into dead_letters (op_id, seq, kind, payload, hlc, outcome, reason, told_at)
         values (:id, :seq, :kind, :payload, :hlc, :outcome, :reason, :now)
         on conflict (op_id) do update set seq = excluded.seq, outcome = excluded.outcome,
             reason = excluded.reason, told_at = excluded.told_at",
    )?
    .execute(named_params! {
        ":id": id.to_bytes(), ":seq": why.seq, ":kind": fact.kind, ":payload": fact.payload,
        ":hlc": fact.hlc.cast_signed(), ":outcome": outcome, ":reason": why.reason, ":now": now.0,
    })?;
    Ok(())
}

/// Those that wait for a person or the cloud, newest first; at most `limit`.
pub fn newest(conn: &Connection, limit: u32) -> rusqlite::Result<Vec<DeadLetter>> {
    conn.prepare_cached(
        "select op_id, seq, kind, payload, hlc, outcome, reason, told_at from dead_letters
         order by seq desc limit ?1",
    )?
    .query_map(params![limit], from_row)?
    .collect()
}

/// How many there are.
pub fn count(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("select count(*) from dead_letters", [], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// The one with this id.
pub fn by_id(conn: &Connection, id: FactId) -> rusqlite::Result<Option<DeadLetter>> {
    conn.prepare_cached(
        "select op_id, seq, kind, payload, hlc, outcome, reason, told_at from dead_letters where op_id = ?1",
    )?
    .query_row(params![id.to_bytes()], from_row)
    .optional()
}

/// Takes one away for good.
pub fn discard(tx: &Tx<'_>, id: FactId) -> rusqlite::Result<Option<DeadLetter>> {
    let found = by_id(tx, id)?;
    tx.prepare_cached("delete from dead_letters where op_id = ?1")?.execute(params![id.to_bytes()])?;
    Ok(found)
}

/// Sends one again, as a new row of the outbox with the fact's own id.
pub fn retry(tx: &Tx<'_>, id: FactId) -> rusqlite::Result<Option<DeadLetter>> {
    let Some(letter) = discard(tx, id)? else { return Ok(None) };
    let kind: Option<outbox::FactKind> = serde_json::from_value(letter.kind.clone().into()).ok();
    if let Some(kind) = kind {
        // A row of the outbox is later than those before it; when it happened stands in the noun.
        let hlc = tx.hlc(letter.at).0;
        outbox::append(tx, kind, letter.id, hlc, &letter.payload)?;
    }
    Ok(Some(letter))
}

/// Forgets what a person has not decided on in all the time that acknowledged facts are kept.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from dead_letters where op_id in (
             select op_id from dead_letters where told_at < :before and outcome = 'parked' limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row::id(row, 0)?,
        seq: row.get(1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        at: UnixMillis(row.get::<_, i64>(4)? >> 16),
        is_parked: row.get::<_, String>(5)? == "parked",
        reason: row.get(6)?,
        told_at: row::time(row, 7)?,
    })
}
