//! What a file is, by its content: a name can say anything.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use crate::mpeg::{adts_frame, frames_in_a_row, mpeg_header};

/// How much of a file is looked at. Junk before the first MPEG frame is rarely longer.
const LOOK: usize = 64 << 10;
/// Where a chain of ID3 tags is given up.
const MAX_TAGS: usize = 4;
/// Three MPEG frames that follow each other are no accident.
const FRAMES: usize = 3;

/// The containers that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// MPEG layer III.
    Mp3,
    /// Native FLAC.
    Flac,
    /// Ogg with Vorbis or FLAC inside.
    Ogg,
    /// RIFF WAVE.
    Wav,
    /// MP4 / M4A.
    Mp4,
    /// Raw AAC with ADTS headers.
    Adts,
}

impl Container {
    /// As it is sent in `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::Wav => "audio/wav",
            Self::Mp4 => "audio/mp4",
            Self::Adts => "audio/aac",
        }
    }
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// Something that we decode; the offset is where the audio begins behind any ID3 tag.
    Audio(Container),
    /// Audio of a kind that we do not decode, by name.
    OtherAudio(&'static str),
    /// Not audio; what it looks like, if we know.
    NotAudio(Option<&'static str>),
    /// No bytes at all.
    Empty,
}

/// Looks at an open file from its start, and leaves it at its start.
///
/// # Errors
/// What the operating system says.
pub fn sniff_file(file: &mut File) -> std::io::Result<Sniffed> {
    let (tag, head) = head(file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(if tag == 0 && head.is_empty() { Sniffed::Empty } else { sniff(&head) })
}

/// The length of all `ID3v2` tags at the start, and what follows them.
pub(crate) fn head(file: &mut File) -> std::io::Result<(u64, Vec<u8>)> {
    let (mut start, mut head) = (0, Vec::new());
    for _ in 0..MAX_TAGS {
        head.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(LOOK as u64).read_to_end(&mut head)?;
        match id3_length(&head) {
            Some(length) => start += length,
            None => break,
        }
    }
    Ok((start, head))
}

fn id3_length(head: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = head else { return None };
    let size = [a, b, c, d].iter().fold(0, |size, &byte| size << 7 | u64::from(byte & 0x7F));
    Some(10 + size + if flags & 0x10 == 0 { 0 } else { 10 })
}

/// Looks at the first bytes of a file, behind any ID3 tag.
pub fn sniff(head: &[u8]) -> Sniffed {
    if let Some(found) = by_magic(head) {
        return found;
    }
    // Before any search for frames: in a picture's bytes something always looks like one. RIFF may wrap an MP3.
    let other = looks_like(head);
    if other.is_some() && !head.starts_with(b"RIFF") {
        return Sniffed::NotAudio(other);
    }
    let adts = |bytes: &[u8]| adts_frame(bytes);
    let mpeg = |bytes: &[u8]| mpeg_header(bytes).map(|header| header.bytes);
    if frames_in_a_row(head, FRAMES, adts) {
        return Sniffed::Audio(Container::Adts);
    }
    // Some encoders and cutters leave junk before the first frame; behind junk one frame alone proves nothing.
    let another = |at: usize| head.get(at + mpeg(&head[at..])?..).and_then(mpeg);
    let begins = |at: usize| frames_in_a_row(&head[at..], FRAMES, mpeg) && (at == 0 || another(at).is_some());
    let first = (0..head.len()).find(|&at| head[at] == 0xFF && begins(at));
    match first.and_then(|at| mpeg_header(&head[at..])) {
        Some(header) if header.layer == 3 => Sniffed::Audio(Container::Mp3),
        Some(_) => Sniffed::OtherAudio("MPEG layer I/II (MP2)"),
        None => Sniffed::NotAudio(other),
    }
}

fn by_magic(head: &[u8]) -> Option<Sniffed> {
    use Container::{Flac, Mp4, Wav};
    let form = head.get(8..12).unwrap_or_default();
    let found = match head.get(..4)? {
        b"fLaC" => Sniffed::Audio(Flac),
        b"OggS" => ogg(head),
        b"RIFF" | b"RF64" if form == b"WAVE" => Sniffed::Audio(Wav),
        b"FORM" if form == b"AIFF" || form == b"AIFC" => Sniffed::OtherAudio("AIFF"),
        [0x30, 0x26, 0xB2, 0x75] => Sniffed::OtherAudio("Windows Media (WMA)"),
        [0x1A, 0x45, 0xDF, 0xA3] => Sniffed::OtherAudio("Matroska/WebM"),
        b"MAC " => Sniffed::OtherAudio("Monkey's Audio (APE)"),
        b"wvpk" => Sniffed::OtherAudio("WavPack"),
        b"MThd" => Sniffed::OtherAudio("MIDI"),
        b"caff" => Sniffed::OtherAudio("Core Audio (CAF)"),
        b"DSD " => Sniffed::OtherAudio("DSD"),
        b"TTA1" => Sniffed::OtherAudio("True Audio (TTA)"),
        b"MPCK" => Sniffed::OtherAudio("Musepack"),
        b"#!AM" => Sniffed::OtherAudio("AMR"),
        b".snd" => Sniffed::OtherAudio("Sun audio (AU)"),
        _ if head.get(4..8) == Some(b"ftyp") => match form {
            b"avif" | b"heic" | b"heix" | b"mif1" | b"crx " => Sniffed::NotAudio(Some("a picture")),
            _ => Sniffed::Audio(Mp4),
        },
        _ => return None,
    };
    Some(found)
}

/// An Ogg page names its codec at the start of its first packet, behind 27 + segments bytes of header.
fn ogg(head: &[u8]) -> Sniffed {
    let streams =
        head.windows(4).enumerate().filter(|(_, window)| *window == b"OggS").filter_map(|(at, _)| {
            let page = &head[at..];
            // Only pages that begin a stream name its codec.
            (page.get(5)? & 2 == 2).then_some(())?;
            page.get(27 + usize::from(*page.get(26)?)..)
        });
    let mut other = None;
    for packet in streams {
        match packet {
            [1, b'v', b'o', b'r', b'b', b'i', b's', ..] | [0x7F, b'F', b'L', b'A', b'C', ..] => {
                return Sniffed::Audio(Container::Ogg);
            }
            [b'O', b'p', b'u', b's', ..] => other = other.or(Some("Opus")),
            [b'S', b'p', b'e', b'e', b'x', ..] => other = other.or(Some("Speex")),
            _ => {}
        }
    }
    other.map_or(Sniffed::NotAudio(Some("an Ogg file without sound")), Sniffed::OtherAudio)
}

fn looks_like(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 10] = [
        (&[0xFF, 0xD8, 0xFF], "a JPEG picture"),
        (b"\x89PNG", "a PNG picture"),
        (b"GIF8", "a GIF picture"),
        (b"%PDF", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive"),
        (&[0x1F, 0x8B], "a compressed archive"),
        (b"\x7FELF", "a program"),
        (b"SQLite format 3", "a database"),
        (b"<?xml", "an XML document"),
        (b"RIFF", "a RIFF file that is no WAVE"),
    ];
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(name);
    }
    let start = head[..head.len().min(512)].to_ascii_lowercase();
    let has = |text: &[u8]| start.windows(text.len()).any(|window| window == text);
    if has(b"<html") || has(b"<!doctype html") {
        return Some("a web page");
    }
    let text = !start.is_empty() && start.iter().all(|&byte| byte >= 0x20 || b"\t\r\n".contains(&byte));
    if text { Some("a text") } else { head.iter().all(|&byte| byte == 0).then_some("nothing but zeros") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_named_whatever_the_file_is_called() {
        assert_eq!(sniff(b"fLaC\0\0\0\x22"), Sniffed::Audio(Container::Flac));
        assert_eq!(sniff(b"RIFF\x24\0\0\0WAVEfmt "), Sniffed::Audio(Container::Wav));
        assert_eq!(sniff(b"\0\0\0\x20ftypM4A \0\0"), Sniffed::Audio(Container::Mp4));
        assert_eq!(sniff(b"<!DOCTYPE html><html>"), Sniffed::NotAudio(Some("a web page")));
        assert_eq!(sniff(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 16]), Sniffed::NotAudio(Some("a JPEG picture")));
        assert_eq!(sniff(&[0; 4096]), Sniffed::NotAudio(Some("nothing but zeros")));
    }

    #[test]
    fn what_looks_like_a_frame_makes_no_sound_of_a_picture() {
        let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        picture.extend([0xFF, 0xFB, 0x90, 0x64].iter().cycle().take(2_000));
        assert_eq!(sniff(&picture), Sniffed::NotAudio(Some("a PNG picture")));
        // Nor of anything else, where the one frame would reach past the end.
        let mut unknown = vec![7; 300];
        unknown.extend([0xFF, 0xFB, 0x90, 0x64, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(sniff(&unknown), Sniffed::NotAudio(None));
    }

    #[test]
    fn junk_before_the_first_frame_is_passed_over() {
        let mut stream = vec![0; 300];
        for _ in 0..4 {
            stream.extend([0xFF, 0xFB, 0x90, 0x64]);
            stream.resize(stream.len() + 413, 0);
        }
        assert_eq!(sniff(&stream), Sniffed::Audio(Container::Mp3));
        stream[..12].copy_from_slice(b"RIFF\x10\x08\0\0RMP3");
        assert_eq!(sniff(&stream), Sniffed::Audio(Container::Mp3));
        assert_eq!(sniff(&stream[..300]), Sniffed::NotAudio(Some("a RIFF file that is no WAVE")));
    }

    #[test]
    fn opus_in_ogg_is_named() {
        let mut page = b"OggS\0\x02".to_vec();
        page.resize(26, 0);
        page.extend_from_slice(b"\x01\x13OpusHead\x01\x02");
        assert_eq!(sniff(&page), Sniffed::OtherAudio("Opus"));
    }

    #[test]
    fn an_id3_tag_states_its_own_length() {
        assert_eq!(id3_length(&[b'I', b'D', b'3', 4, 0, 0, 0, 0, 2, 1]), Some(10 + 257));
        assert_eq!(id3_length(b"ID3"), None);
    }
}
