//! No true peak above the ceiling: a limiter that looks ahead, on four times the samples.
//!
//! Samples that need no limiting pass bit by bit, only later. All channels get the same gain, so that the picture of
//! the room stays where it is.

/// -1 dBTP, less half a decibel: on hiss, interpolators of different lengths differ by that much.
const CEILING: f32 = 0.841;
/// Of the interpolator, per phase.
const TAPS: usize = 24;
/// Between two samples three more are looked at.
const PHASES: usize = 3;
/// How far ahead it looks, and how long its gain takes to fall.
const AHEAD_MS: usize = 2;
/// How fast the gain comes back: to a third of the way in this time.
const RELEASE_S: f64 = 0.15;

pub(crate) struct Limiter {
    channels: usize,
    taps: [[f32; TAPS]; PHASES],
    /// Samples below this need no closer look: the interpolator cannot lift them to the ceiling.
    harmless: f32,
    /// By channel: what the interpolator reaches back to, then the block.
    history: Vec<Vec<f32>>,
    block: usize,
    /// Delayed frames, a ring.
    delayed: Vec<f32>,
    delayed_at: usize,
    held: Lowest,
    smooth: Average,
    /// In double precision: near one, its steps are smaller than a single can hold.
    released: f64,
    release: f64,
    needed: Vec<f32>,
}

impl Limiter {
    pub(crate) fn new(rate: u32, channels: usize, block: usize) -> Self {
        let ahead = (rate as usize * AHEAD_MS / 1000).max(8);
        let taps = interpolator();
        let lift =
            taps.iter().map(|phase| phase.iter().map(|tap| tap.abs()).sum::<f32>()).fold(1.0, f32::max);
        Self {
            channels,
            taps,
            harmless: CEILING / lift,
            history: vec![vec![0.0; TAPS + block]; channels],
            block,
            delayed: vec![0.0; delay(ahead) * channels],
            delayed_at: 0,
            held: Lowest::of_last(ahead + TAPS),
            smooth: Average::of_last(ahead),
            released: 1.0,
            release: 1.0 - (-1.0 / (RELEASE_S * f64::from(rate))).exp(),
            needed: vec![1.0; block],
        }
    }

    /// How many frames later everything comes out.
    pub(crate) fn delay(&self) -> usize {
        self.delayed.len() / self.channels
    }

    /// Limits a block in place; at most as many frames as were said at its making.
    pub(crate) fn limit(&mut self, block: &mut [f32]) {
        let frames = block.len() / self.channels;
        debug_assert!(frames <= self.block);
        self.look(block, frames);
        for (frame, needed) in block.chunks_exact_mut(self.channels).zip(&self.needed) {
            let lowest = f64::from(self.held.push(*needed));
            let back = self.released + (1.0 - self.released) * self.release;
            // Near enough to one is one: then nothing is multiplied any more.
            self.released = if lowest >= 1.0 && back > 0.9999 { 1.0 } else { lowest.min(back) };
            let gain = self.smooth.push(self.released as f32);
            let delayed = &mut self.delayed[self.delayed_at..self.delayed_at + self.channels];
            for (sample, delayed) in frame.iter_mut().zip(delayed) {
                let out = *delayed * gain;
                *delayed = *sample;
                *sample = out.clamp(-1.0, 1.0);
            }
            self.delayed_at = (self.delayed_at + self.channels) % self.delayed.len();
        }
    }

    /// Fills `needed`: the gain that the stretch around each frame asks for.
    fn look(&mut self, block: &[f32], frames: usize) {
        self.needed[..frames].fill(1.0);
        for (channel, history) in self.history.iter_mut().enumerate() {
            let mut loudest = history[..TAPS].iter().fold(0.0, |most: f32, sample| most.max(sample.abs()));
            for (frame, slot) in history[TAPS..].iter_mut().take(frames).enumerate() {
                *slot = block[frame * self.channels + channel];
                loudest = loudest.max(slot.abs());
            }
            if loudest >= self.harmless {
                for (frame, needed) in self.needed[..frames].iter_mut().enumerate() {
                    let window = &history[frame + 1..=frame + TAPS];
                    let peak = peak(&self.taps, window);
                    if peak > CEILING {
                        *needed = needed.min(CEILING / peak);
                    }
                }
            }
            history.copy_within(frames..frames + TAPS, 0);
        }
    }
}

