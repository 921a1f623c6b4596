//! Who this hub is at the cloud, and the key that shows it.
//!
//! The key lies in a file of its own, readable by nobody else, and in no backup: a copy of the database cannot speak as
//! this hub on another machine.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use roomtone_schema::{HubId, OrganisationId, VenueId};
use roomtone_sync::credential::{NoKey, SigningKey};
use roomtone_sync::wire::EnrolAnswer;
use serde::{Deserialize, Serialize};

use crate::secrets::random;
use crate::store::{Snapshot, Tx, TxResult, hub_state};

/// The key's file in the data folder.
const KEY_FILE: &str = "cloud-key";

/// Who this hub is at the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Where the cloud is.
    pub url: String,
    /// The hub's name there.
    pub hub: HubId,
    /// Its venue.
    pub venue: VenueId,
    /// Whose catalogue it plays.
    pub organisation: OrganisationId,
    /// What people call the venue.
    pub venue_name: String,
    /// What people call the hub.
    pub hub_name: String,
}

/// Why the hub cannot show who it is.
#[derive(Debug, thiserror::Error)]
pub enum KeyTrouble {
    /// The file is gone or not readable.
    #[error("the hub's key for the cloud, {}, cannot be used: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The file is no key.
    #[error("{} is not a key", .path.display())]
    NoKey {
        /// Which.
        path: PathBuf,
    },
}

impl Enrolment {
    /// What the cloud answered at `url`.
    pub fn new(url: &str, answer: EnrolAnswer) -> Self {
        let EnrolAnswer { hub, venue, organisation, venue_name, hub_name } = answer;
        Self { url: url.to_owned(), hub, venue, organisation, venue_name, hub_name }
    }

    /// The one that stands in the store.
    pub fn read(conn: &Snapshot) -> TxResult<Option<Self>> {
        let text: Option<String> = hub_state::get(conn, hub_state::ENROLMENT)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Keeps it.
    pub fn keep(&self, tx: &Tx<'_>) -> TxResult<()> {
        // Strings and ids: there is nothing in it that has no form.
        let text = serde_json::to_string(self).unwrap_or_default();
        hub_state::put(tx, hub_state::ENROLMENT, text)
    }
}

/// A new key, and the 32 bytes that it is made from.
pub(crate) fn new_key() -> Result<(SigningKey, [u8; 32]), NoKey> {
    let seed = random::<32>();
    Ok((SigningKey::from_seed(&seed)?, seed))
}

/// The key of this hub.
pub(crate) fn read_key(data: &Path) -> Result<SigningKey, KeyTrouble> {
    let path = data.join(KEY_FILE);
    let seed = std::fs::read(&path).map_err(|why| KeyTrouble::File { path: path.clone(), why })?;
    SigningKey::from_seed(&seed).map_err(|NoKey| KeyTrouble::NoKey { path })
}

/// Keeps a key: whole or not at all, and for this user only.
pub(crate) fn keep_key(data: &Path, seed: &[u8; 32]) -> Result<(), KeyTrouble> {
    let path = data.join(KEY_FILE);
    let write = || {
        let half_made = data.join(format!("{KEY_FILE}.tmp"));
        let _left_over = std::fs::remove_file(&half_made);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half_made)?;
        file.write_all(seed)?;
        file.sync_all()?;
        std::fs::rename(&half_made, &path)?;
        std::fs::File::open(data)?.sync_all()
    };
    write().map_err(|why| KeyTrouble::File { path: path.clone(), why })
}

/// Forgets the key. One that is not there is forgotten already.
pub(crate) fn forget_key(data: &Path) -> Result<(), KeyTrouble> {
    let path = data.join(KEY_FILE);
    match std::fs::remove_file(&path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(KeyTrouble::File { path, why }),
        _ => Ok(()),
    }
}
