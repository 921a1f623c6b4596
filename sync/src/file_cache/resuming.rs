//! Files that come over a line that breaks: what has come is kept, and the rest is asked for.
//!
//! The beginning of a file proves nothing: it is summed up again when the file goes on, and the whole is compared with
//! the length and sum it must have like any other. A part that turns out wrong is removed, so that the next attempt
//! begins anew.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use roomtone_schema::song::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};

use super::{ARRIVING, CHUNK, CacheError, Expected, FileCache, entries, io_error, remove_if_there};

/// The ending of a part's name.
const PART: &str = "part";

/// Parts that outlive a restart, newest first: a player fetches two files at a time, and a plan changes its mind.
const MOST_PARTS: usize = 16;

/// What these parts may weigh: more than a handful of songs at the best quality.
const MOST_PART_BYTES: u64 = 512 << 20;

/// A file on its way in, which may be interrupted. Dropping it keeps what has come.
#[derive(Debug)]
pub struct Resuming {
    cache: Arc<FileCache>,
    expected: Expected,
    file: File,
    path: PathBuf,
    hasher: Hasher,
    written: u64,
}

impl Resuming {
    pub(super) fn begin(cache: &Arc<FileCache>, expected: Expected) -> Result<Self, CacheError> {
        let path = cache.root.join(ARRIVING).join(format!("{}.{PART}", expected.sha256));
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(io_error("could not open", &path))?;
        take(&file).map_err(io_error("could not take", &path))?;
        let mut ledger = cache.ledger();
        ledger.expect(expected.sha256, expected.bytes)?;
        let gone = ledger.make_room();
        drop(ledger);
        // From here on the room is given back when this is dropped.
        let cache = Arc::clone(cache);
        let mut resuming = Self { cache, expected, file, path, hasher: Hasher::new(), written: 0 };
        resuming.cache.remove_all(&gone)?;
        resuming.sum_up()?;
        Ok(resuming)
    }

    /// How much has come: where to go on.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes the next piece; more than was promised is refused at once, so that a sender cannot fill the disk. A piece
    /// that could not be written has not been taken, and may be given again.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), CacheError> {
        let after = self.written + piece.len() as u64;
        if self.expected.bytes < after {
            self.discard()?;
            return Err(CacheError::OtherLength { expected: self.expected.bytes, found: after });
        }
        if let Err(error) = self.file.write_all(piece) {
            self.back_to(self.written)?;
            return Err(io_error("could not write", &self.path)(error));
        }
        self.hasher.update(piece);
        self.written = after;
        Ok(())
    }

    /// Puts the file under its name, if it is what it must be. One that is too short may go on; one with another
    /// content is removed.
    pub fn finish(mut self) -> Result<PathBuf, CacheError> {
        if self.written != self.expected.bytes {
            return Err(CacheError::OtherLength { expected: self.expected.bytes, found: self.written });
        }
        let found = Sha256(std::mem::take(&mut self.hasher).finalize().into());
        if found != self.expected.sha256 {
            self.discard()?;
            return Err(CacheError::OtherContent { found });
        }
        self.cache.admit(&self.file, self.expected, |name| fs::rename(&self.path, name))
    }

    /// Forgets what has come: the next piece is the first.
    pub fn discard(&mut self) -> Result<(), CacheError> {
        self.hasher = Hasher::new();
        self.written = 0;
        self.back_to(0)
    }

    /// Reads what came before, if it can be a beginning at all.
    fn sum_up(&mut self) -> Result<(), CacheError> {
        let about = self.file.metadata().map_err(io_error("could not read", &self.path))?;
        if self.expected.bytes < about.len() {
            return self.discard();
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = self.file.read(&mut chunk).map_err(io_error("could not read", &self.path))?;
            if n == 0 {
                return Ok(());
            }
            self.hasher.update(&chunk[..n]);
            self.written += n as u64;
        }
    }

    fn back_to(&mut self, length: u64) -> Result<(), CacheError> {
        let back = self.file.set_len(length).and_then(|()| self.file.seek(SeekFrom::Start(length)));
        back.map(drop).map_err(io_error("could not shorten", &self.path))
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        self.cache.ledger().expect_no_more(self.expected.sha256);
    }
}

/// Removes what is no part, and the oldest parts beyond the bounds.
pub(super) fn sweep(arriving: &Path) -> Result<(), CacheError> {
    let mut parts = Vec::new();
    for path in entries(arriving)? {
        match (sha256_of(&path), fs::metadata(&path)) {
            (Some(_), Ok(about)) if about.is_file() => {
                parts.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len(), path));
            }
            _ => remove_if_there(&path)?,
        }
    }
    parts.sort_by(|one, other| other.cmp(one));
    let mut bytes = 0;
    for (nth, (_, length, path)) in parts.iter().enumerate() {
        bytes += length;
        if MOST_PARTS <= nth || MOST_PART_BYTES < bytes {
            remove_if_there(path)?;
        }
    }
    Ok(())
}

