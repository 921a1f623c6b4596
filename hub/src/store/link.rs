//! How this hub stands with its cloud: what was acknowledged, how far each feed was read, which run was welcomed.

use roomtone_schema::UnixMillis;
use roomtone_sync::store::LinkState;
use roomtone_sync::wire::{Apart, Cursor, Fact, Scope};
use rusqlite::{Connection, OptionalExtension, named_params, params};
use uuid::Uuid;

use super::tx::Tx;
use super::{dead_letters, hub_state, outbox, row};

/// How the hub stands; `lies_at` is where its database lies now.
pub fn state(conn: &Connection, lies_at: [u8; 32]) -> rusqlite::Result<LinkState> {
    let last_seq = outbox::last_seq(conn)?;
    let acked = outbox::acknowledged(conn)?;
    let oldest: Option<i64> = conn.query_row("select min(seq) from outbox", [], |row| row.get(0))?;
    let lay_at: Option<[u8; 32]> = hub_state::get(conn, hub_state::LIES_AT)?;
    let predecessor: Option<[u8; 16]> = hub_state::get(conn, hub_state::INSTANCE)?;
    Ok(LinkState {
        epoch: hub_state::epoch(conn)?,
        predecessor: predecessor.map(Uuid::from_bytes),
        moved: lay_at.is_some_and(|lay_at| lay_at != lies_at),
        last_seq,
        acked,
        oldest: oldest.unwrap_or(last_seq + 1),
        acked_chain: link_at(conn, acked)?,
        cursors: cursors(conn)?,
        revisions: revisions(conn)?,
    })
}

/// The chain's link at a number: zeros before the first, `None` where the row is gone.
fn link_at(conn: &Connection, seq: i64) -> rusqlite::Result<Option<[u8; 32]>> {
    if seq == 0 {
        return Ok(Some([0; 32]));
    }
    conn.prepare_cached("select chain from outbox where seq = ?1")?
        .query_row(params![seq], |row| row.get(0))
        .optional()
}

fn revisions(conn: &Connection) -> rusqlite::Result<Vec<(String, u32)>> {
    conn.prepare_cached("select kind, revision from sync_revisions order by kind")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Notes up to which revision a kind was taken.
pub fn note_revision(tx: &Tx<'_>, kind: &str, revision: u32) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into sync_revisions (kind, revision) values (?1, ?2)
         on conflict (kind) do update set revision = excluded.revision",
    )?
    .execute(params![kind, revision])?;
    Ok(())
}

/// Which run this is: `drawn`, or one that ended here before it was noted as welcomed. A copy of the database that lies
/// elsewhere is never that one.
pub fn begin(tx: &Tx<'_>, drawn: Uuid, lies_at: [u8; 32]) -> rusqlite::Result<Uuid> {
    let welcomed: Option<[u8; 16]> = hub_state::get(tx, hub_state::INSTANCE)?;
    let begun: Option<[u8; 48]> = hub_state::get(tx, hub_state::BEGUN)?;
    if let Some(begun) = begun
        && begun[16..] == lies_at
        && welcomed.is_none_or(|welcomed| begun[..16] != welcomed)
        && let Ok(unsettled) = Uuid::from_slice(&begun[..16])
    {
        return Ok(unsettled);
    }
    let mut begun = [0; 48];
    begun[..16].copy_from_slice(drawn.as_bytes());
    begun[16..].copy_from_slice(&lies_at);
    hub_state::put(tx, hub_state::BEGUN, begun)?;
    Ok(drawn)
}

/// Notes that a run was welcomed, and where the database lies.
pub fn settle_instance(tx: &Tx<'_>, instance: Uuid, lies_at: [u8; 32]) -> rusqlite::Result<()> {
    hub_state::put(tx, hub_state::INSTANCE, *instance.as_bytes())?;
    hub_state::put(tx, hub_state::LIES_AT, lies_at)
}

