//! A folder of files named by what is in them: `ab/abcdef...` is the sha256 of the content.
//!
//! A file appears under its name only when it is whole, right and on the disk: written beside it first, compared
//! with the length and sum it must have, flushed, then renamed. So a name that exists can be served, whenever the
//! power went. A file that comes over a bad line may go on where it stopped ([`FileCache::resume`]): its beginning
//! waits in `arriving/abcdef....part`, also over a restart. What is absent: knowledge of songs, and of where files
//! come from.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roomtone_schema::song::Sha256;
use sha2::{Digest, Sha256 as Hasher};
use tempfile::NamedTempFile;

pub use ledger::{Ledger, NoRoom};
pub use resuming::Resuming;

mod ledger;
mod resuming;

/// The folder for files on their way in, inside the cache: the same file system, so that a rename is one step.
const ARRIVING: &str = "arriving";

/// How much is read at a time: large enough that the system calls do not count.
const CHUNK: usize = 128 << 10;

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The sum of its content: its name.
    pub sha256: Sha256,
    /// Its length.
    pub bytes: u64,
}

/// Why a file did not come to stand in the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Shorter or longer than it must be.
    #[error(
        "the file has {found} bytes where {expected} were expected: it was cut off or changed on the way"
    )]
    OtherLength {
        /// What it must have.
        expected: u64,
        /// What it has; where it is too long, what had come when that was clear.
        found: u64,
    },
    /// The right length, another content.
    #[error("the file's content is not what was expected (its sha256 is {found})")]
    OtherContent {
        /// The sum of what came.
        found: Sha256,
    },
    /// Everything that could give way is pinned.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
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

/// How a stored file stands when it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Content and name agree.
    Sound,
    /// Bits changed on the disk, or somebody wrote to it.
    Damaged,
    /// Not there.
    Missing,
}

/// A folder of content-addressed files with a bound on their size.
#[derive(Debug)]
pub struct FileCache {
    root: PathBuf,
    ledger: Mutex<Ledger>,
}

impl FileCache {
    /// Opens or creates the cache in `root` and counts what is there. Leftovers of interrupted writes are removed, but
    /// for a bounded number of beginnings that [`resume`](Self::resume) may go on with.
    ///
    /// `capacity` bounds the bytes of all files; `None` where nothing is ever evicted, as on a hub whose songs are
    /// nowhere else.
    pub fn open(root: &Path, capacity: Option<u64>) -> Result<Self, CacheError> {
        let arriving = root.join(ARRIVING);
        fs::create_dir_all(&arriving).map_err(io_error("could not create", &arriving))?;
        resuming::sweep(&arriving)?;
        let mut ledger = Ledger::new(capacity);
        for found in stored_files(root)? {
            ledger.add(found.sha256, found.bytes);
        }
        Ok(Self { root: root.to_owned(), ledger: Mutex::new(ledger) })
    }

    /// Where the file of this content is, or would be.
    pub fn path_of(&self, sha256: Sha256) -> PathBuf {
        path_in(&self.root, sha256)
    }

    /// Whether the file is there.
    pub fn contains(&self, sha256: Sha256) -> bool {
        self.ledger().contains(sha256)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.ledger().bytes()
    }

    /// The sums of all files, in no order.
    pub fn all(&self) -> Vec<Sha256> {
        self.ledger().all().collect()
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.ledger().len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the file at `source` in. Where the content is there already, nothing is written.
    pub fn add_file(&self, source: &Path, expected: Expected) -> Result<PathBuf, CacheError> {
        if self.contains(expected.sha256) && self.check(expected.sha256)? == Condition::Sound {
            return Ok(self.path_of(expected.sha256));
        }
        let mut file = File::open(source).map_err(io_error("could not open", source))?;
        let mut arriving = self.arriving(expected)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = file.read(&mut chunk).map_err(io_error("could not read", source))?;
            if n == 0 {
                return arriving.finish();
            }
            arriving.write(&chunk[..n])?;
        }
    }

