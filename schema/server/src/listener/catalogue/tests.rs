//! Pages beside a naive model of them: sort everything, cut, compare.

use std::collections::BTreeSet;

use proptest::prelude::*;
use roomtone_schema::song::{Explicit, Sha256, SongFacts, SongStatus};
use roomtone_schema::{EmbeddingVersion, SongId, UnixMillis};

use super::*;

const FIELDS: [SongOrderField; 3] =
    [SongOrderField::Artist, SongOrderField::CreatedAt, SongOrderField::Title];

fn song(number: u8, title: &str, artist: Option<&str>, created_at: i64) -> Arc<song::Song> {
    let mut id = [0; 16];
    id[0] = number;
    let facts = SongFacts {
        title: title.to_owned(),
        artist: artist.map(str::to_owned),
        album: Some(format!("Album {}", number % 3)),
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: number.is_multiple_of(2).then_some(song::SongKind::Soundscape),
        duration_ms: 1,
        bpm: None,
        pulse_clarity: 0.0,
        key: None,
        key_strength: 0.0,
        loudness_lufs: None,
        true_peak_dbtp: None,
        cue_in_ms: 0,
        cue_out_ms: 1,
        embedding: None,
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256([number; 32]),
        bytes: 1,
        content_type: "audio/wav".to_owned(),
    };
    let id = roomtone_schema::id::Id::from_bytes(id);
    Arc::new(song::Song { id, status: SongStatus::Ready, facts, created_at: UnixMillis(created_at) })
}

/// Few different titles, artists and times, so that ties are many; every id once.
fn songs() -> impl Strategy<Value = Vec<Arc<song::Song>>> {
    let one = ("[aAbBéß ]{0,3}", proptest::option::of("[xXyÿ]{0,2}"), 0_i64..4);
    proptest::collection::btree_map(any::<u8>(), one, 0..40).prop_map(|songs| {
        let made = |(number, (title, artist, at)): (u8, (String, Option<String>, i64))| {
            song(number, &title, artist.as_deref(), at)
        };
        songs.into_iter().map(made).collect()
    })
}

fn orders() -> impl Strategy<Value = SongOrder> {
    let direction = prop_oneof![Just(OrderDirection::Asc), Just(OrderDirection::Desc)];
    (proptest::sample::select(&FIELDS[..]), direction)
        .prop_map(|(field, direction)| SongOrder { field, direction })
}

fn filters() -> impl Strategy<Value = SongFilter> {
    let search = proptest::option::of("[aBé]( [xÿ])?");
    let kind = proptest::option::of(Just(SongKind::Soundscape));
    (search, kind, proptest::option::of(any::<bool>())).prop_map(|(search, kind, is_cached)| SongFilter {
        search,
        kind,
        is_cached,
    })
}

fn catalogue(songs: &[Arc<song::Song>]) -> Catalogue {
    Catalogue::new(songs.into())
}

fn is_cached(song: &song::Song) -> bool {
    song.facts.sha256.0[0].is_multiple_of(3)
}

/// Everything that a filter admits, in order, worked out from the filter's own words.
fn model(songs: &[Arc<song::Song>], filter: &SongFilter, order: SongOrder) -> Vec<SongId> {
    let admits = |song: &&Arc<song::Song>| {
        let facts = &song.facts;
        let texts = [Some(&facts.title), facts.artist.as_ref(), facts.album.as_ref()];
        let has = |word: &str| texts.iter().flatten().any(|text| text.to_lowercase().contains(word));
        filter.search.as_ref().is_none_or(|words| words.to_lowercase().split_whitespace().all(has))
            && filter.kind.is_none_or(|kind| facts.kind.map(SongKind::from) == Some(kind))
            && filter.is_cached.is_none_or(|wanted| is_cached(song) == wanted)
    };
    let mut list: Vec<&Arc<song::Song>> = songs.iter().filter(admits).collect();
    list.sort_by(|a, b| {
        let artist = |song: &song::Song| song.facts.artist.as_ref().map(|artist| artist.to_lowercase());
        let by = match order.field {
            SongOrderField::Title => a.facts.title.to_lowercase().cmp(&b.facts.title.to_lowercase()),
            SongOrderField::CreatedAt => a.created_at.cmp(&b.created_at),
            SongOrderField::Artist => (artist(a).is_none(), artist(a)).cmp(&(artist(b).is_none(), artist(b))),
        };
        by.then(a.id.cmp(&b.id))
    });
    if order.direction == OrderDirection::Desc {
        list.reverse();
    }
    list.into_iter().map(|song| song.id).collect()
}

