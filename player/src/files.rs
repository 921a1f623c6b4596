//! The songs on this player's disk: fetched before they are needed, whole or not there, and bounded.
//!
//! A file comes over a line that may break at any byte and goes on there, also after a kill; what stands under its
//! name has the length and the sum that the hub promised. What is absent: when to fetch what, and when to try again.
//! That is the caller's, who knows what plays next.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use roomtone_schema::song::Sha256;
use roomtone_sync::file_cache::{CacheError, Expected, FileCache, NoRoom, Resuming};
use tokio::sync::{Notify, Semaphore};

use crate::hub_client::{HubClient, LinkError};
use crate::pick::Pick;

mod songs;

use songs::Songs;

/// The folder for songs in the data folder.
const MEDIA: &str = "media";

/// Files that come at the same time: one may wait for a slow disk while the other uses the line.
const AT_A_TIME: usize = 2;

/// What is gathered before it goes to the disk: few large writes are kind to an SD card.
const BATCH: usize = 256 << 10;

/// How much of the disk songs may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// At most this many bytes of songs.
    pub most_bytes: u64,
    /// And so many bytes of the disk stay free for everything else.
    pub reserve: u64,
}

/// The songs on the disk.
#[derive(Debug)]
pub struct Files {
    cache: Arc<FileCache>,
    media: PathBuf,
    room: Room,
    songs: Mutex<Songs>,
    pinned: Mutex<HashSet<Sha256>>,
    places: Semaphore,
    underway: Underway,
}

/// Why a file is not there yet.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The line; what has come is kept.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The line ended before the file did; what has come is kept.
    #[error("only {have} of {bytes} bytes have come")]
    Cut {
        /// What is here.
        have: u64,
        /// What it must be.
        bytes: u64,
    },
    /// What came is not the file; it was thrown away.
    #[error("what the hub sent as this song is another file: {0}")]
    Wrong(String),
    /// What may not go leaves no room.
    #[error(transparent)]
    NoRoom(NoRoom),
    /// The disk is full, and there is nothing left that may go.
    #[error("the disk is full, and every song on it is needed: free some space, or plan for fewer songs")]
    DiskFull,
    /// The disk or the file system said no.
    #[error(transparent)]
    Disk(CacheError),
}

impl FetchError {
    /// Whether trying again soon may help without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Link(error) => error.may_pass(),
            Self::Cut { .. } => true,
            Self::Wrong(_) | Self::NoRoom(_) | Self::DiskFull | Self::Disk(_) => false,
        }
    }
}

impl From<CacheError> for FetchError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::OtherLength { .. } | CacheError::OtherContent { .. } => {
                Self::Wrong(error.to_string())
            }
            CacheError::NoRoom(no_room) => Self::NoRoom(no_room),
            full @ CacheError::Io { .. } if is_full(&full) => Self::DiskFull,
            other @ CacheError::Io { .. } => Self::Disk(other),
        }
    }
}

impl Files {
    /// Opens or creates the store in the data folder, with what has begun to arrive before.
    pub fn open(data: &Path, room: Room) -> Result<Self, CacheError> {
        let media = data.join(MEDIA);
        let cache = Arc::new(FileCache::open(&media, None)?);
        let files = Self {
            cache,
            media,
            room,
            songs: Mutex::new(Songs::open(data)),
            pinned: Mutex::default(),
            places: Semaphore::new(AT_A_TIME),
            underway: Underway::default(),
        };
        // The order in which songs give way is that in which they were played, also over a restart.
        files.known().iter().for_each(|pick| files.touch(&pick.sha256));
        files.respect_the_disk()?;
        Ok(files)
    }

    /// Brings the file of `pick` here, going on where it stopped. Returns at once where it is here already; two at a
    /// time, the others wait.
    pub async fn fetch(&self, client: &HubClient, pick: &Pick) -> Result<PathBuf, FetchError> {
        let _mine = self.underway.alone(pick.sha256).await;
        if let Some(path) = self.path(&pick.sha256) {
            return Ok(path);
        }
        let _place = self.places.acquire().await;
        let path = match self.transfer(client, pick).await {
            // A beginning from before was wrong: once more from the first byte.
            Err((FetchError::Wrong(why), from)) if 0 < from => {
                tracing::info!("{} begins anew: {why}", pick.title);
                self.transfer(client, pick).await
            }
            outcome => outcome,
        };
        path.map_err(|(error, _from)| error)
    }

    /// Whether the file is here.
    pub fn has(&self, sha256: &Sha256) -> bool {
        self.path(sha256).is_some()
    }

