//! The catalogue as its lists are asked for: found by words, put in order, a page at a time.
//!
//! A [`Catalogue`] is one version of the songs. An order is worked out when it is first asked for and kept as long as
//! the version: 4 bytes per song and order. The words that are searched are kept likewise, as long as all titles,
//! artists and albums together. So a page costs two binary searches and its own songs; a filter looks at every song once.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use async_graphql::{Enum, InputObject, Object, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::song;

use super::page::{PageArguments, PageInfo};
use super::rows::{Asked, Plan, Row, Rows, View, write};
use super::song::{Song, SongKind};
use super::{refusal, shared};

/// By how many of its characters a title or artist is ordered; beyond them by id, so that a cursor stays short.
const ORDERED_BY: usize = 128;

/// Characters that are searched for at most: every word is looked for in every song.
const SEARCHED: usize = 100;

/// Comes after every name.
const LAST: &str = "\u{10ffff}";

/// Which songs.
#[derive(Debug, Default, InputObject)]
pub struct SongFilter {
    /// Words in title, artist or album; at most 100 characters.
    pub search: Option<String>,
    /// Soundscape or instrumental.
    pub kind: Option<SongKind>,
    /// Only those that can be played from here, or only those that cannot.
    pub is_cached: Option<bool>,
}

/// In which order.
#[derive(Debug, Clone, Copy, InputObject)]
pub struct SongOrder {
    /// By what.
    pub field: SongOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

/// What songs can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum SongOrderField {
    /// By artist; those without come last.
    Artist,
    /// By when they joined the catalogue.
    CreatedAt,
    /// By title.
    Title,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Least first.
    Asc,
    /// Greatest first.
    Desc,
}

/// One version of the songs, with what has been worked out about them.
#[derive(Debug)]
pub struct Catalogue {
    songs: Arc<[Arc<song::Song>]>,
    by_artist: OnceLock<Box<[u32]>>,
    by_created_at: OnceLock<Box<[u32]>>,
    by_title: OnceLock<Box<[u32]>>,
    words: OnceLock<Words>,
}

/// Title, artist and album of each song in lower case, one song after the other.
#[derive(Debug, Default)]
struct Words {
    text: String,
    ends: Vec<usize>,
}

impl Catalogue {
    /// A version of the catalogue: the songs that are not withdrawn, by id.
    pub fn new(songs: Arc<[Arc<song::Song>]>) -> Self {
        Self {
            songs,
            by_artist: OnceLock::new(),
            by_created_at: OnceLock::new(),
            by_title: OnceLock::new(),
            words: OnceLock::new(),
        }
    }

    /// The songs by id.
    pub fn songs(&self) -> &Arc<[Arc<song::Song>]> {
        &self.songs
    }

    /// A page of the songs that a filter admits.
    pub(crate) fn page(
        &self,
        filter: &SongFilter,
        order: Option<SongOrder>,
        page: &PageArguments,
        is_cached: impl Fn(&song::Song) -> bool,
    ) -> Result<SongConnection> {
        let by = order.map_or(SongOrderField::CreatedAt, |order| order.field);
        let downwards = order.is_some_and(|order| order.direction == OrderDirection::Desc);
        let list = self.admitted(&Wanted::of(filter)?, by, is_cached);
        let song = |position: usize| {
            let position = if downwards { list.len() - 1 - position } else { position };
            &self.songs[list[position] as usize]
        };
        let compare = |position: usize, mark: &Place| {
            let order = Place::of(song(position), by).cmp(mark);
            if downwards { order.reverse() } else { order }
        };
        let range = page.range(list.len(), |cursor| Place::from_cursor(cursor, by), compare)?;
        let cursor = |position: usize| Place::of(song(position), by).cursor(by);
        Ok(SongConnection {
            page_info: PageInfo::of(&range, list.len(), cursor),
            songs: range.map(|position| Song(Arc::clone(song(position)))).collect(),
            by,
            total_count: list.len(),
        })
    }

    /// In ascending order; the whole order itself where nothing is filtered.
    fn admitted(
        &self,
        wanted: &Wanted,
        by: SongOrderField,
        is_cached: impl Fn(&song::Song) -> bool,
    ) -> Cow<'_, [u32]> {
        let order = self.order(by);
        if wanted.is_everything() {
            return Cow::Borrowed(order);
        }
        let admits = |index: &u32| {
            let song = &self.songs[*index as usize];
            wanted.kind.is_none_or(|kind| song.facts.kind.map(SongKind::from) == Some(kind))
                && (wanted.words.is_empty() || self.has_words(*index, &wanted.words))
                && wanted.is_cached.is_none_or(|cached| is_cached(song) == cached)
        };
        Cow::Owned(order.iter().copied().filter(admits).collect())
    }

    /// Where each song stands, as positions among the songs by id.
    fn order(&self, by: SongOrderField) -> &[u32] {
        let kept = match by {
            SongOrderField::Artist => &self.by_artist,
            SongOrderField::CreatedAt => &self.by_created_at,
            SongOrderField::Title => &self.by_title,
        };
        kept.get_or_init(|| {
            // A catalogue of 4 billion songs does not fit in memory, let alone in a venue.
            let mut order: Box<[u32]> = (0..self.songs.len() as u32).collect();
            order.sort_by_cached_key(|index| Place::of(&self.songs[*index as usize], by));
            order
        })
    }

    /// Whether every word occurs somewhere in a song's words.
    fn has_words(&self, index: u32, wanted: &[String]) -> bool {
        let words = self.words.get_or_init(|| Words::of(&self.songs));
        let hay = words.of_song(index as usize);
        wanted.iter().all(|word| hay.contains(word.as_str()))
    }
}

