//! What is known of the songs on the disk, in `DATA/songs.json`: title, loudness and cue points of each, and when it
//! was last played. Without it a file is only sound.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use roomtone_schema::song::Sha256;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::pick::Pick;

/// The file's name in the data folder.
const FILE: &str = "songs.json";

/// Songs that are remembered: a plan is 240, and a disk of 32 GB holds some thousand.
const MOST_SONGS: usize = 10_000;

/// The catalogue of one player.
#[derive(Debug)]
pub(super) struct Songs {
    path: PathBuf,
    book: Book,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Book {
    /// Counts plays: an order that no clock can turn round.
    plays: u64,
    songs: HashMap<Sha256, Song>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Song {
    pick: Pick,
    /// The number of its last play; 0 where it has not been played.
    played: u64,
}

impl Songs {
    /// The catalogue in the data folder. A damaged one is an empty one: the hub tells all of it again.
    pub(super) fn open(data: &Path) -> Self {
        let path = data.join(FILE);
        let book = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(
                    "{} is damaged ({error}): songs are known again when the hub has told of them",
                    path.display()
                );
                Book::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!("could not read {}: {error}", path.display());
                }
                Book::default()
            }
        };
        Self { path, book }
    }

    /// Takes these in, and forgets others whose file is not here.
    pub(super) fn remember(&mut self, picks: &[Pick], is_here: impl Fn(&Sha256) -> bool) {
        if self.book.remember(picks, is_here) {
            self.save();
        }
    }

    /// Notes a play.
    pub(super) fn played(&mut self, sha256: &Sha256) {
        if self.book.played(sha256) {
            self.save();
        }
    }

    /// Those whose file is here, the least recently played first.
    pub(super) fn known(&self, is_here: impl Fn(&Sha256) -> bool) -> Vec<Pick> {
        self.book.known(is_here)
    }

    /// A catalogue that cannot be saved is still one until the next start.
    fn save(&self) {
        if let Err(error) = self.write() {
            tracing::warn!("could not write {}: {error}", self.path.display());
        }
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.book)?)?;
        // Not flushed: it outlives the program, and after a power cut the hub tells it again.
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Whether the cache would play both in the same way: which decision it was, and until when its address was good, does not
/// matter there.
fn is_same(one: &Pick, other: &Pick) -> bool {
    let plain = |pick: &Pick| Pick { pick: None, media_url: String::new(), ..pick.clone() };
    plain(one) == plain(other)
}

impl Book {
    /// Whether anything changed.
    fn remember(&mut self, picks: &[Pick], is_here: impl Fn(&Sha256) -> bool) -> bool {
        let mut changed = false;
        for pick in picks {
            let song = self.songs.get_mut(&pick.sha256);
            match song {
                Some(song) if is_same(&song.pick, pick) => {}
                Some(song) => {
                    song.pick = pick.clone();
                    changed = true;
                }
                None => {
                    self.songs.insert(pick.sha256, Song { pick: pick.clone(), played: 0 });
                    changed = true;
                }
            }
        }
        if changed {
            self.forget(picks, is_here);
        }
        changed
    }

    /// Forgets what is neither new nor here, and what is too much: the longest not played.
    fn forget(&mut self, picks: &[Pick], is_here: impl Fn(&Sha256) -> bool) {
        let new: HashSet<Sha256> = picks.iter().map(|pick| pick.sha256).collect();
        self.songs.retain(|sha256, _| new.contains(sha256) || is_here(sha256));
        if MOST_SONGS < self.songs.len() {
            let mut order: Vec<(bool, u64, Sha256)> = (self.songs.iter())
                .map(|(sha256, song)| (new.contains(sha256), song.played, *sha256))
                .collect();
            order.sort_unstable_by_key(|song| Reverse(*song));
            for (_, _, sha256) in order.drain(MOST_SONGS..) {
                self.songs.remove(&sha256);
            }
        }
    }

    /// Whether it is known at all.
    fn played(&mut self, sha256: &Sha256) -> bool {
        let Some(song) = self.songs.get_mut(sha256) else { return false };
        self.plays += 1;
        song.played = self.plays;
        true
    }

    fn known(&self, is_here: impl Fn(&Sha256) -> bool) -> Vec<Pick> {
        let mut here: Vec<&Song> = self.songs.values().filter(|song| is_here(&song.pick.sha256)).collect();
        here.sort_by_key(|song| (song.played, song.pick.sha256));
        here.into_iter().map(|song| song.pick.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::SongId;
    use uuid::Uuid;

    use super::*;

    fn pick(n: u16) -> Pick {
        let mut sha256 = [0; 32];
        sha256[..2].copy_from_slice(&n.to_be_bytes());
        Pick {
            pick: None,
            song: SongId(Uuid::from_u128(u128::from(n))),
            title: format!("song {n}"),
            artist: None,
            duration_ms: 1000,
            sha256: Sha256(sha256),
            bytes: 10,
            media_url: "/media/x".to_owned(),
            crossfade_ms: 0,
            cue_in_ms: 0,
            cue_out_ms: 1000,
            gain_db: -3.5,
        }
    }

    fn titles(songs: &Songs, is_here: impl Fn(&Sha256) -> bool) -> Vec<String> {
        songs.known(is_here).into_iter().map(|pick| pick.title).collect()
    }

    #[test]
    fn what_is_here_is_known_after_a_restart_least_recently_played_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut songs = Songs::open(dir.path());
        songs.remember(&[pick(1), pick(2), pick(3)], |_| true);
        for n in [2, 1, 2] {
            songs.played(&pick(n).sha256);
        }
        let again = Songs::open(dir.path());
        assert_eq!(titles(&again, |_| true), ["song 3", "song 1", "song 2"]);
        assert_eq!(titles(&again, |sha256| *sha256 != pick(1).sha256), ["song 3", "song 2"]);
        assert_eq!(again.known(|_| true)[0], pick(3));
    }

    #[test]
    fn songs_without_a_file_are_forgotten_when_new_ones_come_but_never_the_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let mut songs = Songs::open(dir.path());
        songs.remember(&[pick(1), pick(2)], |_| false);
        songs.remember(&[pick(3)], |sha256| *sha256 == pick(2).sha256);
        assert_eq!(titles(&songs, |_| true), ["song 2", "song 3"]);
    }

    #[test]
    fn the_catalogue_is_bounded_and_drops_what_was_not_played_for_longest() {
        let mut book = Book::default();
        let many: Vec<Pick> = (0..MOST_SONGS as u16).map(pick).collect();
        book.remember(&many, |_| true);
        book.played(&pick(0).sha256);
        book.remember(&[pick(60_000), pick(60_001)], |_| true);
        assert_eq!(book.songs.len(), MOST_SONGS);
        for n in [0, 60_000, 60_001] {
            assert!(book.songs.contains_key(&pick(n).sha256), "{n}");
        }
    }

    #[test]
    fn a_damaged_catalogue_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), b"{\"plays\":1,").unwrap();
        assert_eq!(Songs::open(dir.path()).known(|_| true), []);
    }
}