/// Facts after `seq` without a gap, at most `most`, and until their payloads have `bytes`; with the link before the first.
pub fn facts_after(
    conn: &Connection,
    seq: i64,
    most: usize,
    bytes: usize,
) -> rusqlite::Result<([u8; 32], Vec<Fact>)> {
    let before = link_at(conn, seq)?.unwrap_or([0; 32]);
    let mut select = conn.prepare_cached(
        "select seq, kind, payload, hlc, boot_id, mono_ms, wall_ms from outbox where seq > ?1 order by seq limit ?2",
    )?;
    let mut rows = select.query(params![seq, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let (mut facts, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let expected = seq + 1 + facts.len() as i64;
        let payload: Vec<u8> = row.get(2)?;
        size += payload.len();
        if row.get::<_, i64>(0)? != expected || (!facts.is_empty() && bytes < size) {
            break;
        }
        facts.push(Fact {
            kind: row.get(1)?,
            payload,
            hlc: row.get::<_, i64>(3)?.cast_unsigned(),
            boot: row::id(row, 4)?,
            mono_ms: row.get(5)?,
            wall_ms: row.get(6)?,
        });
    }
    Ok((before, facts))
}

/// Notes that the cloud has everything up to `ack`, and keeps what it keeps apart.
pub fn acknowledge(tx: &Tx<'_>, ack: i64, apart: &[(Apart, Fact)], now: UnixMillis) -> rusqlite::Result<()> {
    for (why, fact) in apart {
        dead_letters::put(tx, why, fact, now)?;
    }
    outbox::acknowledge(tx, ack)
}

/// Goes on in an epoch behind `ack`, also where that is further back. Facts keep their numbers; `epoch` of a row of the
/// outbox says in which it was written, what counts is the one it is pushed in.
pub fn go_on_from(tx: &Tx<'_>, epoch: i64, ack: i64) -> rusqlite::Result<()> {
    if hub_state::epoch(tx)? != epoch {
        hub_state::put(tx, hub_state::EPOCH, epoch)?;
        hub_state::put(tx, hub_state::EPOCH_START, ack)?;
        tx.known.forget();
    }
    hub_state::put(tx, hub_state::ACKNOWLEDGED, ack)
}

/// Up to which fact the cloud had everything when this epoch began.
pub(super) fn epoch_start(conn: &Connection) -> rusqlite::Result<i64> {
    Ok(hub_state::get(conn, hub_state::EPOCH_START)?.unwrap_or(0))
}

/// Where each scope was read to; those that were never read to any place are not in it.
pub fn cursors(conn: &Connection) -> rusqlite::Result<Vec<(Scope, Cursor)>> {
    let mut select = conn
        .prepare_cached("select scope, seq, tag from sync_scopes where seq <> 0 or tag <> 0 order by id")?;
    let rows = select.query_map([], |row| {
        let scope: String = row.get(0)?;
        Ok((scope, Cursor { seq: row.get(1)?, tag: row.get(2)? }))
    })?;
    let known = rows.map(|row| row.map(|(scope, cursor)| Some((scope.parse().ok()?, cursor))));
    known.filter_map(Result::transpose).collect()
}

/// Where a scope was read to.
pub(super) fn cursor(conn: &Connection, scope: Scope) -> rusqlite::Result<Cursor> {
    let found = conn
        .prepare_cached("select seq, tag from sync_scopes where scope = ?1")?
        .query_row(params![scope.to_string()], |row| Ok(Cursor { seq: row.get(0)?, tag: row.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Moves a scope's cursor.
pub(super) fn move_cursor(tx: &Tx<'_>, scope: Scope, to: Cursor) -> rusqlite::Result<()> {
    tx.prepare_cached("update sync_scopes set seq = :seq, tag = :tag where scope = :scope")?
        .execute(named_params! { ":scope": scope.to_string(), ":seq": to.seq, ":tag": to.tag })?;
    Ok(())
}

/// The number of a scope; it gets one where it has none.
pub(super) fn scope_number(tx: &Tx<'_>, scope: Scope) -> rusqlite::Result<i64> {
    tx.prepare_cached("insert into sync_scopes (scope) values (?1) on conflict (scope) do nothing")?
        .execute(params![scope.to_string()])?;
    Ok(known_number(tx, scope)?.unwrap_or(0))
}

/// The number of a scope that has one.
pub(super) fn known_number(conn: &Connection, scope: Scope) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("select id from sync_scopes where scope = ?1")?
        .query_row(params![scope.to_string()], |row| row.get(0))
        .optional()
}

/// Forgets the cloud: what it told, and who this hub is there. Facts stay, and go to whichever cloud comes next. Songs
/// that came down are withdrawn; their history stays.
pub fn forget(tx: &Tx<'_>) -> rusqlite::Result<()> {
    for table in ["sync_scopes", "sync_revisions", "down_rows", "sync_stage", "aliases", "dead_letters"] {
        tx.execute(&format!("delete from {table}"), [])?;
    }
    tx.execute_batch(
        "update songs set told = null, enabled = null, stored = 0,
             status = iif(born_here = 1 and withdrawn_fact is null, 'ready', 'withdrawn')
         where told is not null or enabled is not null or born_here = 0",
    )?;
    super::media_sync::forget(tx)?;
    super::vec::fill_again_from(tx, 0)?;
    for key in [
        hub_state::ENROLMENT,
        hub_state::INSTANCE,
        hub_state::BEGUN,
        hub_state::LIES_AT,
        hub_state::UNSTAGING,
        hub_state::TICKET_KEYS,
    ] {
        hub_state::remove(tx, key)?;
    }
    hub_state::put(tx, hub_state::ACKNOWLEDGED, 0)?;
    hub_state::put(tx, hub_state::EPOCH_START, 0)
}