impl Words {
    fn of(songs: &[Arc<song::Song>]) -> Self {
        let mut words = Self::default();
        for song in songs {
            let facts = &song.facts;
            for part in
                [Some(&facts.title), facts.artist.as_ref(), facts.album.as_ref()].into_iter().flatten()
            {
                words.text.push_str(&part.to_lowercase());
                // A word that is looked for holds no white space, so none is found across two parts.
                words.text.push('\n');
            }
            words.ends.push(words.text.len());
        }
        words.text.shrink_to_fit();
        words
    }

    fn of_song(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }
}

/// A filter, its words taken apart.
struct Wanted {
    words: Vec<String>,
    kind: Option<SongKind>,
    is_cached: Option<bool>,
}

impl Wanted {
    fn of(filter: &SongFilter) -> Result<Self> {
        let search = filter.search.as_deref().unwrap_or_default();
        if search.chars().nth(SEARCHED).is_some() {
            return Err(refusal::coded("INVALID", "search is at most 100 characters"));
        }
        let words: BTreeSet<String> = search.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let words = words.into_iter().collect();
        Ok(Self { words, kind: filter.kind, is_cached: filter.is_cached })
    }

    fn is_everything(&self) -> bool {
        self.words.is_empty() && self.kind.is_none() && self.is_cached.is_none()
    }
}

/// Where a song stands in an order: what it is ordered by, then its id, so that every place is distinct.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    key: String,
    id: [u8; 16],
}

impl Place {
    fn of(song: &song::Song, by: SongOrderField) -> Self {
        let key = match by {
            SongOrderField::Title => ordered(&song.facts.title),
            SongOrderField::Artist => song.facts.artist.as_deref().map_or_else(|| LAST.to_owned(), ordered),
            SongOrderField::CreatedAt => format!("{:020}", song.created_at.0.max(0)),
        };
        Self { key, id: *song.id.0.as_bytes() }
    }

    /// A cursor holds the order and the whole place: it still stands between its neighbours when its song is gone.
    fn cursor(&self, by: SongOrderField) -> String {
        let mut bytes = Vec::with_capacity(1 + self.id.len() + self.key.len());
        bytes.push(letter(by));
        bytes.extend(self.id);
        bytes.extend(self.key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for what is no cursor, or one of another order.
    fn from_cursor(cursor: &str, by: SongOrderField) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let place = bytes.strip_prefix(&[letter(by)])?;
        let (id, key) = place.split_at_checked(16)?;
        Some(Self { id: id.try_into().ok()?, key: std::str::from_utf8(key).ok()?.to_owned() })
    }
}

fn letter(by: SongOrderField) -> u8 {
    match by {
        SongOrderField::Artist => b'a',
        SongOrderField::CreatedAt => b'c',
        SongOrderField::Title => b't',
    }
}

/// What a name is ordered by.
fn ordered(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.char_indices().nth(ORDERED_BY) {
        Some((end, _)) => lower[..end].to_owned(),
        None => lower,
    }
}

/// A page of songs.
#[derive(Debug)]
pub struct SongConnection {
    songs: Vec<Song>,
    by: SongOrderField,
    page_info: PageInfo,
    total_count: usize,
}

/// A page of songs.
#[Object(directive = shared::apply())]
impl SongConnection {
    /// The songs with their cursors.
    async fn edges(&self) -> Rows<SongEdge> {
        self.songs.iter().map(|song| SongEdge { by: self.by, song: song.clone() }).collect()
    }

    /// What lies around the page.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// How many there are in all.
    async fn total_count(&self) -> usize {
        self.total_count
    }

    /// The songs.
    async fn nodes(&self) -> Rows<Song> {
        self.songs.iter().cloned().collect()
    }
}

/// A song and where it stands.
#[derive(Debug, Clone)]
pub struct SongEdge {
    by: SongOrderField,
    song: Song,
}

impl SongEdge {
    fn place(&self) -> String {
        Place::of(&self.song.0, self.by).cursor(self.by)
    }
}

/// A song and where it stands.
#[Object(directive = shared::apply())]
impl SongEdge {
    /// For `after` and `before`.
    async fn cursor(&self) -> String {
        self.place()
    }

    /// The song.
    async fn node(&self) -> &Song {
        &self.song
    }
}

/// See [`Row`].
#[derive(Debug)]
pub enum SongEdgeField {
    /// For `after` and `before`.
    Cursor,
    /// The song.
    Node(Plan<Song>),
}

impl Row for SongEdge {
    const TYPES: &'static [&'static str] = &["SongEdge"];
    type Field = SongEdgeField;

    fn field(asked: &Asked<'_>) -> Option<SongEdgeField> {
        Some(match asked.name {
            "cursor" => SongEdgeField::Cursor,
            "node" => SongEdgeField::Node(asked.plan()?),
            _ => return None,
        })
    }

    fn write(&self, field: &SongEdgeField, view: &View<'_>, out: &mut Vec<u8>) {
        match field {
            SongEdgeField::Cursor => write::text(&self.place(), out),
            SongEdgeField::Node(plan) => plan.write(&self.song, view, out),
        }
    }
}

#[cfg(test)]
mod tests;
