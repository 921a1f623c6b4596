//! The demo's songs, made by ourselves.

use std::f64::consts::TAU;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The titles.
pub const SONGS: [&str; 24] = [
    "Dawn",
    "Harbour",
    "Slow Tide",
    "Paper Boats",
    "Glass",
    "Copper",
    "Night Tram",
    "Lantern",
    "Drift",
    "Moss",
    "Signal",
    "Kite",
    "Marble",
    "Ember",
    "Rooftops",
    "Undertow",
    "Juniper",
    "Velvet",
    "Static",
    "Orbit",
    "Fern",
    "Neon",
    "Hollow",
    "Tempo",
];

const RATE: u32 = 44_100;

/// Writes one song into the folder, where it is not there yet.
pub fn write(index: usize, folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(format!("{:02} {}.wav", index + 1, SONGS[index]));
    if path.exists() {
        return Ok(path);
    }
    let seconds = 20 + (index as u32 * 7) % 20;
    let samples: Vec<u8> = (0..seconds * RATE).flat_map(|n| sample(index, n).to_le_bytes()).collect();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&header(samples.len() as u32))?;
    file.write_all(&samples)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

fn sample(index: usize, n: u32) -> i16 {
    let t = f64::from(n) / f64::from(RATE);
    let root = 110.0 * 2_f64.powf((index % 12) as f64 / 12.0);
    let beat = (60 + 5 * index) as f64 / 60.0;
    let pulse = (-6.0 * (t * beat).fract()).exp();
    let bright = (index % 5) as f64 / 4.0;
    let tone: f64 = (1..=6).map(|h| (TAU * root * f64::from(h) * t).sin() * bright.powi(h - 1)).sum();
    (tone * (0.3 + 0.7 * pulse) * 6_000.0) as i16
}

fn header(bytes: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(b"RIFF");
    header.extend((36 + bytes).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend([1, 0, 1, 0]);
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * 2).to_le_bytes());
    header.extend([2, 0, 16, 0]);
    header.extend(b"data");
    header.extend(bytes.to_le_bytes());
    header
}
