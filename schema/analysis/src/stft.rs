//! Short-time Fourier transform of a stream, two real frames in each complex transform.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

pub(crate) struct Stft {
    size: usize,
    hop: usize,
    window: Vec<f32>,
    fft: Arc<dyn Fft<f32>>,
    input: Vec<f32>,
    work: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl Stft {
    /// `size` is the length of a frame, `hop` the distance between two.
    pub(crate) fn new(size: usize, hop: usize) -> Self {
        let fft = FftPlanner::new().plan_fft_forward(size);
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / size as f64).cos();
        Self {
            size,
            hop,
            window: (0..size).map(|i| hann(i) as f32).collect(),
            scratch: vec![Complex32::default(); fft.get_inplace_scratch_len()],
            fft,
            input: Vec::new(),
            work: vec![Complex32::default(); size],
            power: vec![0.0; size / 2 + 1],
        }
    }

    /// Adds samples, and hands each complete frame's power spectrum to `each`. A sine of amplitude 1 has power 1.
    pub(crate) fn push(&mut self, samples: &[f32], mut each: impl FnMut(&[f32])) {
        self.input.extend_from_slice(samples);
        let mut start = 0;
        while start + self.size + self.hop <= self.input.len() {
            self.transform(start);
            for second in [false, true] {
                self.separate(second);
                each(&self.power);
            }
            start += 2 * self.hop;
        }
        self.input.drain(..start);
    }

    /// Completes the last frames with silence.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&[f32])) {
        if self.input.is_empty() {
            return;
        }
        let frames = (self.input.len().saturating_sub(self.size)).div_ceil(self.hop) + 1;
        let mut wanted = frames;
        let padding = vec![0.0; self.size + 2 * self.hop];
        self.push(&padding, |power| {
            if wanted > 0 {
                wanted -= 1;
                each(power);
            }
        });
    }

    fn transform(&mut self, start: usize) {
        let first = &self.input[start..start + self.size];
        let second = &self.input[start + self.hop..start + self.hop + self.size];
        for (((work, window), a), b) in self.work.iter_mut().zip(&self.window).zip(first).zip(second) {
            *work = Complex32::new(a * window, b * window);
        }
        self.fft.process_with_scratch(&mut self.work, &mut self.scratch);
    }

    /// A real frame's transform is symmetric, so the two that went in as real and imaginary part come apart again.
    fn separate(&mut self, second: bool) {
        // The Hann window's mean is 1/2, and half of a sine's power is at negative frequencies.
        let scale = (4.0 / self.size as f32).powi(2) / 4.0;
        for (k, power) in self.power.iter_mut().enumerate() {
            let (z, mirrored) = (self.work[k], self.work[(self.size - k) % self.size].conj());
            let part = if second { z - mirrored } else { z + mirrored };
            *power = part.norm_sqr() * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_has_power_one_in_its_bin_of_every_frame() {
        let sine: Vec<f32> =
            (0..8192).map(|i| (std::f64::consts::TAU * f64::from(i) * 100.0 / 2048.0).sin() as f32).collect();
        let mut frames = 0;
        Stft::new(2048, 512).push(&sine, |power| {
            frames += 1;
            assert!((power[100] - 1.0).abs() < 0.01, "{}", power[100]);
            assert!(power[300] < 1e-6);
        });
        assert_eq!(frames, 12);
    }

    #[test]
    fn a_sound_shorter_than_a_frame_still_has_one() {
        let (mut stft, mut frames) = (Stft::new(2048, 512), 0);
        stft.push(&[0.5; 100], |_| frames += 1);
        stft.finish(|_| frames += 1);
        assert_eq!(frames, 1);
    }
}