/// Removes parts that nobody wants, but for those that arrive right now.
pub(super) fn forget_besides(arriving: &Path, wanted: &[Sha256]) -> Result<(), CacheError> {
    for path in entries(arriving)? {
        let unwanted = sha256_of(&path).is_some_and(|sha256| !wanted.contains(&sha256));
        if unwanted && File::open(&path).is_ok_and(|file| take(&file).is_ok()) {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

fn sha256_of(path: &Path) -> Option<Sha256> {
    let is_part = path.extension().is_some_and(|ending| ending == PART);
    path.file_stem().filter(|_| is_part)?.to_str()?.parse().ok()
}

/// Takes the part for ourselves until it is closed.
fn take(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Condition;
    use super::*;

    fn expected(content: &[u8]) -> Expected {
        Expected { sha256: Sha256(Hasher::digest(content).into()), bytes: content.len() as u64 }
    }

    fn cache(root: &Path, capacity: Option<u64>) -> Arc<FileCache> {
        Arc::new(FileCache::open(root, capacity).unwrap())
    }

    fn parts(root: &Path) -> usize {
        entries(&root.join(ARRIVING)).unwrap().len()
    }

    #[test]
    fn a_file_goes_on_where_it_stopped_also_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let wanted = expected(b"a song");
        let mut first = cache(root.path(), None).resume(wanted).unwrap();
        first.write(b"a s").unwrap();
        assert!(matches!(first.finish(), Err(CacheError::OtherLength { expected: 6, found: 3 })));

        let again = cache(root.path(), None);
        let mut second = again.resume(wanted).unwrap();
        assert_eq!(second.written(), 3);
        second.write(b"ong").unwrap();
        let path = second.finish().unwrap();
        assert_eq!(fs::read(path).unwrap(), b"a song");
        assert_eq!((again.len(), again.bytes(), parts(root.path())), (1, 6, 0));
    }

    #[test]
    fn a_wrong_beginning_is_found_out_at_the_end_and_does_not_come_back() {
        let root = tempfile::tempdir().unwrap();
        let (cache, wanted) = (cache(root.path(), None), expected(b"a song"));
        cache.resume(wanted).unwrap().write(b"b s").unwrap();
        let mut resuming = cache.resume(wanted).unwrap();
        resuming.write(b"ong").unwrap();
        assert!(matches!(resuming.finish(), Err(CacheError::OtherContent { .. })));
        assert_eq!(cache.resume(wanted).unwrap().written(), 0);
        assert_eq!(cache.check(wanted.sha256).unwrap(), Condition::Missing);
    }

    #[test]
    fn more_than_was_promised_is_refused_and_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let (cache, wanted) = (cache(root.path(), None), expected(b"a song"));
        let mut long = cache.resume(wanted).unwrap();
        long.write(b"a song").unwrap();
        assert!(matches!(long.write(b"!"), Err(CacheError::OtherLength { .. })));
        drop(long);
        let longer = root.path().join(ARRIVING).join(format!("{}.part", wanted.sha256));
        fs::write(longer, b"a song and more").unwrap();
        assert_eq!(cache.resume(wanted).unwrap().written(), 0, "no beginning of this file");
    }

    #[test]
    fn one_file_arrives_once_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let (cache, wanted) = (cache(root.path(), None), expected(b"a song"));
        let first = cache.resume(wanted).unwrap();
        let second = cache.resume(wanted).unwrap_err();
        let would_block = |error: &CacheError| matches!(error, CacheError::Io { source, .. } if source.kind() == io::ErrorKind::WouldBlock);
        assert!(would_block(&second), "{second}");
        drop(first);
        cache.resume(wanted).unwrap();
    }

    #[test]
    fn room_is_made_before_a_file_comes_and_given_back_when_it_does_not() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path(), Some(10));
        for content in [b"aaaa", b"bbbb"] {
            let mut arriving = cache.resume(expected(content)).unwrap();
            arriving.write(content).unwrap();
            arriving.finish().unwrap();
        }
        let arriving = cache.resume(expected(b"cccccc")).unwrap();
        assert!(!cache.contains(expected(b"aaaa").sha256), "the oldest has gone before a byte came");
        assert!(matches!(cache.resume(expected(b"ddddddd")), Err(CacheError::NoRoom(_))));
        drop(arriving);
        cache.resume(expected(b"ddddddd")).unwrap();
        assert!(cache.is_empty());
    }

    #[test]
    fn a_full_disk_takes_the_oldest_that_nothing_holds() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path(), None);
        for content in [b"aaaa", b"bbbb"] {
            let mut arriving = cache.arriving(expected(content)).unwrap();
            arriving.write(content).unwrap();
            arriving.finish().unwrap();
        }
        cache.pin(expected(b"aaaa").sha256);
        assert!(cache.shed().unwrap());
        assert!(!cache.shed().unwrap(), "what is held stays");
        assert!(cache.path_of(expected(b"aaaa").sha256).exists());
        cache.unpin(expected(b"aaaa").sha256);
        cache.limit(Some(3)).unwrap();
        assert!(cache.is_empty());
    }

    #[test]
    fn parts_that_nobody_wants_are_forgotten_and_those_beyond_the_bound_swept() {
        let root = tempfile::tempdir().unwrap();
        let (wanted, unwanted) = (expected(b"a song"), expected(b"another"));
        let open = cache(root.path(), None);
        for file in [wanted, unwanted] {
            open.resume(file).unwrap().write(b"a").unwrap();
        }
        let busy = open.resume(expected(b"busy")).unwrap();
        open.forget_arriving_besides(&[wanted.sha256]).unwrap();
        assert_eq!(parts(root.path()), 2);
        drop(busy);
        for n in 0..40_u8 {
            fs::write(root.path().join(ARRIVING).join(format!("{}.part", Sha256([n; 32]))), b"x").unwrap();
        }
        fs::write(root.path().join(ARRIVING).join("half"), b"x").unwrap();
        cache(root.path(), None);
        assert_eq!(parts(root.path()), MOST_PARTS);
    }
}
