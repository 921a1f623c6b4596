//! A small synthesiser, so that the demo has music of its own: no download, no licence, no two songs alike.
//!
//! Each song is a [`Sketch`](score::Sketch) of a few numbers, rendered to a stereo WAV file with tags. The same
//! sketch always gives the same file. What is absent: playing in real time, and any claim to art.

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

mod air;
mod drums;
mod random;
mod render;
mod score;
mod stereo;
mod voices;
mod wav;

pub use score::{SONGS, Sketch};

/// Samples a second: enough for cymbals, and a quarter less on the disk than a CD.
const RATE: u32 = 32_000;

/// Writes song `index` into `folder`, unless it is there already, and says where it is.
///
/// # Errors
/// Where there is no such song, or the disk says no. What is there afterwards is whole.
pub fn write(index: usize, folder: &Path) -> io::Result<PathBuf> {
    let sketch = SONGS.get(index).ok_or_else(|| io::Error::other(format!("there is no song {index}")))?;
    let path = folder.join(sketch.file_name());
    if !path.exists() {
        let sound = render::render(sketch, index as u64);
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&wav::bytes(sketch, &sound))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        // Made private like any temporary file; a song is nobody's secret.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    }
    Ok(path)
}

/// Writes all songs that are missing in `folder`.
///
/// # Errors
/// The first that [`write`] met; songs that were finished stay.
pub fn library(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    some(0..SONGS.len(), folder, || true)
}

/// Writes some of the songs on all cores, for as long as `go_on` says so, and says where they are.
///
/// # Errors
/// The first that [`write`] met; songs that were finished stay.
pub fn some(
    indices: Range<usize>,
    folder: &Path,
    go_on: impl Fn() -> bool + Sync,
) -> io::Result<Vec<PathBuf>> {
    let next = AtomicUsize::new(indices.start);
    let written = Mutex::new(Vec::new());
    let work = || {
        while go_on() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= indices.end {
                return;
            }
            let path = write(index, folder);
            written.lock().unwrap_or_else(PoisonError::into_inner).push((index, path));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(indices.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    written.sort_by_key(|(index, _)| *index);
    written.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_song_is_the_same_file_and_is_written_once() {
        let [first, second] = [0, 1].map(|_| tempfile::tempdir().unwrap());
        let one = write(3, first.path()).unwrap();
        let other = write(3, second.path()).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
        let written = fs::metadata(&one).unwrap().modified().unwrap();
        assert_eq!(write(3, first.path()).unwrap(), one);
        assert_eq!(fs::metadata(&one).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn there_are_enough_songs_and_each_has_a_name_of_its_own() {
        let mut names: Vec<String> = SONGS.iter().map(Sketch::file_name).collect();
        names.sort();
        names.dedup();
        assert!(names.len() >= 24);
        assert_eq!(names.len(), SONGS.len());
    }

    #[test]
    fn a_song_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(SONGS.len(), folder.path()).is_err());
    }
}
