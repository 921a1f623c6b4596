//! One hub per data folder: a lock that the system gives back when the process ends, however it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;

/// The name of the file that is locked; it holds the number of the process.
const FILE_NAME: &str = "hub.lock";

/// Holds the folder while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Explicitly: a child process that was just being started may hold a copy of the file for a moment longer.
    fn drop(&mut self) {
        let _closing_unlocks_too = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the folder for this process.
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let not_writable = |why| OpenError::NotWritable { path: dir.to_owned(), why };
        make_folder(dir).map_err(not_writable)?;
        let path = dir.join(FILE_NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(not_writable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { path: dir.to_owned(), pid: holder(&mut file) });
            }
            Err(errno) => return Err(OpenError::Io(errno.into())),
        }
        // A full disk must not keep the hub from starting: the number is a courtesy, the lock holds without it.
        if file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).is_err() {
            tracing::debug!("could not write the process number into the lock file");
        }
        Ok(Self { file })
    }
}

/// Makes the data folder where there is none, for its owner alone: secrets, sockets and who was here lie in it.
pub fn make_folder(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_is_made_is_its_owners_alone() {
        let outside = tempfile::tempdir().unwrap();
        let (above, folder) = (outside.path().join("a"), outside.path().join("a/b"));
        drop(Lock::take(&folder).unwrap());
        for made in [above, folder] {
            let mode = std::fs::metadata(&made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }
    }
}