    /// Where the file is, if it is here.
    pub fn path(&self, sha256: &Sha256) -> Option<PathBuf> {
        // Somebody may have removed the file behind our back.
        let path = self.cache.path_of(*sha256);
        (self.cache.contains(*sha256) && path.exists()).then_some(path)
    }

    /// Notes that the file is in use: the least recently used give way first.
    pub fn touch(&self, sha256: &Sha256) {
        self.cache.touch(*sha256);
    }

    /// Keeps exactly these files from giving way: the plan, and what plays.
    pub fn pin_exactly(&self, wanted: &[Sha256]) {
        let wanted: HashSet<Sha256> = wanted.iter().copied().collect();
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.difference(&pinned).for_each(|sha256| self.cache.pin(*sha256));
        pinned.difference(&wanted).for_each(|sha256| self.cache.unpin(*sha256));
        *pinned = wanted;
    }

    /// Removes beginnings of files that are not among these: an old plan's.
    pub fn forget_arriving_besides(&self, wanted: &[Sha256]) -> Result<(), CacheError> {
        self.cache.forget_arriving_besides(wanted)
    }

    /// Removes a file that turned out to be of no use, so that it is fetched anew.
    pub fn discard(&self, sha256: &Sha256) -> Result<(), CacheError> {
        self.cache.remove(*sha256)
    }

    /// Keeps what is known of these songs, so that they can be played when nobody can be asked.
    pub fn remember(&self, picks: &[Pick]) {
        self.songs().remember(picks, |sha256| self.has(sha256));
    }

    /// Notes that a song has been played now.
    pub fn played(&self, sha256: &Sha256) {
        self.touch(sha256);
        self.songs().played(sha256);
    }

    /// The songs that are known and whose files have come, the least recently played first. Whether a file is still there is
    /// asked of the one that is chosen ([`Files::has`]).
    pub fn known(&self) -> Vec<Pick> {
        self.songs().known(|sha256| self.cache.contains(*sha256))
    }

    /// The songs whose files are here beside `needed`, the least recently played first, with how long each is. A file
    /// of which nothing is known comes first.
    pub fn beside(&self, needed: &HashSet<Sha256>) -> Vec<(Sha256, Duration)> {
        let mut unknown: HashSet<Sha256> = self.cache.all().into_iter().collect();
        unknown.retain(|sha256| !needed.contains(sha256));
        if unknown.is_empty() {
            return Vec::new();
        }
        let mut known = self.known();
        known.retain(|pick| unknown.remove(&pick.sha256));
        let known = known.into_iter().map(|pick| (pick.sha256, pick.length()));
        unknown.into_iter().map(|sha256| (sha256, Duration::ZERO)).chain(known).collect()
    }

    /// Number of files here.
    pub fn count(&self) -> usize {
        self.cache.len()
    }

    /// Bytes of all files here.
    pub fn bytes(&self) -> u64 {
        self.cache.bytes()
    }

    /// How many bytes of songs this disk takes, now that others have what they have.
    pub fn capacity(&self) -> io::Result<u64> {
        Ok(capacity(self.room, self.cache.bytes(), self.disk_free()?))
    }

    /// What the disk has left.
    pub fn disk_free(&self) -> io::Result<u64> {
        disk_free(&self.media)
    }

    /// One attempt. Where it fails, also from which byte it went on.
    async fn transfer(&self, client: &HubClient, pick: &Pick) -> Result<PathBuf, (FetchError, u64)> {
        self.respect_the_disk().map_err(|error| (error.into(), 0))?;
        let expected = Expected { sha256: pick.sha256, bytes: pick.bytes };
        let cache = Arc::clone(&self.cache);
        let arriving =
            on_the_disk(move || cache.resume(expected)).await.map_err(|error| (error.into(), 0))?;
        let from = arriving.written();
        let arrived = async {
            let mut arriving = arriving;
            if from < pick.bytes {
                let pieces = client.fetch(&pick.media_url, from).await?;
                arriving = self.take_in(arriving, pieces, pick.bytes).await?;
            }
            Ok(on_the_disk(move || arriving.finish()).await?)
        };
        arrived.await.map_err(|error| (error, from))
    }

