//! What a loudspeaker was given, listened to: when it sounded, which song it was, and where there was a gap.

use std::f32::consts::TAU;
use std::path::Path;

/// Sound is looked at in pieces of this length: shorter than any gap that somebody notices.
const PIECE_MS: usize = 10;

/// Below this there is silence, in dBFS.
const SILENT_DB: f32 = -60.0;

/// A recording, mixed down to one channel.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Frames in a second.
    pub rate: u32,
    /// One value per frame, -1 to 1.
    pub samples: Vec<f32>,
}

/// A part of a recording, in seconds from its beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// From here.
    pub from: f64,
    /// To here.
    pub to: f64,
}

impl Stretch {
    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.to - self.from
    }
}

impl Recording {
    /// Reads a 32-bit float WAV file, also one that is still being written.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let Some(format) = position(&bytes, b"fmt ") else {
            return Self { rate: 48_000, samples: Vec::new() };
        };
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let channels = usize::from(word(format + 10));
        let rate = u32::from(word(format + 12)) | u32::from(word(format + 14)) << 16;
        let data = position(&bytes, b"data").map_or(bytes.len(), |at| at + 8);
        Self { rate, samples: mixed(&bytes[data.min(bytes.len())..], channels) }
    }

    /// Reads 32-bit float frames of two channels at 48 kHz without a header, as `parec --raw` writes them.
    pub fn raw(path: &Path) -> Self {
        Self { rate: 48_000, samples: mixed(&std::fs::read(path).unwrap_or_default(), 2) }
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate)
    }

    /// Where it is silent for at least `seconds`, between the first sound and the last.
    pub fn gaps(&self, seconds: f64) -> Vec<Stretch> {
        let loud: Vec<bool> = self.levels().map(|level| SILENT_DB < level).collect();
        let (Some(first), Some(last)) = (loud.iter().position(|is| *is), loud.iter().rposition(|is| *is))
        else {
            return Vec::new();
        };
        let mut gaps = Vec::new();
        let mut began = None;
        for (at, is_loud) in loud.iter().copied().enumerate().take(last + 1).skip(first) {
            match (is_loud, began) {
                (false, None) => began = Some(at),
                (true, Some(from)) => {
                    gaps.push(Stretch { from: seconds_of(from), to: seconds_of(at) });
                    began = None;
                }
                _ => {}
            }
        }
        gaps.retain(|gap| seconds <= gap.seconds());
        gaps
    }

    /// When it first sounds; `None` where it never does.
    pub fn first_sound(&self) -> Option<f64> {
        self.levels().position(|level| SILENT_DB < level).map(seconds_of)
    }

    /// Whether it sounds in its last `seconds`.
    pub fn sounds_at_its_end(&self, seconds: f64) -> bool {
        let pieces = (seconds * 1_000.0) as usize / PIECE_MS;
        let levels: Vec<f32> = self.levels().collect();
        levels[levels.len().saturating_sub(pieces)..].iter().any(|level| SILENT_DB < *level)
    }

    /// Which of `tones` (in Hz) sound, in their order, each with where: a tone counts where it is the strongest for a
    /// quarter of a second.
    pub fn tones(&self, tones: &[f32]) -> Vec<(usize, Stretch)> {
        let window = self.rate as usize / 4;
        let mut heard: Vec<(usize, Stretch)> = Vec::new();
        for (at, piece) in self.samples.chunks_exact(window).enumerate() {
            let powers: Vec<f32> = tones.iter().map(|hz| self.power(piece, *hz)).collect();
            let Some((strongest, power)) =
                powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
            else {
                continue;
            };
            if power < 1e-6 {
                continue;
            }
            let to = (at + 1) as f64 / 4.0;
            match heard.last_mut() {
                Some((tone, stretch)) if *tone == strongest => stretch.to = to,
                _ => heard.push((strongest, Stretch { from: at as f64 / 4.0, to })),
            }
        }
        heard
    }

    /// The power of one frequency in a piece (Goertzel).
    fn power(&self, piece: &[f32], hz: f32) -> f32 {
        let turn = 2.0 * (TAU * hz / self.rate as f32).cos();
        let (last, before) =
            piece.iter().fold((0.0, 0.0), |(last, before), x| (x + turn * last - before, last));
        (last * last + before * before - turn * last * before) / (piece.len() as f32).powi(2)
    }

    fn levels(&self) -> impl Iterator<Item = f32> + '_ {
        let piece = self.rate as usize * PIECE_MS / 1_000;
        self.samples.chunks_exact(piece.max(1)).map(|piece| {
            let power = piece.iter().map(|x| x * x).sum::<f32>() / piece.len() as f32;
            10.0 * power.max(1e-12).log10()
        })
    }
}

fn seconds_of(piece: usize) -> f64 {
    (piece * PIECE_MS) as f64 / 1_000.0
}

fn position(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).take(4_096).position(|window| window == word)
}

fn mixed(bytes: &[u8], channels: usize) -> Vec<f32> {
    let frame = 4 * channels.max(1);
    bytes
        .chunks_exact(frame)
        .map(|frame| {
            let values = frame.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]]));
            values.sum::<f32>() / channels as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, seconds: f32) -> impl Iterator<Item = f32> {
        (0..(48_000.0 * seconds) as usize).map(move |n| 0.3 * (TAU * hz * n as f32 / 48_000.0).sin())
    }

    #[test]
    fn a_gap_between_two_songs_is_found_and_the_songs_are_told_apart() {
        let silence = std::iter::repeat_n(0.0, 24_000);
        let samples = silence
            .clone()
            .chain(tone(440.0, 1.0))
            .chain(silence.clone())
            .chain(tone(660.0, 1.0))
            .chain(silence);
        let recording = Recording { rate: 48_000, samples: samples.collect() };
        let gaps = recording.gaps(0.1);
        assert_eq!(gaps.len(), 1, "silence at both ends is none");
        assert!((gaps[0].seconds() - 0.5).abs() < 0.03, "{gaps:?}");
        assert_eq!(recording.first_sound(), Some(0.5));
        let order: Vec<usize> = recording.tones(&[660.0, 440.0]).into_iter().map(|(tone, _)| tone).collect();
        assert_eq!(order, [1, 0]);
    }
}
