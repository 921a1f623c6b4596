//! Who this hub is at the cloud, and the key that shows it.
//!
//! The key lies in a file of its own, readable by nobody else, and in no backup: a copy of the database cannot speak as
//! this hub on another machine.
//!
//! A key is on the disk before the cloud hears of it, beside the one that counts, with what it is for. Which of the two
//! counts, the database says: it changes there in one transaction with all else, so that a power cut at any point leaves a
//! hub with the key of whoever it says that it is.

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

/// The file of a key that is to follow: its seed, and a digest of what it is for.
const NEXT_FILE: &str = "cloud-key.next";

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
    /// The key that this hub shows; unknown to versions that had one file alone.
    #[serde(default)]
    pub public_key: Option<[u8; 32]>,
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
    /// What the cloud answered at `url` to whoever showed a key.
    pub fn new(url: &str, answer: EnrolAnswer, public_key: [u8; 32]) -> Self {
        let EnrolAnswer { hub, venue, organisation, venue_name, hub_name } = answer;
        let (url, public_key) = (url.to_owned(), Some(public_key));
        Self { url, hub, venue, organisation, venue_name, hub_name, public_key }
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

/// A key that is to follow, on the disk before anybody hears of it. Asked again for the same purpose it is the same one: the
/// answer to whoever it was shown to may have been lost.
pub(crate) fn next_key(data: &Path, purpose: &str) -> Result<SigningKey, KeyTrouble> {
    let path = data.join(NEXT_FILE);
    let purpose = *blake3::hash(purpose.as_bytes()).as_bytes();
    let seed = match read_next(data) {
        Some((seed, of)) if of == purpose => seed,
        _ => {
            let seed = random::<32>();
            write_whole(data, NEXT_FILE, &[seed, purpose].concat())?;
            seed
        }
    };
    SigningKey::from_seed(&seed).map_err(|NoKey| KeyTrouble::NoKey { path })
}

fn read_next(data: &Path) -> Option<([u8; 32], [u8; 32])> {
    let bytes = std::fs::read(data.join(NEXT_FILE)).ok()?;
    let (seed, purpose) = bytes.split_at_checked(32)?;
    Some((seed.try_into().ok()?, purpose.try_into().ok()?))
}

/// The key of this hub. One that was to follow, and is the one that the database names by now, takes its place first. A
/// database that was put back may name one that was changed since: what lies here is the newest.
pub(crate) fn read_key(data: &Path, public_key: Option<[u8; 32]>) -> Result<SigningKey, KeyTrouble> {
    let counts = |key: &SigningKey| public_key == Some(key.public());
    if let Some((seed, _)) = read_next(data)
        && let Some(key) = SigningKey::from_seed(&seed).ok().filter(counts)
    {
        write_whole(data, KEY_FILE, &seed)?;
        forget_file(data, NEXT_FILE)?;
        return Ok(key);
    }
    let path = data.join(KEY_FILE);
    let seed = std::fs::read(&path).map_err(|why| KeyTrouble::File { path: path.clone(), why })?;
    SigningKey::from_seed(&seed).map_err(|NoKey| KeyTrouble::NoKey { path })
}

/// Keeps a secret: whole or not at all, and for this user only.
fn write_whole(data: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyTrouble> {
    let path = data.join(name);
    let write = || {
        let half_made = data.join(format!("{name}.tmp"));
        let _left_over = std::fs::remove_file(&half_made);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half_made)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&half_made, &path)?;
        std::fs::File::open(data)?.sync_all()
    };
    write().map_err(|why| KeyTrouble::File { path: path.clone(), why })
}

/// Forgets the key, and one that was to follow. What is not there is forgotten already.
pub(crate) fn forget_key(data: &Path) -> Result<(), KeyTrouble> {
    forget_file(data, NEXT_FILE)?;
    forget_file(data, KEY_FILE)
}

fn forget_file(data: &Path, name: &str) -> Result<(), KeyTrouble> {
    let path = data.join(name);
    match std::fs::remove_file(&path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(KeyTrouble::File { path, why }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power cuts between any two steps of a change of the key.
    #[test]
    fn the_key_that_counts_is_the_one_that_the_database_names() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let first = next_key(data, "one").unwrap().public();
        assert_eq!(next_key(data, "one").unwrap().public(), first, "its answer was lost: it is shown again");
        assert!(read_key(data, None).is_err(), "nobody has said that it counts");
        assert_eq!(read_key(data, Some(first)).unwrap().public(), first);
        assert!(!data.join(NEXT_FILE).exists());
        let second = next_key(data, "two").unwrap().public();
        assert_ne!(first, second);
        assert_eq!(read_key(data, Some(first)).unwrap().public(), first, "the second does not count yet");
        assert_eq!(read_key(data, None).unwrap().public(), first);
        assert_eq!(read_key(data, Some(second)).unwrap().public(), second, "now it does");
        assert_eq!(read_key(data, None).unwrap().public(), second);
        assert_eq!(read_key(data, Some(first)).unwrap().public(), second, "of a backup from before");
        forget_key(data).unwrap();
        assert!(matches!(read_key(data, Some(second)), Err(KeyTrouble::File { .. })));
    }
}
