//! The stream of short frames: how bright, how flat, and where something begins.

use crate::resample::RATE;
use crate::stft::Stft;

const SIZE: usize = 2048;
const HOP: usize = 512;
/// Frames per second of the flux.
pub(crate) const FRAME_RATE: f64 = RATE as f64 / HOP as f64;

/// Bands of the flux, evenly spaced on the mel scale.
const BANDS: usize = 40;
const LOWEST_BAND: f64 = 30.0;
/// Puts the knee of the logarithm 40 dB below full scale: quieter details count for less.
const COMPRESSION: f32 = 10_000.0;
/// Flatness is looked for where instruments play; above, codecs throw away what nobody hears.
const FLATNESS_HERTZ: (f64, f64) = (60.0, 5_000.0);
/// 60 dB below a frame's mean is as good as nothing: the noise floors of two encodings differ there.
const FLATNESS_FLOOR: f32 = 1e-6;

/// Sums over all frames so far.
pub(crate) struct Spectrum {
    stft: Stft,
    frames: Frames,
}

/// What the short frames of a whole song say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpectralFacts {
    /// Energy-weighted mean of the frames' centroids (of magnitude, as is the custom) in Hz; 0 for silence.
    pub(crate) centroid: f64,
    /// Energy-weighted mean flatness: 0 for a tone, 1 for white noise.
    pub(crate) flatness: f64,
    /// Half-wave rectified rise of the bands' levels, one value a frame: peaks where something begins.
    pub(crate) flux: Vec<f32>,
}

struct Frames {
    bands: Vec<Band>,
    levels: [f32; BANDS],
    energy: f64,
    centroid: f64,
    flatness: f64,
    flux: Vec<f32>,
}

/// A triangle on the mel scale: the weights of the bins from `first` on.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl Spectrum {
    pub(crate) fn new() -> Self {
        let frames = Frames {
            bands: bands(),
            levels: [0.0; BANDS],
            energy: 0.0,
            centroid: 0.0,
            flatness: 0.0,
            flux: Vec::new(),
        };
        Self { stft: Stft::new(SIZE, HOP), frames }
    }

    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.stft.push(samples, |power| self.frames.add(power));
    }

    pub(crate) fn finish(mut self) -> SpectralFacts {
        self.stft.finish(|power| self.frames.add(power));
        let Frames { energy, centroid, flatness, flux, .. } = self.frames;
        let mean = |sum: f64| if energy > 0.0 { sum / energy } else { 0.0 };
        SpectralFacts { centroid: mean(centroid), flatness: mean(flatness), flux }
    }
}

impl Frames {
    fn add(&mut self, power: &[f32]) {
        let (mut energy, mut sum, mut moment) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (bin, power) in power.iter().enumerate() {
            let magnitude = power.sqrt();
            energy += power;
            sum += magnitude;
            moment += magnitude * bin as f32;
        }
        let centroid = f64::from(moment / sum.max(f32::MIN_POSITIVE)) * f64::from(RATE) / SIZE as f64;
        self.energy += f64::from(energy);
        self.centroid += f64::from(energy) * centroid;
        self.flatness += f64::from(energy) * flatness(power);
        self.flux_of(power);
    }

    fn flux_of(&mut self, power: &[f32]) {
        let mut rise = 0.0;
        for (band, level) in self.bands.iter().zip(&mut self.levels) {
            let energy: f32 =
                power[band.first..].iter().zip(&band.weights).map(|(power, weight)| power * weight).sum();
            let now = (COMPRESSION * energy).ln_1p();
            rise += (now - *level).max(0.0);
            *level = now;
        }
        self.flux.push(rise);
    }
}

/// Geometric over arithmetic mean of the power between two frequencies.
fn flatness(power: &[f32]) -> f64 {
    let bin = |hertz: f64| (hertz * SIZE as f64 / f64::from(RATE)) as usize;
    let band = &power[bin(FLATNESS_HERTZ.0)..bin(FLATNESS_HERTZ.1)];
    let mean = band.iter().sum::<f32>() / band.len() as f32;
    if mean <= 0.0 {
        return 0.0;
    }
    let floor = mean * FLATNESS_FLOOR;
    let logs: f32 = band.iter().map(|power| (power.max(floor) / mean).ln()).sum();
    f64::from(logs / band.len() as f32).exp()
}

fn bands() -> Vec<Band> {
    let mel = |hertz: f64| 2595.0 * (1.0 + hertz / 700.0).log10();
    let hertz = |mel: f64| 700.0 * (10_f64.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel(LOWEST_BAND), mel(f64::from(RATE) / 2.0));
    let edge =
        |i: usize| hertz(low + (high - low) * i as f64 / (BANDS + 1) as f64) * SIZE as f64 / f64::from(RATE);
    (0..BANDS).map(|i| triangle(edge(i), edge(i + 1), edge(i + 2))).collect()
}

fn triangle(low: f64, middle: f64, high: f64) -> Band {
    let first = low.ceil() as usize;
    // Narrow bands at the bottom may lie between two bins; they borrow the nearest.
    let last = (high.floor() as usize).clamp(first, SIZE / 2);
    let weight = |bin: usize| {
        let bin = bin as f64;
        let slope = if bin < middle { (bin - low) / (middle - low) } else { (high - bin) / (high - middle) };
        slope.clamp(0.0, 1.0) as f32
    };
    Band { first, weights: (first..=last).map(weight).collect() }
}
