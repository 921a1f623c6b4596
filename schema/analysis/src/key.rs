//! The musical key: which notes sound, and which of 24 keys they fit best.

use crate::resample::RATE;
use crate::stft::Stft;

const SIZE: usize = 8192;
const HOP: usize = 4096;
/// From the lowest C that speakers play to where harmonics take over.
const HERTZ: (f64, f64) = (65.0, 2_100.0);
/// Peaks 40 dB below a frame's highest are its grass.
const FAINT: f32 = 1e-4;
/// A chroma that varies by less than this part of its mean is noise, and fits every key by chance.
const EVENNESS: f64 = 0.05;

/// Krumhansl and Kessler, 1982: how well each degree fits a key in listeners' ears.
const MAJOR: [f64; 12] = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR: [f64; 12] = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];
const NAMES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Correlation with the key's profile, 0 to 1.
    pub(crate) strength: f64,
}

/// Collects how much of each of the twelve notes sounds.
pub(crate) struct Chroma {
    stft: Stft,
    notes: [f64; 12],
}

impl Chroma {
    pub(crate) fn new() -> Self {
        Self { stft: Stft::new(SIZE, HOP), notes: [0.0; 12] }
    }

    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.stft.push(samples, |power| add(&mut self.notes, power));
    }

    pub(crate) fn finish(mut self) -> Key {
        self.stft.finish(|power| add(&mut self.notes, power));
        best_key(&self.notes)
    }
}

fn add(notes: &mut [f64; 12], power: &[f32]) {
    let bin = |hertz: f64| (hertz * SIZE as f64 / f64::from(RATE)) as usize;
    let range = bin(HERTZ.0)..bin(HERTZ.1);
    let loudest = power[range.clone()].iter().copied().fold(0.0, f32::max);
    for k in range {
        let (left, middle, right) = (power[k - 1], power[k], power[k + 1]);
        if middle > loudest * FAINT && middle > left && middle >= right {
            let hertz = (k as f64 + shift(left, middle, right)) * f64::from(RATE) / SIZE as f64;
            let semitones = (12.0 * (hertz / 440.0).log2()).round() as i32 + 9;
            notes[semitones.rem_euclid(12) as usize] += f64::from(middle).sqrt();
        }
    }
}

/// Where between the bins the peak lies, from its logarithm's parabola.
fn shift(left: f32, middle: f32, right: f32) -> f64 {
    let log = |power: f32| f64::from(power.max(f32::MIN_POSITIVE)).ln();
    let (left, middle, right) = (log(left), log(middle), log(right));
    let bend = left - 2.0 * middle + right;
    if bend < 0.0 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

fn best_key(notes: &[f64; 12]) -> Key {
    let keys = (0..24).map(|key| {
        let (root, profile) = (key % 12, if key < 12 { &MAJOR } else { &MINOR });
        (key, correlation(notes, root, profile))
    });
    let (key, strength) = keys.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
    Key { name: name(key % 12, key >= 12), strength: strength.clamp(0.0, 1.0) }
}

fn name(root: usize, minor: bool) -> String {
    format!("{}{}", NAMES[root % 12], if minor { "m" } else { "" })
}

/// Pearson's r between the notes and the profile of a key on `root`.
fn correlation(notes: &[f64; 12], root: usize, profile: &[f64; 12]) -> f64 {
    let mean = |values: &[f64; 12]| values.iter().sum::<f64>() / 12.0;
    let (notes_mean, profile_mean) = (mean(notes), mean(profile));
    let (mut both, mut of_notes, mut of_profile) = (0.0, 0.0, 0.0);
    for degree in 0..12 {
        let note = notes[(root + degree) % 12] - notes_mean;
        let expected = profile[degree] - profile_mean;
        both += note * expected;
        of_notes += note * note;
        of_profile += expected * expected;
    }
    of_notes += 12.0 * (EVENNESS * notes_mean).powi(2);
    if of_notes > 0.0 { both / (of_notes * of_profile).sqrt() } else { 0.0 }
}

/// Brings a tagged key into our spelling: `A minor`, `Ebm`, `8A` and `a` with a mode become `Am`, `D#m`, ...
pub(crate) fn normalise(text: &str) -> Option<String> {
    let text = text.trim();
    camelot(text).or_else(|| spelled(text))
}

/// The disc jockeys' wheel: 8A is A minor, 8B is C major, one step is a fifth.
fn camelot(text: &str) -> Option<String> {
    let minor = match text.chars().last()?.to_ascii_uppercase() {
        'A' => true,
        'B' => false,
        _ => return None,
    };
    let hour: usize = text[..text.len() - 1].parse().ok().filter(|hour| (1..=12).contains(hour))?;
    Some(name((if minor { 8 } else { 11 }) + 7 * (hour - 1), minor))
}

fn spelled(text: &str) -> Option<String> {
    let mut letters = text.chars();
    let root = match letters.next()?.to_ascii_uppercase() {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let (root, rest) = match letters.clone().next() {
        Some('#' | '♯') => (root + 1, letters.as_str().chars().skip(1).collect()),
        Some('b' | '♭') => (root + 11, letters.as_str().chars().skip(1).collect()),
        _ => (root, letters.as_str().to_owned()),
    };
    let rest: String = rest;
    match rest.trim() {
        "" | "M" => Some(name(root, false)),
        "m" => Some(name(root, true)),
        mode if mode.to_lowercase().starts_with("maj") => Some(name(root, false)),
        mode if mode.to_lowercase().starts_with("min") => Some(name(root, true)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_keys_of_all_spellings_become_ours() {
        for (tag, key) in
            [("Am", "Am"), ("A minor", "Am"), ("Ebm", "D#m"), ("8A", "Am"), ("8B", "C"), ("F#", "F#")]
        {
            assert_eq!(normalise(tag).as_deref(), Some(key), "{tag}");
        }
        assert_eq!(normalise("B♭ major").as_deref(), Some("A#"));
        for nonsense in ["", "o", "H", "13A", "A sharp", "é"] {
            assert_eq!(normalise(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_notes_of_a_key_find_it() {
        let mut notes = [0.0; 12];
        for degree in [0, 2, 4, 5, 7, 9, 11] {
            notes[(degree + 7) % 12] = MAJOR[degree];
        }
        let key = best_key(&notes);
        assert_eq!(key.name, "G");
        assert!(key.strength > 0.8);
    }

    #[test]
    fn silence_and_evenness_have_no_key() {
        assert!(best_key(&[0.0; 12]).strength < 0.01);
        let even: [f64; 12] = std::array::from_fn(|note| 100.0 + (note % 3) as f64);
        assert!(best_key(&even).strength < 0.5);
    }
}
