//! Votes to skip what plays: one per listener and pick.

use roomtone_schema::id::Id;
use roomtone_schema::{ListenerId, PickId, UnixMillis};
use rusqlite::{Connection, named_params};

use super::row;
use super::tx::Tx;

/// Records a wish to skip. False where the listener had said so before.
pub fn insert(tx: &Tx<'_>, pick: PickId, listener: ListenerId, at: UnixMillis) -> rusqlite::Result<bool> {
    let changed = tx
        .prepare_cached(
            "insert into skip_votes (pick, listener, cast_at) values (:pick, :listener, :at)
             on conflict do nothing",
        )?
        .execute(named_params! {
            ":pick": pick.to_bytes(), ":listener": listener.to_bytes(), ":at": at.0,
        })?;
    Ok(changed == 1)
}

/// Who wants to skip a pick.
pub fn of_pick(conn: &Connection, pick: PickId) -> rusqlite::Result<Vec<ListenerId>> {
    conn.prepare_cached("select listener from skip_votes where pick = :pick order by listener")?
        .query_map(named_params! { ":pick": pick.to_bytes() }, |row| row::id(row, 0))?
        .collect()
}

/// Forgets wishes from before `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from skip_votes where (pick, listener) in (
             select pick, listener from skip_votes where cast_at < :before limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}