    /// Begins a file that arrives in pieces. Dropping it before [`Arriving::finish`] leaves nothing behind.
    pub fn arriving(&self, expected: Expected) -> Result<Arriving<'_>, CacheError> {
        self.ledger().room_for(expected.sha256, expected.bytes)?;
        let folder = self.root.join(ARRIVING);
        let file = NamedTempFile::new_in(&folder).map_err(io_error("could not write in", &folder))?;
        Ok(Arriving { cache: self, expected, file, hasher: Hasher::new(), written: 0 })
    }

    /// Begins a file that may be interrupted, or goes on with one: what has come stays until the file is whole, wrong
    /// or [forgotten](Self::forget_arriving_besides). Room for all of it is made now.
    ///
    /// One file arrives once at a time: a second attempt is refused as [`io::ErrorKind::WouldBlock`].
    pub fn resume(self: &Arc<Self>, expected: Expected) -> Result<Resuming, CacheError> {
        Resuming::begin(self, expected)
    }

    /// Removes what has begun to arrive and is not wanted any more.
    pub fn forget_arriving_besides(&self, wanted: &[Sha256]) -> Result<(), CacheError> {
        resuming::forget_besides(&self.root.join(ARRIVING), wanted)
    }

    /// Sets another bound on the bytes of all files; what nothing holds gives way to it now.
    pub fn limit(&self, capacity: Option<u64>) -> Result<(), CacheError> {
        let mut ledger = self.ledger();
        ledger.set_capacity(capacity);
        let gone = ledger.make_room();
        self.remove_all(&gone)
    }

    /// Removes the least recently used file that nothing holds, as when the disk is full; whether there was one.
    pub fn shed(&self) -> Result<bool, CacheError> {
        let mut ledger = self.ledger();
        let Some(oldest) = ledger.shed() else { return Ok(false) };
        remove_if_there(&self.path_of(oldest))?;
        Ok(true)
    }

    /// Notes that the file is in use now: the least recently used give way first.
    pub fn touch(&self, sha256: Sha256) {
        self.ledger().touch(sha256);
    }

    /// Keeps the file from giving way until it is unpinned as often as it was pinned.
    pub fn pin(&self, sha256: Sha256) {
        self.ledger().pin(sha256);
    }

    /// Takes one pin back.
    pub fn unpin(&self, sha256: Sha256) {
        self.ledger().unpin(sha256);
    }

    /// Removes the file, pinned or not. Absent is as good as removed.
    pub fn remove(&self, sha256: Sha256) -> Result<(), CacheError> {
        let path = self.path_of(sha256);
        remove_if_there(&path)?;
        self.ledger().remove(sha256);
        Ok(())
    }

    /// Reads the whole file again and compares it with its name.
    pub fn check(&self, sha256: Sha256) -> Result<Condition, CacheError> {
        let path = self.path_of(sha256);
        match sum_of(&path) {
            Ok(found) if found == sha256 => Ok(Condition::Sound),
            Ok(_) => Ok(Condition::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Condition::Missing),
            Err(error) => Err(io_error("could not read", &path)(error)),
        }
    }

    /// Takes a whole and right file under its name, then lets others give way to it.
    fn admit(
        &self,
        file: &File,
        expected: Expected,
        persist: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<PathBuf, CacheError> {
        let path = self.path_of(expected.sha256);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        fs::create_dir_all(&folder).map_err(io_error("could not create", &folder))?;
        file.sync_all().map_err(io_error("could not flush", &path))?;
        persist(&path).map_err(io_error("could not write", &path))?;
        // A rename is durable when its folder is.
        File::open(&folder).and_then(|dir| dir.sync_all()).map_err(io_error("could not flush", &folder))?;
        let mut ledger = self.ledger();
        ledger.expect_no_more(expected.sha256);
        ledger.add(expected.sha256, expected.bytes);
        let gone = ledger.give_way(expected.sha256);
        self.remove_all(&gone)?;
        Ok(path)
    }

    fn remove_all(&self, gone: &[Sha256]) -> Result<(), CacheError> {
        gone.iter().try_for_each(|sha256| remove_if_there(&self.path_of(*sha256)))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file on its way in.
#[derive(Debug)]
pub struct Arriving<'a> {
    cache: &'a FileCache,
    expected: Expected,
    file: NamedTempFile,
    hasher: Hasher,
    written: u64,
}

impl Arriving<'_> {
    /// Takes the next piece; more than was promised is refused at once, so that a sender cannot fill the disk.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), CacheError> {
        self.written += piece.len() as u64;
        if self.expected.bytes < self.written {
            return Err(self.other_length());
        }
        self.hasher.update(piece);
        let path = self.file.path().to_owned();
        self.file.write_all(piece).map_err(io_error("could not write", &path))
    }

    /// Puts the file under its name, if it is what it must be; else nothing is left of it.
    pub fn finish(self) -> Result<PathBuf, CacheError> {
        if self.written != self.expected.bytes {
            return Err(self.other_length());
        }
        let found = Sha256(self.hasher.finalize().into());
        if found != self.expected.sha256 {
            return Err(CacheError::OtherContent { found });
        }
        let (file, path) = self.file.into_parts();
        self.cache.admit(&file, self.expected, |name| path.persist(name).map_err(|error| error.error))
    }

    fn other_length(&self) -> CacheError {
        CacheError::OtherLength { expected: self.expected.bytes, found: self.written }
    }
}

