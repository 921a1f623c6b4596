//! Signals whose tempo, key and loudness are known because we made them, and the files that hold them.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const RATE: u32 = 44_100;

/// One channel of sound.
pub(crate) type Mono = Vec<f32>;

/// A small generator of numbers in -1 to 1, the same on every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn throw(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }
}

pub(crate) fn silence(seconds: f64) -> Mono {
    vec![0.0; (seconds * f64::from(RATE)) as usize]
}

pub(crate) fn tone(hertz: f64, amplitude: f64, seconds: f64) -> Mono {
    (0..(seconds * f64::from(RATE)) as u32)
        .map(|i| (amplitude * (TAU * hertz * f64::from(i) / f64::from(RATE)).sin()) as f32)
        .collect()
}

fn add(into: &mut Mono, at_seconds: f64, sound: &[f32]) {
    let start = (at_seconds * f64::from(RATE)).round() as usize;
    for (into, sample) in into.iter_mut().skip(start).zip(sound) {
        *into += sample;
    }
}

/// Shapes a sound: a quick attack, then an exponential decay.
fn struck(mut sound: Mono, decay_seconds: f64) -> Mono {
    for (i, sample) in sound.iter_mut().enumerate() {
        let time = i as f64 / f64::from(RATE);
        *sample *= ((time / 0.002).min(1.0) * (-time / decay_seconds).exp()) as f32;
    }
    sound
}

fn repeated(seconds: f64, every: f64, sound: &[f32]) -> Mono {
    let mut mix = silence(seconds);
    let mut at = 0.0;
    while at < seconds {
        add(&mut mix, at, sound);
        at += every;
    }
    mix
}

pub(crate) fn clicks(bpm: f64, seconds: f64) -> Mono {
    repeated(seconds, 60.0 / bpm, &struck(tone(1500.0, 0.8, 0.05), 0.008))
}

pub(crate) fn drums(bpm: f64, seconds: f64) -> Mono {
    let beat = 60.0 / bpm;
    let mut dice = Dice::new(7);
    let mut noise = |amplitude: f32, length: f64| -> Mono {
        silence(length).iter().map(|_| amplitude * dice.throw()).collect()
    };
    let kick = struck(tone(60.0, 0.8, 0.3), 0.08);
    let snare = struck(noise(0.35, 0.2), 0.05);
    let hat = struck(noise(0.12, 0.08), 0.02);
    let mut mix = repeated(seconds, 2.0 * beat, &kick);
    let mut late = repeated(seconds - beat, 2.0 * beat, &snare);
    late.splice(0..0, silence(beat));
    add(&mut mix, 0.0, &late);
    add(&mut mix, 0.0, &repeated(seconds, beat / 2.0, &hat));
    mix
}

fn hertz(midi: i32) -> f64 {
    440.0 * 2_f64.powf(f64::from(midi - 69) / 12.0)
}

/// A note with five harmonics.
fn note(midi: i32, amplitude: f64, seconds: f64) -> Mono {
    let mut mix = silence(seconds);
    for harmonic in 1..=5_u32 {
        let partial =
            tone(hertz(midi) * f64::from(harmonic), amplitude / f64::from(harmonic.pow(2)), seconds);
        add(&mut mix, 0.0, &partial);
    }
    mix
}

/// A progression, each chord for two beats, struck.
pub(crate) fn chords(progression: &[[i32; 3]], bpm: f64, seconds: f64) -> Mono {
    let (mut mix, every) = (silence(seconds), 120.0 / bpm);
    let mut at = 0.0;
    for chord in progression.iter().cycle() {
        if at >= seconds {
            break;
        }
        for midi in chord {
            add(&mut mix, at, &struck(note(*midi, 0.2, every), 0.6));
        }
        at += every;
    }
    mix
}

/// i iv V i of a minor key, or I IV V I of a major one.
pub(crate) fn cadence(root: i32, minor: bool) -> [[i32; 3]; 4] {
    let third = if minor { 3 } else { 4 };
    let tonic = [root, root + third, root + 7];
    [tonic, [root + 5, root + 5 + third, root + 12], [root + 7, root + 11, root + 14], tonic]
}

/// The chords of a cadence, swelling and fading without any attack.
pub(crate) fn pads(progression: &[[i32; 3]], seconds: f64) -> Mono {
    let (mut mix, each) = (silence(seconds), 6.0);
    for (i, chord) in progression.iter().cycle().enumerate() {
        let at = i as f64 * each / 2.0;
        if at >= seconds {
            break;
        }
        for midi in chord {
            let mut swell = note(*midi, 0.12, each);
            let length = swell.len() as f64;
            for (i, sample) in swell.iter_mut().enumerate() {
                *sample *= (std::f64::consts::PI * i as f64 / length).sin().powi(2) as f32;
            }
            add(&mut mix, at, &swell);
        }
    }
    mix
}

/// Noise with the same energy in every octave.
pub(crate) fn pink_noise(amplitude: f32, seconds: f64) -> Mono {
    let (mut dice, mut rows) = (Dice::new(3), [0.0_f32; 12]);
    (0..(seconds * f64::from(RATE)) as u64)
        .map(|i| {
            let row = (i.trailing_zeros() as usize).min(11);
            rows[row] = dice.throw();
            amplitude * rows.iter().sum::<f32>() / 6.0
        })
        .collect()
}

pub(crate) fn drone(seconds: f64) -> Mono {
    mix(&[&note(45, 0.3, seconds), &note(57, 0.2, seconds)])
}

pub(crate) fn mix(parts: &[&Mono]) -> Mono {
    let mut mix = vec![0.0; parts.iter().map(|part| part.len()).max().unwrap_or(0)];
    for part in parts {
        add(&mut mix, 0.0, part);
    }
    mix
}

pub(crate) fn scaled(sound: &[f32], by: f32) -> Mono {
    sound.iter().map(|sample| sample * by).collect()
}

/// The bytes of a 16-bit mono WAV file.
pub(crate) fn wav_bytes(sound: &[f32], rate: u32) -> Vec<u8> {
    let data = (sound.len() * 2) as u32;
    let mut bytes = Vec::with_capacity(44 + data as usize);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&(36 + data).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&(rate * 2).to_le_bytes());
    bytes.extend_from_slice(b"\x02\0\x10\0data");
    bytes.extend_from_slice(&data.to_le_bytes());
    for sample in sound {
        bytes.extend_from_slice(&((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
    }
    bytes
}

pub(crate) fn write_wav(dir: &Path, name: &str, sound: &[f32]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, wav_bytes(sound, RATE)).unwrap();
    path
}

/// Runs an encoder; its absence fails the test, because a skipped format is an untested one.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output
        .unwrap_or_else(|error| panic!("{program}: {error} (apt-get install lame flac vorbis-tools ffmpeg)"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
