//! Whom this player belongs to: the hub, its key, and the player's own secret, in `DATA/identity.json`.
//!
//! The file is what a pairing leaves. It is written whole or not at all, is on the disk before anything relies on it,
//! and nobody but its owner reads it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use roomtone_schema::{HubId, PlayerId, UnixMillis, VenueId};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::pinned::HubKey;

/// The file's name in the data folder.
pub const FILE: &str = "identity.json";

/// Its owner reads and writes, nobody else does either.
const OWNER_ONLY: u32 = 0o600;

/// What the player knows of its hub, and what it shows to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The hub that it is paired with.
    pub hub: HubId,
    /// The hub's venue; others are foreign.
    pub venue: VenueId,
    /// What people call the venue.
    pub venue_name: String,
    /// The hub's key: who does not hold it is not the hub.
    pub key: HubKey,
    /// This player, as the hub knows it.
    pub player: PlayerId,
    /// What people call this player.
    pub name: String,
    /// The zone it plays for, as the hub says it.
    pub zone: String,
    /// Opens the hub's API for this player.
    pub secret: String,
    /// When the secret was made, by this machine's clock.
    pub secret_made_at: UnixMillis,
    /// Where the hub was last met, the newest first.
    pub addresses: Vec<SocketAddr>,
}

/// The secret is nobody's business, also in a log.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("hub", &self.hub)
            .field("venue", &self.venue)
            .field("venue_name", &self.venue_name)
            .field("key", &self.key)
            .field("player", &self.player)
            .field("name", &self.name)
            .field("zone", &self.zone)
            .field("secret_made_at", &self.secret_made_at)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Why the identity could not be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There, and not what it was.
    #[error(
        "{} is damaged ({why}): this player no longer knows its hub. What is in its cache plays on; \
         to hear what the room wants again, pair it anew with `roomtone-player pair CODE`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The disk or the file system said no.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `could not write`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Identity {
    /// The identity in `dir`; `None` where there is none: never paired, or forgotten.
    pub fn load(dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Io { action: "could not read", path, source }),
        };
        match serde_json::from_slice(&text) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) => Err(IdentityError::Damaged { path, why: error.to_string() }),
        }
    }

    /// Writes the identity to `dir`, in one step and durably: after a power cut there is the old one or the new one.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        self.write(dir, &path).map_err(|source| IdentityError::Io { action: "could not write", path, source })
    }

    /// Removes the identity: the player belongs to nobody. Absent is as good as removed.
    pub fn forget(dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        match fs::remove_file(&path).and_then(|()| sync_folder(dir)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(IdentityError::Io { action: "could not remove", path, source })
            }
            _ => Ok(()),
        }
    }

    fn write(&self, dir: &Path, path: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let mut file = NamedTempFile::new_in(dir)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_folder(dir)
    }
}

/// A name is durable when its folder is.
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use roomtone_schema::song::Sha256;

    use super::*;

    pub(crate) fn identity() -> Identity {
        Identity {
            hub: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
            venue: "01890000-0000-7000-8000-000000000002".parse().unwrap(),
            venue_name: "Café".to_owned(),
            key: HubKey(Sha256([7; 32])),
            player: "01890000-0000-7000-8000-000000000003".parse().unwrap(),
            name: "bar".to_owned(),
            zone: "main".to_owned(),
            secret: "very-secret".to_owned(),
            secret_made_at: UnixMillis(1_700_000_000_000),
            addresses: vec!["192.0.2.1:4701".parse().unwrap(), "[fe80::1%2]:4701".parse().unwrap()],
        }
    }

    #[test]
    fn it_is_found_again_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new");
        assert_eq!(Identity::load(&data).unwrap(), None);
        identity().save(&data).unwrap();
        let mut renewed = identity();
        renewed.secret = "another".to_owned();
        renewed.save(&data).unwrap();
        assert_eq!(Identity::load(&data).unwrap(), Some(renewed));
        assert_eq!(fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "nothing is left beside it");

        Identity::forget(&data).unwrap();
        Identity::forget(&data).unwrap();
        assert_eq!(Identity::load(&data).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_says_what_it_means_for_the_music() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"{\"hub\":").unwrap();
        let error = Identity::load(dir.path()).unwrap_err();
        assert!(matches!(error, IdentityError::Damaged { .. }));
        let text = error.to_string();
        assert!(text.contains("plays on") && text.contains("roomtone-player pair"), "{text}");
    }

    #[test]
    fn a_folder_that_is_a_file_is_an_error_and_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        let not_a_folder = dir.path().join("file");
        fs::write(&not_a_folder, b"").unwrap();
        let error = identity().save(&not_a_folder).unwrap_err();
        assert!(matches!(error, IdentityError::Io { .. }), "{error}");
    }

    #[test]
    fn the_secret_is_in_no_log() {
        assert!(!format!("{:?}", identity()).contains("very-secret"));
    }
}
