//! What people wrote into the file.

use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};

use lofty::config::{ParseOptions, ParsingMode};
use lofty::file::TaggedFileExt as _;
use lofty::probe::Probe;
use lofty::tag::{ItemKey, Tag};
use roomtone_schema::song::{Explicit, SongKind};

/// Longer texts are mistakes, or lyrics in the wrong place.
const LONGEST: usize = 300;
/// Beats per minute that a person can mean.
const BPM: std::ops::RangeInclusive<f32> = 20.0..=400.0;

/// The tags we use; all of them may be missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tags {
    pub(crate) title: Option<String>,
    pub(crate) artist: Option<String>,
    pub(crate) album: Option<String>,
    pub(crate) isrc: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) explicit: Explicit,
    pub(crate) kind: Option<SongKind>,
    pub(crate) bpm: Option<f32>,
    pub(crate) key: Option<String>,
}

/// Reads the tags. Damaged tags are no reason to refuse good sound: what cannot be read is absent.
pub(crate) fn read(file: &mut File) -> Tags {
    let found = file.seek(SeekFrom::Start(0)).ok().and_then(|_| parse(file)).unwrap_or_default();
    // The next reader begins where it expects to; a file that cannot seek has failed long before.
    let _rewound = file.seek(SeekFrom::Start(0));
    found
}

fn parse(file: &File) -> Option<Tags> {
    let options =
        ParseOptions::new().read_properties(false).read_cover_art(false).parsing_mode(ParsingMode::Relaxed);
    let probe = Probe::new(BufReader::new(file)).options(options).guess_file_type().ok()?;
    let tagged = probe.read().ok()?;
    let primary = tagged.primary_tag();
    let others =
        tagged.tags().iter().filter(|tag| primary.is_none_or(|first| first.tag_type() != tag.tag_type()));
    Some(collect(&primary.into_iter().chain(others).collect::<Vec<_>>()))
}

fn collect(tags: &[&Tag]) -> Tags {
    let text = |key: ItemKey| tags.iter().find_map(|tag| joined(tag, key));
    Tags {
        title: text(ItemKey::TrackTitle),
        artist: text(ItemKey::TrackArtist).or_else(|| text(ItemKey::AlbumArtist)),
        album: text(ItemKey::AlbumTitle),
        isrc: text(ItemKey::Isrc).as_deref().and_then(isrc),
        label: text(ItemKey::Label).or_else(|| text(ItemKey::Publisher)),
        explicit: text(ItemKey::ParentalAdvisory).map_or(Explicit::Unknown, |text| advisory(&text)),
        kind: text(ItemKey::Genre).as_deref().and_then(kind),
        bpm: text(ItemKey::Bpm)
            .as_deref()
            .and_then(bpm)
            .or_else(|| text(ItemKey::IntegerBpm).as_deref().and_then(bpm)),
        key: text(ItemKey::InitialKey).as_deref().and_then(crate::key::normalise),
    }
}

fn joined(tag: &Tag, key: ItemKey) -> Option<String> {
    let parts: Vec<String> = tag.get_strings(key).filter_map(clean).collect();
    (!parts.is_empty()).then(|| clip(&parts.join(", ")))
}

/// One line without control characters and surrounding space, or nothing.
fn clean(text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| clip(&line))
}

fn clip(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// Twelve characters without the hyphens that some write: country, registrant, year, number.
fn isrc(text: &str) -> Option<String> {
    let code: String =
        text.chars().filter(|c| !matches!(c, '-' | ' ')).collect::<String>().to_ascii_uppercase();
    let bytes = code.as_bytes();
    let valid = bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..5].iter().all(u8::is_ascii_alphanumeric)
        && bytes[5..].iter().all(u8::is_ascii_digit);
    valid.then_some(code)
}

/// iTunes' numbers: 1 (and 4 in old files) is explicit, 2 is cleaned, 0 says nothing.
pub(crate) fn advisory(text: &str) -> Explicit {
    match text.trim() {
        "1" | "4" => Explicit::Explicit,
        "2" => Explicit::Clean,
        text if text.eq_ignore_ascii_case("explicit") => Explicit::Explicit,
        text if text.eq_ignore_ascii_case("clean") => Explicit::Clean,
        _ => Explicit::Unknown,
    }
}

fn kind(genre: &str) -> Option<SongKind> {
    let genre = genre.to_lowercase();
    if ["soundscape", "field recording", "nature", "ambience"].iter().any(|word| genre.contains(word)) {
        return Some(SongKind::Soundscape);
    }
    genre.contains("instrumental").then_some(SongKind::Instrumental)
}

fn bpm(text: &str) -> Option<f32> {
    let number: f32 = text.trim().replace(',', ".").parse().ok()?;
    BPM.contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isrc_is_kept_only_if_it_is_one() {
        assert_eq!(isrc("gb-ayE-06-01498").as_deref(), Some("GBAYE0601498"));
        assert_eq!(isrc("unknown"), None);
        assert_eq!(isrc("GBAYE060149É"), None);
    }

    #[test]
    fn tempo_tags_of_people_are_read_and_nonsense_is_not() {
        assert_eq!(bpm("120"), Some(120.0));
        assert_eq!(bpm("92,5"), Some(92.5));
        assert_eq!(bpm("0"), None);
        assert_eq!(bpm("NaN"), None);
        assert_eq!(bpm("fast"), None);
    }

    #[test]
    fn control_characters_and_endless_texts_are_tamed() {
        assert_eq!(clean(" a\0b\n c ").as_deref(), Some("a b c"));
        assert_eq!(clean("\u{7}\0 "), None);
        assert_eq!(clean(&"x".repeat(5000)).unwrap().len(), LONGEST);
    }

    #[test]
    fn explicit_is_said_in_numbers_or_words() {
        assert_eq!(advisory("1"), Explicit::Explicit);
        assert_eq!(advisory("2"), Explicit::Clean);
        assert_eq!(advisory("0"), Explicit::Unknown);
        assert_eq!(advisory("Clean"), Explicit::Clean);
    }
}
