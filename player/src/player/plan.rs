//! The plan on the disk: what a player that starts without its hub begins with.

use std::io;
use std::path::Path;

use crate::pick::Pick;

/// The file's name in the data folder.
const NAME: &str = "plan.json";

/// The plan that was saved last; empty where there is none or it cannot be read.
pub(super) fn load(data: &Path) -> Vec<Pick> {
    std::fs::read(data.join(NAME))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// Writes it down in one step. Without it a player that starts without its hub plays from its cache.
pub(super) fn save(data: &Path, plan: &[Pick]) {
    let beside = data.join("plan.new");
    let saved = serde_json::to_vec(plan)
        .map_err(io::Error::from)
        .and_then(|text| std::fs::write(&beside, text))
        .and_then(|()| std::fs::rename(&beside, data.join(NAME)));
    if let Err(error) = saved {
        tracing::debug!("the plan could not be written down: {error}");
    }
}
