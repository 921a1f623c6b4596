//! Which files may be songs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use roomtone_analysis::{Sniffed, sniff_file};
use walkdir::{DirEntry, WalkDir};

use super::ImportError;

/// Files that claim to be music: whatever is in them, somebody should hear what became of them.
const ENDINGS: [&str; 24] = [
    "mp3", "flac", "ogg", "oga", "wav", "wave", "m4a", "m4b", "aac", "opus", "wma", "aif", "aiff", "aifc",
    "ape", "wv", "mka", "alac", "mp2", "mpc", "dsf", "dff", "tta", "spx",
];
/// Films have sound in them too, and are not what a folder of music means by it.
const FILMS: [&str; 8] = ["mp4", "m4v", "mov", "3gp", "avi", "mkv", "webm", "ogv"];

/// A file that may be a song, or something that could not even be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Why it, or what is in it, is out of reach.
    pub(super) unreadable: Option<String>,
}

/// Walks the folders in the order of their names. Links are followed, circles are not, and a file that can be
/// reached twice is found once.
pub(super) fn walk(roots: &[PathBuf], avoid: &Path) -> Result<Vec<Found>, ImportError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for root in roots {
        let readable = std::fs::metadata(root)
            .and_then(|place| if place.is_dir() { root.read_dir().map(drop) } else { Ok(()) });
        readable.map_err(|source| ImportError::Place { path: root.clone(), source })?;
        let entries = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| entry.path() != avoid) {
            match entry {
                Ok(entry) if is_new(&entry, &mut seen) && may_be_a_song(&entry) => {
                    found.push(Found { path: entry.into_path(), unreadable: None });
                }
                Ok(_) => {}
                Err(error) => found.extend(out_of_reach(&error)),
            }
        }
    }
    Ok(found)
}

fn is_new(entry: &DirEntry, seen: &mut HashSet<(u64, u64)>) -> bool {
    let identity = entry.metadata().ok().filter(std::fs::Metadata::is_file);
    identity.is_some_and(|file| seen.insert((file.dev(), file.ino())))
}

fn out_of_reach(error: &walkdir::Error) -> Option<Found> {
    // A link back to a folder that we are in, or to nothing, hides no music.
    if error.loop_ancestor().is_some() {
        return None;
    }
    let reason = error.io_error()?;
    if reason.kind() == std::io::ErrorKind::NotFound {
        return None;
    }
    Some(Found { path: error.path()?.to_owned(), unreadable: Some(format!("it cannot be read: {reason}")) })
}

/// By its name, or else by its content.
fn may_be_a_song(entry: &DirEntry) -> bool {
    // Some systems leave a shadow of each file, which ends like music and is none.
    if entry.file_name().as_bytes().starts_with(b"._") {
        return false;
    }
    let ending = entry.path().extension().map(OsStr::to_ascii_lowercase);
    let is_one_of =
        |known: &[&str]| ending.as_ref().is_some_and(|ending| known.iter().any(|known| ending == known));
    if is_one_of(&ENDINGS) {
        return true;
    }
    // An explicitly named file is meant, whatever its name.
    !is_one_of(&FILMS) && (entry.depth() == 0 || sounds_like_music(entry.path()))
}

fn sounds_like_music(path: &Path) -> bool {
    let sniffed = File::open(path).and_then(|mut file| sniff_file(&mut file));
    matches!(sniffed, Ok(Sniffed::Audio(_)))
}