fn ids(page: &SongConnection) -> Vec<SongId> {
    page.songs.iter().map(|song| song.0.id).collect()
}

fn cursor_of(songs: &[Arc<song::Song>], id: SongId, by: SongOrderField) -> String {
    let song = songs.iter().find(|song| song.id == id).unwrap();
    Place::of(song, by).cursor(by)
}

proptest! {
    #[test]
    fn a_page_is_what_the_model_says(
        songs in songs(),
        filter in filters(),
        order in orders(),
        size in 0_i32..8,
        forwards in any::<bool>(),
        marks in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>(), any::<bool>()),
    ) {
        let list = model(&songs, &filter, order);
        let (after, before, with_after, with_before) = marks;
        let mut wanted = (0, list.len());
        let mut page = PageArguments::default();
        if with_after && !list.is_empty() {
            let at = after.index(list.len());
            page.after = Some(cursor_of(&songs, list[at], order.field));
            wanted.0 = at + 1;
        }
        if with_before && !list.is_empty() {
            let at = before.index(list.len());
            page.before = Some(cursor_of(&songs, list[at], order.field));
            wanted.1 = at.max(wanted.0);
        }
        let size_wanted = size as usize;
        if forwards {
            page.first = Some(size);
            wanted.1 = wanted.1.min(wanted.0 + size_wanted);
        } else {
            page.last = Some(size);
            wanted.0 = wanted.0.max(wanted.1.saturating_sub(size_wanted));
        }
        let got = catalogue(&songs).page(&filter, Some(order), &page, is_cached).unwrap();
        prop_assert_eq!(ids(&got), &list[wanted.0..wanted.1]);
        prop_assert_eq!(got.total_count, list.len());
        let cursor = |at: usize| cursor_of(&songs, list[at], order.field);
        let info = PageInfo::of(&(wanted.0..wanted.1), list.len(), cursor);
        prop_assert_eq!(got.page_info, info);
    }

    /// Songs come and go between pages: none is shown twice, and none that was there all along is missed.
    #[test]
    fn nothing_is_lost_or_shown_twice_while_songs_come_and_go(
        songs in songs(),
        order in orders(),
        size in 1_i32..6,
        forwards in any::<bool>(),
        comings in proptest::collection::vec(any::<u64>(), 1..20),
    ) {
        let mut comings = comings.into_iter().cycle();
        let mut always: BTreeSet<SongId> = songs.iter().map(|song| song.id).collect();
        let mut seen = Vec::new();
        let mut page = PageArguments::default();
        loop {
            let mask = comings.next().unwrap_or_default();
            let here = songs.iter().enumerate().filter(|(at, _)| mask >> (at % 64) & 1 == 1);
            let here: Vec<Arc<song::Song>> = here.map(|(_, song)| Arc::clone(song)).collect();
            always.retain(|id| here.iter().any(|song| song.id == *id));
            if forwards { page.first = Some(size) } else { page.last = Some(size) }
            let got = catalogue(&here).page(&SongFilter::default(), Some(order), &page, is_cached).unwrap();
            let mut ids = ids(&got);
            if !forwards {
                ids.reverse();
            }
            let (more, next) = if forwards {
                (got.page_info.has_next(), got.page_info.end())
            } else {
                (got.page_info.has_previous(), got.page_info.start())
            };
            seen.extend(ids);
            // At the end of what is there now; what comes later comes too late for this walk.
            if !more {
                break;
            }
            if forwards { page.after = next } else { page.before = next }
        }
        let distinct: BTreeSet<SongId> = seen.iter().copied().collect();
        prop_assert_eq!(distinct.len(), seen.len(), "a song twice");
        prop_assert!(always.is_subset(&distinct), "a song lost");
    }

    #[test]
    fn no_text_is_a_cursor_by_chance(text in "\\PC*", by in proptest::sample::select(&FIELDS[..])) {
        let page = PageArguments { after: Some(text.clone()), ..PageArguments::default() };
        let order = SongOrder { field: by, direction: OrderDirection::Asc };
        // It is refused, or it is the cursor of some place; it never panics.
        let outcome = catalogue(&[]).page(&SongFilter::default(), Some(order), &page, is_cached);
        prop_assert_eq!(outcome.is_ok(), Place::from_cursor(&text, by).is_some());
    }
}

