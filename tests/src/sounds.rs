//! Small audio files made by arithmetic, so that a test needs no fixture and knows what it plays.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};

/// Enough for every descriptor, little enough to analyse in a debug build.
const RATE: u32 = 22_050;

/// Writes `seconds` of a pulsing tone of `hz` as a 16-bit WAV file.
pub fn write_tone(path: &Path, hz: f32, seconds: u32) {
    let samples = (0..RATE * seconds).map(|n| {
        let t = n as f32 / RATE as f32;
        let pulse = 0.55 + 0.45 * (TAU * (1.0 + hz / 400.0) * t).sin();
        let wave = (TAU * hz * t).sin() + 0.3 * (TAU * 2.0 * hz * t).sin() + 0.2 * (TAU * 1.5 * hz * t).sin();
        (wave * pulse * 0.2 * f32::from(i16::MAX)) as i16
    });
    let body: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = header(body.len() as u32);
    file.extend(body);
    std::fs::write(path, file).expect("the tone can be written");
}

/// Writes `n` different tones of `seconds` each into `folder`, and returns their paths.
pub fn write_tones(folder: &Path, n: u32, seconds: u32) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    (0..n)
        .map(|i| {
            let path = folder.join(format!("tone {i:03}.wav"));
            write_tone(&path, 110.0 * 1.13_f32.powi(i.cast_signed() % 30) + i as f32, seconds);
            path
        })
        .collect()
}

fn header(body: u32) -> Vec<u8> {
    let mut file = Vec::with_capacity(44 + body as usize);
    file.extend(b"RIFF");
    file.extend((36 + body).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(body.to_le_bytes());
    file
}
