//! Zones: their ids. Their settings live in the configuration.

use roomtone_schema::ZoneId;
use roomtone_schema::id::Id;
use rusqlite::{Connection, named_params};

use super::row;
use super::tx::Tx;

/// Records a zone; one of the same name keeps its id.
pub fn insert(tx: &Tx<'_>, id: ZoneId, name: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("insert into zones (id, name) values (:id, :name) on conflict (name) do nothing")?
        .execute(named_params! { ":id": id.to_bytes(), ":name": name })?;
    Ok(())
}

/// Every zone that was ever configured.
pub fn all(conn: &Connection) -> rusqlite::Result<Vec<(ZoneId, String)>> {
    conn.prepare_cached("select id, name from zones order by id")?
        .query_map([], |row| Ok((row::id(row, 0)?, row.get(1)?)))?
        .collect()
}
