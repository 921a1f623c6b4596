//! Brings a database to the version this program knows.

use rusqlite::{Connection, TransactionBehavior};

use super::error::OpenError;

/// The migrations in their order; the first makes version 1.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../../migrations/hub/0001_first.sql"),
    include_str!("../../../migrations/hub/0002_pairing.sql"),
    include_str!("../../../migrations/hub/0003_sync.sql"),
    include_str!("../../../migrations/hub/0004_media_sync.sql"),
    include_str!("../../../migrations/hub/0005_placed.sql"),
    include_str!("../../../migrations/hub/0006_occasions.sql"),
    include_str!("../../../migrations/hub/0007_player_volume.sql"),
    include_str!("../../../migrations/hub/0008_newest_picks.sql"),
];

/// The version that this program writes.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Refuses what a newer program wrote. Looks only.
pub(super) fn check_version(conn: &Connection) -> Result<u32, OpenError> {
    let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    Ok(found)
}

/// Applies what is missing, each migration in one transaction with its number: a power cut leaves the old schema or
/// the new one, never half of one.
pub(super) fn migrate(conn: &mut Connection) -> Result<u32, OpenError> {
    let found = check_version(conn)?;
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(found)
}
