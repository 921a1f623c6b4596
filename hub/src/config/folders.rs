//! Where a hub keeps its things when nobody says where, and what the machine says about the place it stands in.

use std::ffi::OsString;
use std::path::PathBuf;

/// The hub's data folder: what systemd gives a service, else the user's, else the machine's.
pub fn default_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    if let Some(state) = variable("STATE_DIRECTORY") {
        // systemd separates several folders by colons; a hub's unit has one.
        let first = state.to_string_lossy().split(':').next().map(PathBuf::from);
        return first.unwrap_or_default();
    }
    user_data_dir(variable).map_or_else(|| PathBuf::from("/var/lib/roomtone"), |dir| dir.join("roomtone"))
}

/// The demo's data folder: beside the real one, so that trying never touches a venue's history.
pub fn demo_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let dir = user_data_dir(variable).unwrap_or_else(std::env::temp_dir);
    dir.join("roomtone-demo")
}

fn user_data_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
}

/// The machine's time zone; UTC where it does not say.
pub(super) fn system_time_zone() -> String {
    let target = std::fs::read_link("/etc/localtime").unwrap_or_default();
    let text = target.to_string_lossy();
    match text.split_once("zoneinfo/") {
        Some((_, name)) if !name.is_empty() => name.to_owned(),
        _ => "UTC".to_owned(),
    }
}