fn refused(page: &PageArguments) -> Option<String> {
    let songs = [song(1, "One", None, 1)];
    let refused = catalogue(&songs).page(&SongFilter::default(), None, page, is_cached).err()?;
    let extensions = serde_json::to_value(refused.extensions).unwrap();
    Some(extensions["code"].as_str().unwrap().to_owned())
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_code() {
    let page = PageArguments::default();
    let invalid = Some("INVALID".to_owned());
    assert_eq!(refused(&PageArguments { first: Some(1), last: Some(1), ..page.clone() }), invalid);
    assert_eq!(refused(&PageArguments { first: Some(-1), ..page.clone() }), invalid);
    assert_eq!(refused(&PageArguments { last: Some(-1), ..page.clone() }), invalid);
    assert_eq!(refused(&PageArguments { after: Some("nonsense".to_owned()), ..page.clone() }), invalid);
    let of_another_order = Place::of(&song(1, "One", None, 1), SongOrderField::Title);
    let after = Some(of_another_order.cursor(SongOrderField::Title));
    assert_eq!(refused(&PageArguments { after, ..page.clone() }), invalid);
    assert_eq!(refused(&PageArguments { first: Some(0), ..page }), None);
}

#[test]
fn a_page_holds_a_hundred_at_most_and_twenty_unless_told() {
    let songs: Vec<_> = (0..200).map(|number| song(number, "Same", None, 1)).collect();
    let page = |first| {
        let page = PageArguments { first, ..PageArguments::default() };
        catalogue(&songs).page(&SongFilter::default(), None, &page, is_cached).unwrap().songs.len()
    };
    assert_eq!(page(Some(1_000)), 100);
    assert_eq!(page(None), 20);
}

#[test]
fn a_title_of_any_length_makes_a_short_cursor() {
    let long = "ẞ".repeat(100_000);
    let songs = [song(1, &long, None, 1), song(2, &format!("{long}x"), None, 1)];
    let order = SongOrder { field: SongOrderField::Title, direction: OrderDirection::Asc };
    let page = PageArguments { first: Some(1), ..PageArguments::default() };
    let got = catalogue(&songs).page(&SongFilter::default(), Some(order), &page, is_cached).unwrap();
    let end = got.page_info.end().unwrap();
    assert!(end.len() < 800, "{} bytes", end.len());
    let page = PageArguments { first: Some(1), after: Some(end), ..PageArguments::default() };
    let got = catalogue(&songs).page(&SongFilter::default(), Some(order), &page, is_cached).unwrap();
    assert_eq!(ids(&got), [songs[1].id]);
}

#[test]
fn a_search_is_short() {
    let songs = [song(1, "aaa", None, 1)];
    let found = |search: String| {
        let filter = SongFilter { search: Some(search), ..SongFilter::default() };
        catalogue(&songs).page(&filter, None, &PageArguments::default(), is_cached)
    };
    assert_eq!(found("a ".repeat(50)).unwrap().total_count, 1);
    assert_eq!(found("é".repeat(100)).unwrap().total_count, 0);
    assert!(found("a".repeat(101)).is_err());
}
