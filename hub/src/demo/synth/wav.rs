//! A WAV file with its tags: 16 bits, stereo, and an ID3 chunk behind the sound.

use super::RATE;
use super::score::Sketch;
use super::stereo::Stereo;

pub(super) fn bytes(sketch: &Sketch, sound: &Stereo) -> Vec<u8> {
    let tags = padded(id3(sketch));
    let data = (sound.left.len() * 4) as u32;
    let mut file = Vec::with_capacity(data as usize + tags.len() + 64);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(4 + 24 + 8 + data + 8 + tags.len() as u32).to_le_bytes());
    // 16 bytes of format: PCM, two channels.
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 4).to_le_bytes());
    file.extend_from_slice(b"\x04\0\x10\0data");
    file.extend_from_slice(&data.to_le_bytes());
    for (left, right) in sound.left.iter().zip(&sound.right) {
        for sample in [left, right] {
            file.extend_from_slice(&((sample * 32_767.0) as i16).to_le_bytes());
        }
    }
    file.extend_from_slice(b"ID3 ");
    file.extend_from_slice(&(tags.len() as u32).to_le_bytes());
    file.extend_from_slice(&tags);
    file
}

/// Chunks of a RIFF file have even lengths.
fn padded(mut chunk: Vec<u8>) -> Vec<u8> {
    if !chunk.len().is_multiple_of(2) {
        chunk.push(0);
    }
    chunk
}

fn id3(sketch: &Sketch) -> Vec<u8> {
    let bpm = sketch.tagged_bpm().map(|bpm| bpm.to_string()).unwrap_or_default();
    let texts = [
        (b"TIT2", sketch.title),
        (b"TPE1", sketch.artist),
        (b"TALB", sketch.album),
        (b"TCON", sketch.genre),
        (b"TBPM", &bpm),
    ];
    let frames: Vec<u8> =
        texts.iter().filter(|(_, text)| !text.is_empty()).flat_map(|(id, text)| frame(**id, text)).collect();
    [b"ID3\x04\0\0".as_slice(), &synchsafe(frames.len()), &frames].concat()
}

/// A text frame of ID3 2.4, in UTF-8.
fn frame(id: [u8; 4], text: &str) -> Vec<u8> {
    [id.as_slice(), &synchsafe(text.len() + 1), b"\0\0\x03", text.as_bytes()].concat()
}

/// Seven bits in each byte, so that no size looks like the start of a sound.
fn synchsafe(size: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| (size >> shift & 0x7F) as u8)
}