/// From the look-ahead to the delay: a peak in the middle of the interpolator's window is known half a window late.
fn delay(ahead: usize) -> usize {
    ahead - 1 + TAPS - 1
}

/// The highest of the samples and of what lies between them, in the middle of the window.
fn peak(taps: &[[f32; TAPS]; PHASES], window: &[f32]) -> f32 {
    let between =
        taps.iter().map(|phase| phase.iter().zip(window).map(|(tap, sample)| tap * sample).sum::<f32>());
    between.fold(window[TAPS / 2 - 1].abs(), |most, value| most.max(value.abs()))
}

/// A sinc under a Hann window, at a quarter, a half and three quarters of the way between two samples.
fn interpolator() -> [[f32; TAPS]; PHASES] {
    std::array::from_fn(|phase| {
        let between = (phase + 1) as f64 / (PHASES + 1) as f64;
        std::array::from_fn(|tap| {
            let at = tap as f64 - (TAPS / 2 - 1) as f64 - between;
            let turn = std::f64::consts::PI * at;
            let window_at = std::f64::consts::TAU * (at / TAPS as f64);
            let window = 0.5 + 0.5 * window_at.cos();
            (turn.sin() / turn * window) as f32
        })
    })
}

/// The lowest of the last values, by a queue of those that may still become it.
struct Lowest {
    queue: Vec<(u64, f32)>,
    first: usize,
    count: usize,
    at: u64,
    window: u64,
}

impl Lowest {
    fn of_last(window: usize) -> Self {
        Self { queue: vec![(0, 1.0); window + 1], first: 0, count: 0, at: 0, window: window as u64 }
    }

    fn push(&mut self, value: f32) -> f32 {
        let room = self.queue.len();
        while self.count > 0 && self.queue[(self.first + self.count - 1) % room].1 >= value {
            self.count -= 1;
        }
        self.queue[(self.first + self.count) % room] = (self.at, value);
        self.count += 1;
        while self.queue[self.first].0 + self.window <= self.at {
            self.first = (self.first + 1) % room;
            self.count -= 1;
        }
        self.at += 1;
        self.queue[self.first].1
    }
}

/// The average of the last values; exactly one where all of them are.
struct Average {
    ring: Vec<f32>,
    at: usize,
    sum: f64,
    below_one: usize,
}

impl Average {
    fn of_last(count: usize) -> Self {
        Self { ring: vec![1.0; count], at: 0, sum: count as f64, below_one: 0 }
    }

    fn push(&mut self, value: f32) -> f32 {
        let old = std::mem::replace(&mut self.ring[self.at], value);
        self.at = (self.at + 1) % self.ring.len();
        self.below_one += usize::from(value < 1.0);
        self.below_one -= usize::from(old < 1.0);
        if self.below_one == 0 {
            self.sum = self.ring.len() as f64;
            return 1.0;
        }
        self.sum += f64::from(value) - f64::from(old);
        (self.sum / self.ring.len() as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(input: &[f32]) -> Vec<f32> {
        let mut limiter = Limiter::new(48_000, 1, 256);
        let mut out = input.to_vec();
        out.chunks_mut(256).for_each(|block| limiter.limit(block));
        out.drain(..limiter.delay());
        out
    }

    #[test]
    fn what_is_low_enough_passes_bit_by_bit() {
        let input: Vec<f32> = (0..5_000).map(|i| (i as f32 * 0.37).sin() * 0.8).collect();
        let out = limited(&input);
        assert_eq!(out, input[..out.len()]);
    }

    #[test]
    fn a_peak_is_met_before_it_comes_and_then_forgotten() {
        let mut input = vec![0.25_f32; 96_000];
        input[20_000] = 4.0;
        let out = limited(&input);
        assert!(out[20_000] <= 0.891, "{}", out[20_000]);
        assert!(out[19_500] >= 0.25 && out[19_950] < 0.25);
        assert!((out[90_000] - 0.25).abs() < f32::EPSILON);
    }

    #[test]
    fn peaks_between_the_samples_count() {
        // A quarter of the rate, half-way between the samples: samples at 0.9, true peaks 3 dB above.
        let input: Vec<f32> = (0..48_000)
            .map(|i| 1.27 * (std::f32::consts::FRAC_PI_2 * i as f32 + std::f32::consts::FRAC_PI_4).sin())
            .collect();
        let out = limited(&input);
        let highest = out.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(highest < 0.64, "{highest}");
    }
}