    /// Writes what comes, in batches; what has come before a break is written too.
    async fn take_in(
        &self,
        mut arriving: Resuming,
        pieces: impl Stream<Item = Result<Bytes, LinkError>>,
        bytes: u64,
    ) -> Result<Resuming, FetchError> {
        let mut pieces = pin!(pieces);
        let mut batch = BytesMut::new();
        loop {
            let piece = pieces.next().await;
            if let Some(Ok(piece)) = &piece {
                batch.extend_from_slice(piece);
                if batch.len() < BATCH && arriving.written() + (batch.len() as u64) < bytes {
                    continue;
                }
            }
            arriving = self.write(arriving, batch.split().freeze()).await?;
            match piece {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None if arriving.written() < bytes => {
                    return Err(FetchError::Cut { have: arriving.written(), bytes });
                }
                None => return Ok(arriving),
            }
        }
    }

    /// Writes a batch; where the disk is full, songs that nothing holds give way one by one.
    async fn write(&self, mut arriving: Resuming, batch: Bytes) -> Result<Resuming, FetchError> {
        loop {
            let (mine, cache) = (batch.clone(), Arc::clone(&self.cache));
            let (back, outcome) = on_the_disk(move || {
                let outcome = match arriving.write(&mine) {
                    Err(full) if is_full(&full) => match cache.shed() {
                        Ok(true) => Ok(false),
                        Ok(false) => Err(full),
                        Err(error) => Err(error),
                    },
                    written => written.map(|()| true),
                };
                (arriving, outcome)
            })
            .await;
            arriving = back;
            if outcome? {
                return Ok(arriving);
            }
        }
    }

    /// Sets the bound anew by what the disk has: others fill it, too.
    fn respect_the_disk(&self) -> Result<(), CacheError> {
        let free = self.disk_free().map_err(|source| CacheError::Io {
            action: "could not look at the disk of",
            path: self.media.clone(),
            source,
        })?;
        self.cache.limit(Some(capacity(self.room, self.cache.bytes(), free)))
    }

    fn songs(&self) -> MutexGuard<'_, Songs> {
        self.songs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What songs may take of a disk that has `free` bytes left beside `held` bytes of songs. On a disk so small that the
/// reserve would be most of it, half of it: some music is better than none.
fn capacity(room: Room, held: u64, free: u64) -> u64 {
    let whole = held.saturating_add(free);
    room.most_bytes.min(whole - room.reserve.min(whole / 2))
}

/// What the disk under `folder` has left for us.
pub(crate) fn disk_free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn is_full(error: &CacheError) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    matches!(error, CacheError::Io { source, .. } if full.contains(&source.kind()))
}

/// Runs what may wait for a disk where nothing else waits for it.
async fn on_the_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// The files that arrive right now: each once.
#[derive(Debug, Default)]
struct Underway {
    files: Mutex<HashSet<Sha256>>,
    landed: Notify,
}

/// The right to bring one file here.
struct Alone<'a> {
    underway: &'a Underway,
    sha256: Sha256,
}

impl Underway {
    /// Waits until nobody else brings this file.
    async fn alone(&self, sha256: Sha256) -> Alone<'_> {
        loop {
            let landed = self.landed.notified();
            if self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256) {
                return Alone { underway: self, sha256 };
            }
            landed.await;
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.underway.files.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.sha256);
        self.underway.landed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_setting_bounds(100, 10, 0, 1000, 100)]
    #[case::the_disk_bounds(100, 10, 20, 50, 60)]
    #[case::what_is_held_may_have_to_go(100, 20, 50, 5, 35)]
    #[case::half_of_a_small_disk(100, 30, 0, 10, 5)]
    #[case::nothing_left(100, 30, 0, 0, 0)]
    #[case::no_overflow(u64::MAX, 1, u64::MAX, u64::MAX, u64::MAX - 1)]
    fn songs_take_what_the_setting_and_the_disk_allow(
        #[case] most_bytes: u64,
        #[case] reserve: u64,
        #[case] held: u64,
        #[case] free: u64,
        #[case] expected: u64,
    ) {
        assert_eq!(capacity(Room { most_bytes, reserve }, held, free), expected);
    }

    #[test]
    fn a_full_disk_is_told_apart_from_a_broken_one() {
        let error = |kind: io::ErrorKind| -> FetchError {
            CacheError::Io { action: "could not write", path: PathBuf::new(), source: kind.into() }.into()
        };
        assert!(matches!(error(io::ErrorKind::StorageFull), FetchError::DiskFull));
        assert!(matches!(error(io::ErrorKind::PermissionDenied), FetchError::Disk(_)));
    }

    #[tokio::test]
    async fn who_wants_a_file_that_arrives_already_waits_for_it() {
        let underway = Underway::default();
        let first = underway.alone(Sha256([1; 32])).await;
        let _other = underway.alone(Sha256([2; 32])).await;
        let mut second = Box::pin(underway.alone(Sha256([1; 32])));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_ready());
    }
}
