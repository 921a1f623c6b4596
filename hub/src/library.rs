//! The catalogue in memory: every song, and a shelf of those that may be played, as the last rebuild found them.
//!
//! Songs come and go while music plays. The live map knows at once; the shelf (with its totals) is an immutable
//! snapshot that is rebuilt behind the music, so that planning never holds a lock that an import waits for.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use roomtone_schema::SongId;
use roomtone_schema::song::{Sha256, Song, SongStatus};
use roomtone_schema::vector::{Axes, centroid};
use roomtone_server::listener::Catalogue;

use crate::locks::{locked, reading, writing};
use crate::store::songs::NumberedSong;

/// Where a file with this digest lives.
pub fn media_path(media: &Path, sha256: Sha256) -> PathBuf {
    let name = sha256.to_string();
    media.join(&name[..2]).join(name)
}

/// A song and where the hub stands with it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) song: Arc<Song>,
    /// Its dense number in the store.
    pub(crate) row: u32,
    /// Whether its file is here.
    pub(crate) cached: bool,
}

impl Kept {
    fn is_playable(&self) -> bool {
        self.cached && self.song.status == SongStatus::Ready
    }
}

/// The songs that may be played, with what the rules need of them as a whole.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) songs: HashMap<SongId, Arc<Song>>,
    pub(crate) length: Duration,
    /// The middle of the catalogue.
    pub(crate) middle: Option<Axes>,
}

/// The catalogue.
#[derive(Debug)]
pub(crate) struct Library {
    media: PathBuf,
    songs: RwLock<HashMap<SongId, Kept>>,
    listed: Mutex<Option<Arc<Catalogue>>>,
    shelf: RwLock<Arc<Shelf>>,
    /// Taken away since the shelf was built.
    away: RwLock<HashSet<SongId>>,
}

/// How many songs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) total: u64,
    pub(crate) cached: u64,
    pub(crate) playable: u64,
    pub(crate) cached_bytes: u64,
}

impl Library {
    /// The catalogue with its files in `media`.
    pub(crate) fn new(media: PathBuf, songs: impl IntoIterator<Item = (u32, Song)>) -> Self {
        let kept = |(row, song): (u32, Song)| {
            let cached = media_path(&media, song.facts.sha256).is_file();
            (song.id, Kept { song: Arc::new(song), row, cached })
        };
        let songs = songs.into_iter().map(kept).collect();
        let library = Self {
            songs: RwLock::new(songs),
            listed: Mutex::default(),
            shelf: RwLock::default(),
            away: RwLock::default(),
            media,
        };
        library.rebuild();
        library
    }

    /// Where files live.
    pub(crate) fn media(&self) -> &Path {
        &self.media
    }

    /// A song, whatever its status.
    pub(crate) fn get(&self, song: SongId) -> Option<Kept> {
        reading(&self.songs).get(&song).cloned()
    }

    /// Songs that are not withdrawn, and their orders as far as somebody has asked for them. The same until songs come or
    /// go.
    pub(crate) fn listed(&self) -> Arc<Catalogue> {
        let mut listed = locked(&self.listed);
        if let Some(listed) = &*listed {
            return Arc::clone(listed);
        }
        let is_listed = |kept: &&Kept| kept.song.status != SongStatus::Withdrawn;
        let mut songs: Vec<Arc<Song>> =
            reading(&self.songs).values().filter(is_listed).map(|kept| Arc::clone(&kept.song)).collect();
        songs.sort_unstable_by_key(|song| song.id);
        let catalogue = Arc::new(Catalogue::new(songs.into()));
        *listed = Some(Arc::clone(&catalogue));
        catalogue
    }

    /// Puts a song in, or a newer record of it in its place.
    pub(crate) fn put(&self, row: u32, song: Song) {
        let cached = media_path(&self.media, song.facts.sha256).is_file();
        let id = song.id;
        writing(&self.away).remove(&id);
        writing(&self.songs).insert(id, Kept { song: Arc::new(song), row, cached });
        *locked(&self.listed) = None;
    }

