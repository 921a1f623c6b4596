//! Picks: the recommender's decisions, with what it takes to replay them.

use roomtone_schema::id::Id;
use roomtone_schema::{FactId, PickId, SongId, UnixMillis, ZoneId};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::{Deserialize, Serialize};

use super::outbox::{self, FactKind};
use super::row;
use super::tx::Tx;

/// A decision as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PickRecord {
    /// Made with the decision.
    pub id: PickId,
    /// For which zone.
    pub zone: ZoneId,
    /// What to play.
    pub song: SongId,
    /// The seed of its draw.
    pub seed: u64,
    /// Everything that went into it.
    pub terms: serde_json::Value,
    /// When.
    pub decided_at: UnixMillis,
}

/// What is kept of what went into a decision.
pub fn terms(terms: &impl Serialize) -> rusqlite::Result<serde_json::Value> {
    serde_json::to_value(terms).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

const COLUMNS: &str = "id, zone, song, seed, terms, decided_at";

/// Records a decision with its fact.
pub fn insert(tx: &Tx<'_>, op: FactId, pick: &PickRecord) -> rusqlite::Result<()> {
    insert_row(tx, pick)?;
    outbox::push(tx, FactKind::PickMade, op, pick.decided_at, pick)?;
    Ok(())
}

pub(super) fn insert_row(tx: &Tx<'_>, pick: &PickRecord) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "insert into picks (id, zone, song, seed, terms, decided_at)
         values (:id, :zone, :song, :seed, :terms, :at)",
    )?
    .execute(named_params! {
        ":id": pick.id.to_bytes(), ":zone": pick.zone.to_bytes(), ":song": pick.song.to_bytes(),
        ":seed": pick.seed.cast_signed(), ":terms": pick.terms.to_string(), ":at": pick.decided_at.0,
    })?;
    Ok(())
}

/// The decision with this id.
pub fn by_id(conn: &Connection, id: PickId) -> rusqlite::Result<Option<PickRecord>> {
    conn.prepare_cached(&format!("select {COLUMNS} from picks where id = :id"))?
        .query_row(named_params! { ":id": id.to_bytes() }, from_row)
        .optional()
}

/// The newest decisions for a zone, newest first.
pub fn recent(conn: &Connection, zone: ZoneId, limit: u32) -> rusqlite::Result<Vec<PickRecord>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS} from picks where zone = :zone order by decided_at desc, id desc limit :limit"
    ))?
    .query_map(named_params! { ":zone": zone.to_bytes(), ":limit": limit }, from_row)?
    .collect()
}

/// Forgets decisions from before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from picks where id in (select id from picks where decided_at < :before order by id limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<PickRecord> {
    let terms: String = row.get(4)?;
    Ok(PickRecord {
        id: row::id(row, 0)?,
        zone: row::id(row, 1)?,
        song: row::id(row, 2)?,
        seed: row.get::<_, i64>(3)?.cast_unsigned(),
        terms: serde_json::from_str(&terms)
            .map_err(|error| row::unreadable(4, rusqlite::types::Type::Text, error))?,
        decided_at: row::time(row, 5)?,
    })
}
