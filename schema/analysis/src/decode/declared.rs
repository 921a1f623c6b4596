//! How long a file says it is: what a cut-off file gives itself away by.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use symphonia::core::formats::Track;

use crate::error::Reason;
use crate::mpeg::{mpeg_header, states_its_length as mp3_states_its_length};
use crate::sniff::{Container, head};

/// Programs that write WAV into a pipe put the largest size they dare into the header, and do not mean it.
const UNMEANT_SIZE: u32 = 0x7FFF_0000;

/// The number of frames in the container's own words.
pub(crate) fn declared_frames(track: &Track) -> Option<u64> {
    let by_count = track.num_frames.filter(|&frames| frames > 0);
    by_count.or_else(|| {
        let seconds = track.time_base?.calc_duration(track.duration?)?.as_secs_f64();
        let rate = track.codec_params.as_ref()?.audio()?.sample_rate?;
        Some((seconds * f64::from(rate)) as u64)
    })
}

/// Whether the container states its length at all; a guess from the size of the file would agree with any cut.
pub(crate) fn states_its_length(file: &mut File, container: Container) -> Result<bool, Reason> {
    let (_, head) = head(file).map_err(|error| Reason::Unreadable(error.to_string()))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| Reason::Unreadable(error.to_string()))?;
    Ok(match container {
        Container::Adts => false,
        Container::Flac | Container::Ogg | Container::Mp4 => true,
        Container::Mp3 => {
            let first = (0..head.len()).find(|&at| mpeg_header(&head[at..]).is_some());
            first.is_some_and(|at| mp3_states_its_length(&head[at..]))
        }
        Container::Wav => wav_data_size(&head).is_none_or(|size| size < UNMEANT_SIZE),
    })
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
