//! Preferences: the state of the fold of a listener's votes. The taste itself is derived, never stored.

use roomtone_schema::id::Id;
use roomtone_schema::taste::TasteState;
use roomtone_schema::{EmbeddingVersion, ListenerId, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::row;
use super::tx::Tx;

const COLUMNS: &str = "listener, version, n_like, sum_like, n_dislike, sum_dislike";

/// A listener's state; the empty one where they have not voted.
pub fn get(
    conn: &Connection,
    listener: ListenerId,
    version: EmbeddingVersion,
) -> rusqlite::Result<TasteState> {
    let state = conn
        .prepare_cached(&format!(
            "select {COLUMNS} from preferences where listener = :listener and version = :version"
        ))?
        .query_row(named_params! { ":listener": listener.to_bytes(), ":version": version.0 }, from_row)
        .optional()?;
    Ok(state.map(|(_, state)| state).unwrap_or_default())
}

/// Keeps a listener's state.
pub fn put(
    tx: &Tx<'_>,
    listener: ListenerId,
    version: EmbeddingVersion,
    state: &TasteState,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    tx.execute_again(
        "insert into preferences (listener, version, n_like, sum_like, n_dislike, sum_dislike, updated_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict (listener, version) do update set
             n_like = excluded.n_like, sum_like = excluded.sum_like, n_dislike = excluded.n_dislike,
             sum_dislike = excluded.sum_dislike, updated_at = excluded.updated_at",
        params![
            listener.to_bytes(),
            version.0,
            state.n_like,
            row::sums_to_bytes(&state.sum_like),
            state.n_dislike,
            row::sums_to_bytes(&state.sum_dislike),
            at.0,
        ],
    )?;
    Ok(())
}

/// The states of everybody who is checked in and has voted.
pub fn all_active(
    conn: &Connection,
    version: EmbeddingVersion,
) -> rusqlite::Result<Vec<(ListenerId, TasteState)>> {
    conn.prepare_cached(&format!(
        "select {COLUMNS} from preferences where version = :version
         and listener in (select listener from sessions where status = 'active') order by listener"
    ))?
    .query_map(named_params! { ":version": version.0 }, from_row)?
    .collect()
}

/// Forgets tastes that nobody has added to since `before`.
pub(super) fn purge(tx: &Tx<'_>, before: UnixMillis, limit: u32) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "delete from preferences where (listener, version) in (
             select listener, version from preferences where updated_at < :before
               and listener not in (select listener from sessions where status = 'active') limit :limit)",
    )?
    .execute(named_params! { ":before": before.0, ":limit": limit })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(ListenerId, TasteState)> {
    Ok((row::id(row, 0)?, state_from_row(row, 2)?))
}

/// The four columns of a state, from column `first` on.
pub(super) fn state_from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<TasteState> {
    Ok(TasteState {
        n_like: row.get(first)?,
        sum_like: row::sums_from_bytes(&row.get(first + 1)?),
        n_dislike: row.get(first + 2)?,
        sum_dislike: row::sums_from_bytes(&row.get(first + 3)?),
    })
}
