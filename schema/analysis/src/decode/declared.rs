//! How long a file says it is: what a cut-off file gives itself away by.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use symphonia::core::formats::Track;

use crate::mpeg::{mpeg_header, states_its_length};
use crate::sniff::{Container, head};

/// Programs that write WAV into a pipe put the largest size they dare into the header, and do not mean it.
const UNMEANT_SIZE: u32 = 0x7FFF_0000;
/// An MP4 file has a handful of atoms at its top level.
const MOST_ATOMS: usize = 10_000;

/// What a container promises about its own end.
pub(super) struct Promise {
    /// It states its length; a guess from the size of the file would agree with any cut.
    pub(super) length_is_stated: bool,
    /// The end of the file inside a packet means that something is missing.
    pub(super) ends_by_itself: bool,
    /// Part of it lies behind the end of the file.
    pub(super) cut: bool,
    /// How many bytes its packets have together, where nothing else would tell of holes.
    pub(super) packet_bytes: Option<u64>,
}

/// The number of frames in the container's own words.
pub(super) fn declared_frames(track: &Track) -> Option<u64> {
    let by_count = track.num_frames.filter(|&frames| frames > 0);
    by_count.or_else(|| {
        let seconds = track.time_base?.calc_duration(track.duration?)?.as_secs_f64();
        let rate = track.codec_params.as_ref()?.audio()?.sample_rate?;
        Some((seconds * f64::from(rate)) as u64)
    })
}

impl Promise {
    pub(super) fn read(file: &mut File, container: Container) -> std::io::Result<Self> {
        let (tag, head) = head(file)?;
        let length = file.metadata()?.len();
        let meant =
            container != Container::Wav || wav_data_size(&head).is_none_or(|size| size < UNMEANT_SIZE);
        let promise = Self {
            length_is_stated: match container {
                Container::Adts => false,
                Container::Mp3 => mp3_states_its_length(&head),
                _ => meant,
            },
            ends_by_itself: meant,
            cut: container == Container::Mp4 && mp4_is_cut(file, length)?,
            packet_bytes: (container == Container::Adts).then(|| length.saturating_sub(tag)),
        };
        file.seek(SeekFrom::Start(0))?;
        Ok(promise)
    }
}

fn mp3_states_its_length(head: &[u8]) -> bool {
    let first = (0..head.len()).find(|&at| mpeg_header(&head[at..]).is_some());
    first.is_some_and(|at| states_its_length(&head[at..]))
}

/// The size in the header of the `data` chunk.
fn wav_data_size(head: &[u8]) -> Option<u32> {
    let mut at = 12;
    while let Some(&[a, b, c, d, s0, s1, s2, s3]) = head.get(at..at + 8) {
        let size = u32::from_le_bytes([s0, s1, s2, s3]);
        if [a, b, c, d] == *b"data" {
            return Some(size);
        }
        // Chunks are padded to even sizes.
        at = at.checked_add(8 + size as usize + (size & 1) as usize)?;
    }
    None
}

/// Whether an atom of the top level ends behind the end of the file.
fn mp4_is_cut(file: &mut File, length: u64) -> std::io::Result<bool> {
    let mut at = 0_u64;
    for _ in 0..MOST_ATOMS {
        if at >= length {
            return Ok(at > length);
        }
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at))?;
        let read = file.by_ref().take(16).read(&mut header)?;
        let size = match u32::from_be_bytes([header[0], header[1], header[2], header[3]]) {
            // "Until the end of the file."
            0 => return Ok(false),
            1 if read == 16 => u64::from_be_bytes([8, 9, 10, 11, 12, 13, 14, 15].map(|i| header[i])),
            size => u64::from(size),
        };
        if read < 8 || size < 8 {
            return Ok(read < 8);
        }
        at = at.saturating_add(size);
    }
    Ok(false)
}
