//! The plan on the disk: what a player that starts without its hub begins with.

use std::path::Path;

use crate::kept;
use crate::pick::Pick;

/// The file's name in the data folder.
const NAME: &str = "plan.json";

/// The plan that was saved last; empty where there is none or it cannot be read.
pub(super) fn load(data: &Path) -> Vec<Pick> {
    kept::load(data, NAME).unwrap_or_default()
}

/// Writes it down in one step. Without it a player that starts without its hub plays from its cache.
pub(super) fn save(data: &Path, plan: &[Pick]) {
    if let Err(error) = kept::save(data, NAME, plan) {
        tracing::debug!("the plan could not be written down: {error}");
    }
}
