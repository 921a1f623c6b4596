//! What was imported before, so that a second run over a library takes seconds.
//!
//! A list in the data folder, one line a file. It is a convenience and not a record: whatever is wrong with it, the
//! files are simply looked at again, and the catalogue decides what is known.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use roomtone_schema::EmbeddingVersion;
use roomtone_schema::song::Sha256;

const NAME: &str = "import.memory";
/// A line holds two digests or a reason; a longer one is not ours.
const LONGEST_LINE: usize = 4096;

/// What a file was, without opening it: where, how large, when changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(blake3::Hash);

/// What became of a file the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remembered {
    /// It is the song with this content.
    Song(Sha256),
    /// It was refused for this reason.
    Refused(String),
}

impl Fingerprint {
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = path.metadata()?;
        let mut hasher = blake3::Hasher::new();
        // A newer program may understand what an older one refused.
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(&EmbeddingVersion::DESC_V1.0.to_le_bytes());
        for number in [file.dev(), file.ino(), file.size(), file.mtime() as u64, file.mtime_nsec() as u64] {
            hasher.update(&number.to_le_bytes());
        }
        for number in [file.ctime(), file.ctime_nsec()] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(path.as_os_str().as_bytes());
        Ok(Self(hasher.finalize()))
    }
}

/// The list, in memory and on the disk.
pub(super) struct Memory(Mutex<Inner>);

struct Inner {
    known: HashMap<Fingerprint, Remembered>,
    /// None where the list cannot be written: then nothing is remembered beyond this run.
    file: Option<File>,
}

impl Memory {
    pub(super) fn open(data: &Path) -> Self {
        let path = data.join(NAME);
        let known = File::open(&path).map(read).unwrap_or_default();
        let file = OpenOptions::new().append(true).create(true).open(&path);
        Self(Mutex::new(Inner { known, file: file.ok() }))
    }

    pub(super) fn recall(&self, fingerprint: &Fingerprint) -> Option<Remembered> {
        self.inner().known.get(fingerprint).cloned()
    }

    pub(super) fn remember(&self, fingerprint: &Fingerprint, what: &Remembered) {
        let mut inner = self.inner();
        // The line feed in front ends a line that a power cut tore.
        let line = match what {
            Remembered::Song(sha256) => format!("\n{} {sha256}\n", fingerprint.0),
            Remembered::Refused(why) => format!("\n{} !{}\n", fingerprint.0, why.replace('\n', " ")),
        };
        let written = inner.file.as_mut().map(|file| file.write_all(line.as_bytes()));
        if matches!(written, Some(Err(_))) {
            inner.file = None;
        }
        inner.known.insert(*fingerprint, what.clone());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: File) -> HashMap<Fingerprint, Remembered> {
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    lines
        .filter(|line| line.len() <= LONGEST_LINE)
        .filter_map(|line| parse(std::str::from_utf8(&line).ok()?))
        .collect()
}

fn parse(line: &str) -> Option<(Fingerprint, Remembered)> {
    let (fingerprint, what) = line.split_once(' ')?;
    let fingerprint = Fingerprint(blake3::Hash::from_hex(fingerprint).ok()?);
    let what = match what.strip_prefix('!') {
        Some(why) => Remembered::Refused(why.to_owned()),
        None => Remembered::Song(what.parse().ok()?),
    };
    Some((fingerprint, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_recalled_after_a_restart_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let song = Remembered::Song(Sha256([7; 32]));
        let refused = Remembered::Refused("it is damaged".to_owned());
        let (first, second) = (Fingerprint(blake3::hash(b"1")), Fingerprint(blake3::hash(b"2")));
        Memory::open(dir.path()).remember(&first, &song);
        let list = dir.path().join(NAME);
        let torn = [std::fs::read(&list).unwrap(), b"\n0123 torn".to_vec()].concat();
        std::fs::write(&list, torn).unwrap();
        Memory::open(dir.path()).remember(&second, &refused);
        let memory = Memory::open(dir.path());
        assert_eq!(memory.recall(&first), Some(song));
        assert_eq!(memory.recall(&second), Some(refused));
    }

    #[test]
    fn garbage_in_the_list_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), [0xFF; 10_000]).unwrap();
        let memory = Memory::open(dir.path());
        assert_eq!(memory.recall(&Fingerprint(blake3::hash(b"1"))), None);
    }

    #[test]
    fn a_changed_file_has_another_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("song.mp3");
        std::fs::write(&file, b"one").unwrap();
        let before = Fingerprint::of(&file).unwrap();
        assert_eq!(before, Fingerprint::of(&file).unwrap());
        std::fs::write(&file, b"other").unwrap();
        assert_ne!(before, Fingerprint::of(&file).unwrap());
    }
}