    /// Puts many songs in, or newer records of them in their place. Those that may be played no more are so from now on.
    /// Blocks: every file is looked for.
    pub(crate) fn take_in(&self, songs: Vec<NumberedSong>) {
        let kept = |NumberedSong { row, song }: NumberedSong| {
            let cached = media_path(&self.media, song.facts.sha256).is_file();
            Kept { song: Arc::new(song), row, cached }
        };
        let songs: Vec<Kept> = songs.into_iter().map(kept).collect();
        let mut away = writing(&self.away);
        for kept in &songs {
            if kept.is_playable() {
                away.remove(&kept.song.id)
            } else {
                away.insert(kept.song.id)
            };
        }
        drop(away);
        writing(&self.songs).extend(songs.into_iter().map(|kept| (kept.song.id, kept)));
        *locked(&self.listed) = None;
    }

    /// Marks a song as withdrawn; it plays no more from now on.
    pub(crate) fn withdraw(&self, song: SongId) {
        writing(&self.away).insert(song);
        if let Some(kept) = writing(&self.songs).get_mut(&song) {
            let withdrawn = Song { status: SongStatus::Withdrawn, ..Song::clone(&kept.song) };
            kept.song = Arc::new(withdrawn);
        }
        *locked(&self.listed) = None;
    }

    /// Looks for a song's file; a song without is not played until it is back. True where that is news.
    pub(crate) fn look(&self, song: SongId) -> bool {
        let Some(kept) = self.get(song) else { return false };
        let cached = media_path(&self.media, kept.song.facts.sha256).is_file();
        if cached == kept.cached {
            return false;
        }
        if let Some(kept) = writing(&self.songs).get_mut(&song) {
            kept.cached = cached;
        }
        if !cached {
            writing(&self.away).insert(song);
        }
        true
    }

    /// Looks for every file again. True where anything has changed.
    pub(crate) fn look_for_all(&self) -> bool {
        let all: Vec<SongId> = reading(&self.songs).keys().copied().collect();
        all.into_iter().fold(false, |news, song| self.look(song) | news)
    }

    /// The songs that may be played, as the last rebuild found them.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&reading(&self.shelf))
    }

    /// Whether a song of the shelf may still be played.
    pub(crate) fn is_away(&self, song: SongId) -> bool {
        reading(&self.away).contains(&song)
    }

    /// What was taken away since the shelf was built.
    pub(crate) fn away(&self) -> HashSet<SongId> {
        reading(&self.away).clone()
    }

    /// The songs that may be played at this very moment.
    pub(crate) fn as_it_is(&self) -> Shelf {
        Shelf::of(playable(&reading(&self.songs)))
    }

    /// Builds the shelf anew.
    pub(crate) fn rebuild(&self) -> Arc<Shelf> {
        let songs = {
            let kept = reading(&self.songs);
            writing(&self.away).clear();
            playable(&kept)
        };
        let built = Arc::new(Shelf::of(songs));
        *writing(&self.shelf) = Arc::clone(&built);
        built
    }

    /// How many songs there are.
    pub(crate) fn census(&self) -> Census {
        let mut census = Census::default();
        for kept in reading(&self.songs).values().filter(|kept| kept.song.status != SongStatus::Withdrawn) {
            census.total += 1;
            census.playable += u64::from(kept.is_playable());
            if kept.cached {
                census.cached += 1;
                census.cached_bytes += kept.song.facts.bytes;
            }
        }
        census
    }

    /// Every song that was ever known.
    pub(crate) fn all(&self) -> HashMap<SongId, Arc<Song>> {
        reading(&self.songs).iter().map(|(id, kept)| (*id, Arc::clone(&kept.song))).collect()
    }

    /// The dense numbers of all songs.
    pub(crate) fn by_row(&self) -> HashMap<u32, SongId> {
        reading(&self.songs).iter().map(|(id, kept)| (kept.row, *id)).collect()
    }
}

fn playable(kept: &HashMap<SongId, Kept>) -> HashMap<SongId, Arc<Song>> {
    let playable = kept.iter().filter(|(_, kept)| kept.is_playable());
    playable.map(|(id, kept)| (*id, Arc::clone(&kept.song))).collect()
}

impl Shelf {
    fn of(songs: HashMap<SongId, Arc<Song>>) -> Self {
        let length =
            songs.values().map(|song| Duration::from_millis(u64::from(song.facts.duration_ms))).sum();
        // In the order of ids: a sum of floats has other bits in another order.
        let mut directions: Vec<(SongId, Axes)> = songs
            .iter()
            .filter_map(|(id, song)| song.facts.comparable().map(|embedding| (*id, embedding.unit())))
            .collect();
        directions.sort_unstable_by_key(|(id, _)| *id);
        let middle = centroid(directions.iter().map(|(_, unit)| unit));
        Self { songs, length, middle }
    }
}
