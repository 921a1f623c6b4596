//! Any sample rate becomes 22,050 Hz, so that one description fits the same song in every file.

/// The rate at which songs are described: what matters of a song's character lies below 11 kHz.
pub(crate) const RATE: u32 = 22_050;
/// Zero crossings of the sinc on each side: 16 put aliases below -80 dB.
const CROSSINGS: f64 = 16.0;
/// A little below the new Nyquist frequency, to leave room for the slope of the filter.
const CUTOFF: f64 = 0.94;
/// Every rate in use needs fewer; odd ones take the nearest of these, 0.001 of a sample away.
const MAX_PHASES: u32 = 1024;

/// A streaming windowed-sinc resampler for one channel.
pub(crate) struct Resampler {
    /// Input samples per output sample, times `fine`.
    step: u64,
    fine: u64,
    phases: u64,
    taps: usize,
    kernels: Vec<f32>,
    /// Input not yet used up; `at` counts from its start, times `fine`.
    input: Vec<f32>,
    at: u64,
}

impl Resampler {
    pub(crate) fn new(rate: u32) -> Self {
        let common = gcd(rate, RATE);
        let fine = RATE / common;
        let phases = fine.min(MAX_PHASES);
        let stretch = (f64::from(rate) / f64::from(RATE)).max(1.0);
        let half = (CROSSINGS * stretch).ceil() as usize;
        // Multiples of eight, because the dot product goes in eights.
        let taps = (2 * half).next_multiple_of(8);
        let kernels =
            (0..phases).flat_map(|phase| kernel(f64::from(phase) / f64::from(phases), taps, stretch));
        Self {
            step: u64::from(rate / common),
            fine: u64::from(fine),
            phases: u64::from(phases),
            taps,
            kernels: kernels.collect(),
            input: vec![0.0; taps / 2 - 1],
            at: 0,
        }
    }

    /// Adds input and appends what can be computed of the output.
    pub(crate) fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        self.input.extend_from_slice(samples);
        loop {
            let start = (self.at / self.fine) as usize;
            let Some(window) = self.input.get(start..start + self.taps) else { break };
            let phase = (self.at % self.fine * self.phases / self.fine) as usize;
            output.push(dot(window, &self.kernels[phase * self.taps..][..self.taps]));
            self.at += self.step;
        }
        let used = ((self.at / self.fine) as usize).min(self.input.len());
        self.input.drain(..used);
        self.at -= used as u64 * self.fine;
    }

    /// Flushes what the filter still holds.
    pub(crate) fn finish(&mut self, output: &mut Vec<f32>) {
        self.push(&vec![0.0; self.taps / 2], output);
    }
}

/// Blackman-windowed sinc, shifted by `fraction` of a sample, with unit gain.
fn kernel(fraction: f64, taps: usize, stretch: f64) -> Vec<f32> {
    let middle = (taps / 2 - 1) as f64 + fraction;
    let raw: Vec<f64> = (0..taps)
        .map(|tap| {
            let x = tap as f64 - middle;
            let reach = x / (taps as f64 / 2.0);
            let window = 0.42
                + 0.5 * (std::f64::consts::PI * reach).cos()
                + 0.08 * (2.0 * std::f64::consts::PI * reach).cos();
            sinc(x * CUTOFF / stretch) * if reach.abs() < 1.0 { window } else { 0.0 }
        })
        .collect();
    let gain: f64 = raw.iter().sum();
    raw.into_iter().map(|tap| (tap / gain) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// Eight running sums, which the compiler turns into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64) -> Vec<f32> {
        (0..rate)
            .map(|i| (f64::from(i) * hertz * std::f64::consts::TAU / f64::from(rate)).sin() as f32)
            .collect()
    }

    fn resampled(rate: u32, hertz: f64) -> Vec<f32> {
        let (mut resampler, mut output) = (Resampler::new(rate), Vec::new());
        for chunk in tone(rate, hertz).chunks(1000) {
            resampler.push(chunk, &mut output);
        }
        resampler.finish(&mut output);
        output
    }

    #[test]
    fn a_tone_stays_the_same_tone_at_every_rate() {
        let expected = tone(RATE, 1000.0);
        for rate in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 44_056, 48_000, 96_000, 192_000] {
            let output = resampled(rate, 1000.0);
            assert!(output.len().abs_diff(RATE as usize) <= 2, "{rate}: {}", output.len());
            let worst =
                (500..output.len() - 500).map(|i| (output[i] - expected[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_lies_above_the_new_nyquist_does_not_fold_down() {
        let output = resampled(48_000, 14_000.0);
        let loudest =
            output[500..output.len() - 500].iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(loudest < 0.001, "{loudest}");
    }
}
