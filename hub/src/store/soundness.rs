//! The long look at the whole database, for quiet hours: the short one at every start does not compare the indexes.

use std::path::Path;
use std::sync::Arc;

use super::connection;
use super::error::StoreError;
use super::gate::Gate;

/// How many steps of SQLite's machine pass between two looks at whether somebody needs the log cut.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// What a long look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Soundness {
    /// Nothing.
    Sound,
    /// An index that did not have what its table has; it was made anew.
    Mended(String),
    /// What cannot be mended while the hub runs.
    Damaged(String),
}

/// Looks; what is wrong. It reads for seconds: where votes fill the log meanwhile, it gives way and is
/// [`StoreError::TooSlow`].
pub(super) fn look(path: &Path, gate: &Arc<Gate>) -> Result<Option<String>, StoreError> {
    let conn = connection::reader(path)?;
    gate.pass();
    let gate = Arc::clone(gate);
    conn.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || gate.is_hurried()))?;
    Ok(connection::integrity_check(&conn)?)
}