/// The sha256 of a file's content.
pub fn sum_of(path: &Path) -> io::Result<Sha256> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Sha256(hasher.finalize().into())),
            n => hasher.update(&chunk[..n]),
        }
    }
}

/// Where the file of this content stands in a cache: two hexadecimal digits as the folder, so that no folder holds
/// more than a few hundred of a large library.
pub fn path_in(root: &Path, sha256: Sha256) -> PathBuf {
    let name = sha256.to_string();
    root.join(&name[..2]).join(name)
}

fn stored_files(root: &Path) -> Result<Vec<Expected>, CacheError> {
    let mut found = Vec::new();
    for folder in entries(root)?.into_iter().filter(|path| path.is_dir() && !path.ends_with(ARRIVING)) {
        for path in entries(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // Anything else in here is not ours to count or to remove.
            let Ok(sha256) = name.parse() else { continue };
            let bytes = fs::metadata(&path).map_err(io_error("could not read", &path))?.len();
            found.push(Expected { sha256, bytes });
        }
    }
    found.sort_by_key(|file| file.sha256);
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CacheError> {
    let read = || -> io::Result<Vec<_>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    read().map_err(io_error("could not read", folder))
}

fn remove_if_there(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error("could not remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(content: &[u8]) -> Expected {
        Expected { sha256: Sha256(Hasher::digest(content).into()), bytes: content.len() as u64 }
    }

    fn add(cache: &FileCache, content: &[u8]) -> Result<PathBuf, CacheError> {
        let mut arriving = cache.arriving(expected(content))?;
        content.chunks(3).try_for_each(|piece| arriving.write(piece))?;
        arriving.finish()
    }

    fn files_under(root: &Path) -> usize {
        entries(root).unwrap().iter().map(|path| if path.is_dir() { files_under(path) } else { 1 }).sum()
    }

    #[test]
    fn a_file_is_found_by_its_content_also_after_opening_again() {
        let root = tempfile::tempdir().unwrap();
        let cache = FileCache::open(root.path(), None).unwrap();
        let path = add(&cache, b"a song").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a song");
        assert_eq!(path, cache.path_of(expected(b"a song").sha256));

        let again = FileCache::open(root.path(), None).unwrap();
        assert!(again.contains(expected(b"a song").sha256));
        assert_eq!((again.len(), again.bytes()), (1, 6));
    }

    #[test]
    fn a_file_copied_in_twice_is_stored_once_and_its_source_stays() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("odd näme \u{1f3b5}.ogg");
        fs::write(&source, b"a song").unwrap();
        let cache = FileCache::open(&root.path().join("media"), None).unwrap();
        let first = cache.add_file(&source, expected(b"a song")).unwrap();
        assert_eq!(cache.add_file(&source, expected(b"a song")).unwrap(), first);
        assert_eq!((cache.len(), files_under(&root.path().join("media"))), (1, 1));
        assert!(source.exists());
    }

    #[test]
    fn a_damaged_copy_is_replaced_when_the_file_comes_again() {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("song");
        fs::write(&source, b"a song").unwrap();
        let cache = FileCache::open(&root.path().join("media"), None).unwrap();
        let path = cache.add_file(&source, expected(b"a song")).unwrap();
        fs::write(&path, b"a sonk").unwrap();
        assert_eq!(cache.check(expected(b"a song").sha256).unwrap(), Condition::Damaged);
        cache.add_file(&source, expected(b"a song")).unwrap();
        assert_eq!(cache.check(expected(b"a song").sha256).unwrap(), Condition::Sound);
        assert_eq!(cache.bytes(), 6);
    }

    #[test]
    fn what_is_cut_off_or_changed_or_too_long_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let cache = FileCache::open(root.path(), None).unwrap();
        let wanted = expected(b"a song");

        let mut short = cache.arriving(wanted).unwrap();
        short.write(b"a so").unwrap();
        assert!(matches!(short.finish(), Err(CacheError::OtherLength { expected: 6, found: 4 })));

        let mut changed = cache.arriving(wanted).unwrap();
        changed.write(b"a sonk").unwrap();
        assert!(matches!(changed.finish(), Err(CacheError::OtherContent { .. })));

        let mut long = cache.arriving(wanted).unwrap();
        assert!(matches!(long.write(b"a song and more"), Err(CacheError::OtherLength { .. })));
        drop(long);

        assert_eq!(cache.check(wanted.sha256).unwrap(), Condition::Missing);
        assert_eq!(files_under(root.path()), 0);
    }

    #[test]
    fn leftovers_of_a_power_cut_are_swept_and_foreign_files_left_alone() {
        let root = tempfile::tempdir().unwrap();
        FileCache::open(root.path(), None).unwrap();
        fs::write(root.path().join(ARRIVING).join("half"), b"a so").unwrap();
        fs::create_dir(root.path().join("ab")).unwrap();
        fs::write(root.path().join("ab/notes.txt"), b"mine").unwrap();
        let cache = FileCache::open(root.path(), Some(0)).unwrap();
        assert!(cache.is_empty());
        assert_eq!(files_under(root.path()), 1);
    }

    #[test]
    fn the_least_recently_used_gives_way_and_the_pinned_stays() {
        let root = tempfile::tempdir().unwrap();
        let cache = FileCache::open(root.path(), Some(10)).unwrap();
        for content in [b"aaaa", b"bbbb"] {
            add(&cache, content).unwrap();
        }
        cache.pin(expected(b"aaaa").sha256);
        add(&cache, b"cccc").unwrap();
        assert!(cache.contains(expected(b"aaaa").sha256));
        assert!(!cache.path_of(expected(b"bbbb").sha256).exists());
        assert_eq!(cache.bytes(), 8);

        let refused = add(&cache, b"ddddddd").unwrap_err();
        assert!(matches!(refused, CacheError::NoRoom(_)), "{refused}");
        cache.unpin(expected(b"aaaa").sha256);
        add(&cache, b"ddddddd").unwrap();
        assert_eq!((cache.len(), cache.bytes()), (1, 7));
    }
}
