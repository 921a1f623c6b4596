//! Small things that a player remembers: one JSON file each in its data folder.
//!
//! A file is replaced by a rename and not flushed: it outlives the program always and a power cut mostly, and the card of a
//! small box is not worn out by it.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the file `name` holds; `None` where there is none or it cannot be read.
pub(crate) fn load<T: DeserializeOwned>(data: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&std::fs::read(data.join(name)).ok()?).ok()
}

/// Writes the file `name` in one step.
pub(crate) fn save(data: &Path, name: &str, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    let path = data.join(name);
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(value)?)?;
    std::fs::rename(&beside, path)
}
