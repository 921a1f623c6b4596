//! Signals, files in every format, and what can be measured on samples.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use crate::skip::skip;

/// One channel.
pub(crate) type Mono = Vec<f64>;

pub(crate) fn sine(hz: f64, amplitude: f64, rate: u32, frames: usize) -> Mono {
    (0..frames).map(|at| amplitude * (TAU * hz * at as f64 / f64::from(rate)).sin()).collect()
}

/// Noise of an even spectrum, the same every time.
pub(crate) fn noise(seed: u64, amplitude: f64, frames: usize) -> Mono {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..frames).map(|_| amplitude * (2.0 * next() - 1.0)).collect()
}

/// How a WAV file holds its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Int16,
    Int24,
    Float,
}

/// Writes channels of equal length.
pub(crate) fn write_wav(path: &Path, rate: u32, width: Width, channels: &[&Mono]) {
    let (code, bytes) = match width {
        Width::Int16 => (1_u16, 2_u16),
        Width::Int24 => (1, 3),
        Width::Float => (3, 4),
    };
    let mut data = Vec::new();
    for at in 0..channels[0].len() {
        for channel in channels {
            match width {
                Width::Int16 => {
                    data.extend_from_slice(&((channel[at] * 32_767.0).round() as i16).to_le_bytes());
                }
                Width::Int24 => {
                    data.extend_from_slice(&((channel[at] * 8_388_607.0).round() as i32).to_le_bytes()[..3]);
                }
                Width::Float => data.extend_from_slice(&(channel[at] as f32).to_le_bytes()),
            }
        }
    }
    let count = channels.len() as u16;
    let mut file = Vec::from(*b"RIFF");
    file.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&code.to_le_bytes());
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::from(count * bytes)).to_le_bytes());
    file.extend_from_slice(&(count * bytes).to_le_bytes());
    file.extend_from_slice(&(bytes * 8).to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(&data);
    std::fs::write(path, file).unwrap();
}

/// Which program makes which format.
fn encoder(ending: &str) -> &'static str {
    match ending {
        "mp3" => "lame",
        "flac" => "flac",
        "ogg" => "oggenc",
        _ => "ffmpeg",
    }
}

/// Encodes a WAV file beside itself; `None`, said loudly, where the encoder is not installed.
pub(crate) fn encoded(test: &str, wav: &Path, ending: &str) -> Option<PathBuf> {
    if ending == "wav" {
        return Some(wav.to_owned());
    }
    let to = wav.with_extension(ending);
    let (from, out, program) = (wav.to_str().unwrap(), to.to_str().unwrap(), encoder(ending));
    let arguments: Vec<&str> = match ending {
        "mp3" => vec!["--quiet", "-V2", from, out],
        "flac" => vec!["-s", "-f", "-o", out, from],
        "ogg" => vec!["-Q", "-q5", "-o", out, from],
        _ => vec!["-y", "-loglevel", "error", "-i", from, "-b:a", "192k", out],
    };
    match Command::new(program).args(&arguments).stdin(Stdio::null()).status() {
        Ok(status) => {
            assert!(status.success(), "{program} {arguments:?}");
            Some(to)
        }
        Err(error) => {
            skip(test, &format!("{program} is not installed ({error})"));
            None
        }
    }
}

/// One channel out of interleaved samples.
pub(crate) fn channel(interleaved: &[f32], channels: usize, which: usize) -> Mono {
    interleaved.iter().skip(which).step_by(channels).map(|sample| f64::from(*sample)).collect()
}

/// Mean square in dB.
pub(crate) fn power_db(samples: &[f64]) -> f64 {
    10.0 * (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64)
        .max(1e-30)
        .log10()
}

/// Everything that is not the tone, against the tone, in dB: the tone is fitted and taken off (IEC 60268-3's THD+N).
pub(crate) fn thd_n_db(samples: &[f64], hz: f64, rate: u32) -> f64 {
    let turns: Vec<f64> = (0..samples.len()).map(|at| TAU * hz * at as f64 / f64::from(rate)).collect();
    // Least squares on sine, cosine and an offset; over many periods these three are all but orthogonal, so twice is enough.
    let mut rest = samples.to_vec();
    let mut tone = 0.0;
    for round in 0..3 {
        let count = rest.len() as f64;
        let sin =
            2.0 * rest.iter().zip(&turns).map(|(sample, turn)| sample * turn.sin()).sum::<f64>() / count;
        let cos =
            2.0 * rest.iter().zip(&turns).map(|(sample, turn)| sample * turn.cos()).sum::<f64>() / count;
        let mean = rest.iter().sum::<f64>() / count;
        for (sample, turn) in rest.iter_mut().zip(&turns) {
            *sample -= sin * turn.sin() + cos * turn.cos() + mean;
        }
        if round == 0 {
            tone = f64::midpoint(sin * sin, cos * cos);
        }
    }
    power_db(&rest) - 10.0 * tone.log10()
}

/// The loudest moment above `from_hz`, in dBFS: a click is broad, a tone and its fade are not.
///
/// The samples are cut into short overlapping pieces under a window; what is above the frequency in the worst of them is
/// given as the RMS of that piece.
pub(crate) fn click_db(samples: &[f64], from_hz: f64, rate: u32) -> f64 {
    const PIECE: usize = 512;
    let fft = FftPlanner::new().plan_fft_forward(PIECE);
    let window: Vec<f64> = (0..PIECE)
        .map(|at| {
            let turn = TAU * at as f64 / PIECE as f64;
            0.358_75 - 0.488_29 * turn.cos() + 0.141_28 * (2.0 * turn).cos() - 0.011_68 * (3.0 * turn).cos()
        })
        .collect();
    let gain = window.iter().map(|value| value * value).sum::<f64>();
    let first = (from_hz * PIECE as f64 / f64::from(rate)).ceil() as usize;
    let mut worst = 0.0_f64;
    for start in (0..samples.len().saturating_sub(PIECE)).step_by(PIECE / 4) {
        let mut piece: Vec<Complex<f64>> = samples[start..start + PIECE]
            .iter()
            .zip(&window)
            .map(|(sample, window)| Complex::new(sample * window, 0.0))
            .collect();
        fft.process(&mut piece);
        let power = piece[first..PIECE / 2].iter().map(Complex::norm_sqr).sum::<f64>();
        worst = worst.max(2.0 * power / (PIECE as f64 * gain));
    }
    10.0 * worst.max(1e-30).log10()
}
