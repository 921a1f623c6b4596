//! One player per data folder: two would overwrite each other's place and tell plays of each other.

use std::fs::File;
use std::path::Path;

use roomtone_sync::trouble::Trouble;
use rustix::fs::{FlockOperation, flock};

/// Held while a player runs; released by the system, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Takes the folder, making it where it is missing.
///
/// # Errors
/// Where another player has it, or the folder cannot be used.
pub fn take(data: &Path) -> Result<Lock, Trouble> {
    crate::cli::make_data_folder(data)?;
    let path = data.join("lock");
    let file = File::create(&path).map_err(|error| {
        Trouble::new(
            format!("The player cannot write to {}: {error}.", data.display()),
            "It did not start.",
            "Make room on the disk, check the folder's owner, or choose another with --data DIR.",
        )
    })?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_taken| {
        Trouble::new(
            format!("Another player is running on {}.", data.display()),
            "This one did not start; the other plays on.",
            "Stop that one, or give this one a folder of its own with --data DIR.",
        )
    })?;
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_player_and_another_one_when_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap();
        let refusal = take(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains("Another player is running"), "{refusal}");
        drop(first);
        take(folder.path()).unwrap();
    }
}
