//! The yardstick: as many small documents through `PouchDB`, in the same run on the same machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// What a replication of theirs took.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Measured {
    documents: u32,
    seconds: f64,
}

impl Measured {
    /// Documents per second.
    pub(crate) fn rate(self) -> f64 {
        f64::from(self.documents) / self.seconds
    }
}

/// Which way the documents go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// Into an empty server.
    Push,
    /// Into an empty client.
    Pull,
}

/// Replicates documents, or says why not: what is measured beside it is reported without a ratio then.
pub(crate) fn replicate(way: Way, documents: impl Iterator<Item = Value>) -> Option<Measured> {
    let folder = folder();
    if !folder.join("node_modules").is_dir() {
        println!("no PouchDB here: `npm ci --prefix tests/bench/pouch` installs it");
        return None;
    }
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&serde_json::to_vec(&documents.collect::<Vec<_>>()).unwrap()).unwrap();
    let way = match way {
        Way::Push => "push",
        Way::Pull => "pull",
    };
    let output = Command::new("node")
        .arg(folder.join("measure.js"))
        .arg(way)
        .arg(file.path())
        .output()
        .inspect_err(|error| println!("no PouchDB here: node: {error}"))
        .ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A document that says what a row or a fact of ours says.
pub(crate) fn document(id: &impl ToString, mut says: Value) -> Value {
    says["_id"] = json!(id.to_string());
    says
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/pouch")
}
