//! Lists that grow, a page at a time.
//!
//! A cursor names the entry it stands at, so a page is right after entries came or went before it.

use std::cmp::Ordering;
use std::sync::Arc;

use async_graphql::{ComplexObject, Enum, InputObject, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::song;

use super::song::{Song, SongKind};
use super::{refusal, shared};

/// Entries on a page where nobody says how many.
const USUAL: usize = 20;
/// Entries on a page at most.
const MOST: usize = 100;

/// What lies around a page.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct PageInfo {
    /// Whether there is more after it.
    has_next_page: bool,
    /// Whether there is more before it.
    has_previous_page: bool,
    /// Where it begins.
    start_cursor: Option<String>,
    /// Where it ends.
    end_cursor: Option<String>,
}

/// The four arguments of a connection.
#[derive(Debug, Default)]
pub(crate) struct PageArguments {
    pub(crate) first: Option<i32>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i32>,
    pub(crate) before: Option<String>,
}

/// A part of a list and what lies around it.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) info: PageInfo,
}

fn invalid(why: &str) -> async_graphql::Error {
    refusal::coded("INVALID", why)
}

impl PageArguments {
    /// The page of a list whose cursors are opaque names; a cursor that names nothing (any more) is refused.
    pub(crate) fn of<T: Copy>(&self, list: &[T], cursor: impl Fn(&T) -> String) -> Result<Page<T>> {
        let find = |wanted: &str| {
            list.iter()
                .position(|item| cursor(item) == wanted)
                .ok_or_else(|| invalid("this cursor is not of this list"))
        };
        let start = self.after.as_deref().map(find).transpose()?.map_or(0, |at| at + 1);
        let end = self.before.as_deref().map(find).transpose()?.unwrap_or(list.len());
        let (start, end) = self.cut(start, end)?;
        let items = &list[start..end];
        let info = PageInfo {
            has_next_page: end < list.len(),
            has_previous_page: start > 0,
            start_cursor: items.first().map(&cursor),
            end_cursor: items.last().map(&cursor),
        };
        Ok(Page { items: items.to_vec(), info })
    }

    /// Takes as many as are wanted off the front or the back of a range.
    fn cut(&self, start: usize, end: usize) -> Result<(usize, usize)> {
        let end = end.max(start);
        match (self.first, self.last) {
            (Some(_), Some(_)) => Err(invalid("give first or last, not both")),
            (Some(n), None) => Ok((start, end.min(start + size(n)?))),
            (None, Some(n)) => Ok((start.max(end.saturating_sub(size(n)?)), end)),
            (None, None) => Ok((start, end.min(start + USUAL))),
        }
    }
}

fn size(n: i32) -> Result<usize> {
    let size = usize::try_from(n).map_err(|_negative| invalid("first and last are 0 to 100"))?;
    Ok(size.min(MOST))
}

/// Which songs.
#[derive(Debug, Default, InputObject)]
pub struct SongFilter {
    /// Words in title, artist or album.
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

/// A page of songs.
#[derive(Debug, SimpleObject)]
#[graphql(complex, directive = shared::apply())]
pub struct SongConnection {
    /// The songs with their cursors.
    edges: Vec<SongEdge>,
    /// What lies around the page.
    page_info: PageInfo,
    /// How many there are in all.
    total_count: usize,
}

#[ComplexObject]
impl SongConnection {
    /// The songs.
    async fn nodes(&self) -> Vec<&Song> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

/// A song and where it stands.
#[derive(Debug, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct SongEdge {
    /// For `after` and `before`.
    cursor: String,
    /// The song.
    node: Song,
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
            SongOrderField::Title => song.facts.title.to_lowercase(),
            SongOrderField::Artist => song
                .facts
                .artist
                .as_ref()
                .map_or_else(|| "\u{10ffff}".to_owned(), |artist| artist.to_lowercase()),
            SongOrderField::CreatedAt => format!("{:020}", song.created_at.0.max(0)),
        };
        Self { key, id: *song.id.0.as_bytes() }
    }

    /// A cursor holds the whole place: it still stands between its neighbours when its song is gone.
    fn cursor(&self) -> String {
        let mut bytes = self.id.to_vec();
        bytes.extend(self.key.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn from_cursor(cursor: &str) -> Result<Self> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (id, key) = bytes.split_at_checked(16)?;
            Some(Self { id: id.try_into().ok()?, key: String::from_utf8(key.to_vec()).ok()? })
        };
        read().ok_or_else(|| invalid("this cursor is not of this list"))
    }
}

impl SongFilter {
    fn admits(&self, song: &song::Song, is_cached: impl Fn(&song::Song) -> bool) -> bool {
        let kind = self.kind.is_none_or(|kind| song.facts.kind.map(SongKind::from) == Some(kind));
        kind && self.is_cached.is_none_or(|wanted| is_cached(song) == wanted)
            && self.search.as_deref().is_none_or(|words| matches(song, words))
    }
}

/// Every word occurs somewhere.
fn matches(song: &song::Song, words: &str) -> bool {
    let facts = &song.facts;
    let texts = [Some(&facts.title), facts.artist.as_ref(), facts.album.as_ref()];
    let hay = texts.into_iter().flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
    words.to_lowercase().split_whitespace().all(|word| hay.contains(word))
}

/// A page of the catalogue, filtered and ordered.
pub(crate) fn songs(
    catalogue: &[Arc<song::Song>],
    filter: &SongFilter,
    order: Option<SongOrder>,
    page: &PageArguments,
    is_cached: impl Fn(&song::Song) -> bool,
) -> Result<SongConnection> {
    let by = order.map_or(SongOrderField::CreatedAt, |order| order.field);
    let downwards = order.is_some_and(|order| order.direction == OrderDirection::Desc);
    let compare = |a: &Place, b: &Place| if downwards { b.cmp(a) } else { a.cmp(b) };
    let mut list: Vec<(Place, &Arc<song::Song>)> = catalogue
        .iter()
        .filter(|song| filter.admits(song, &is_cached))
        .map(|song| (Place::of(song, by), song))
        .collect();
    list.sort_unstable_by(|a, b| compare(&a.0, &b.0));
    let after = page.after.as_deref().map(Place::from_cursor).transpose()?;
    let before = page.before.as_deref().map(Place::from_cursor).transpose()?;
    let is_up_to = |entry: &(Place, _), mark: &Place| compare(&entry.0, mark) != Ordering::Greater;
    let is_before = |entry: &(Place, _), mark: &Place| compare(&entry.0, mark) == Ordering::Less;
    let start = after.map_or(0, |mark| list.partition_point(|entry| is_up_to(entry, &mark)));
    let end = before.map_or(list.len(), |mark| list.partition_point(|entry| is_before(entry, &mark)));
    let (start, end) = page.cut(start, end)?;
    Ok(connection(&list, start, end))
}

fn connection(list: &[(Place, &Arc<song::Song>)], start: usize, end: usize) -> SongConnection {
    let edge = |(place, song): &(Place, &Arc<song::Song>)| SongEdge {
        cursor: place.cursor(),
        node: Song(Arc::clone(song)),
    };
    let edges: Vec<SongEdge> = list[start..end].iter().map(edge).collect();
    let page_info = PageInfo {
        has_next_page: end < list.len(),
        has_previous_page: start > 0,
        start_cursor: edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: edges.last().map(|edge| edge.cursor.clone()),
    };
    SongConnection { edges, page_info, total_count: list.len() }
}
