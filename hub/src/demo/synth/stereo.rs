//! Two channels of sound, and the room around them.

use super::RATE;

/// 2.5 dB below full scale: what is rounded off there does not clip between the samples either.
const CEILING: f32 = 0.75;

/// Left and right.
#[derive(Debug, Clone)]
pub(super) struct Stereo {
    pub(super) left: Vec<f32>,
    pub(super) right: Vec<f32>,
}

impl Stereo {
    pub(super) fn silence(seconds: f32) -> Self {
        let frames = (seconds * RATE as f32) as usize;
        Self { left: vec![0.0; frames], right: vec![0.0; frames] }
    }

    /// Adds a mono sound at a time, `pan` from -1 (left) to 1; what sticks out at the end is cut.
    pub(super) fn add(&mut self, at: f32, sound: &[f32], gain: f32, pan: f32) {
        let start = (at.max(0.0) * RATE as f32) as usize;
        let (right, left) = ((pan + 1.0) * std::f32::consts::FRAC_PI_4).sin_cos();
        for (channel, share) in [(&mut self.left, left), (&mut self.right, right)] {
            for (into, sample) in channel.iter_mut().skip(start).zip(sound) {
                *into += gain * share * sample;
            }
        }
    }

    pub(super) fn mix(&mut self, other: &Self, gain: f32) {
        for (into, from) in [(&mut self.left, &other.left), (&mut self.right, &other.right)] {
            into.iter_mut().zip(from).for_each(|(into, sample)| *into += gain * sample);
        }
    }

    /// The same sound in a room: four echoes that feed back, smeared by two all-passes.
    pub(super) fn in_a_room(&self, seconds: f32) -> Self {
        Self { left: reverberate(&self.left, seconds, 0), right: reverberate(&self.right, seconds, 17) }
    }

    /// Brings the loud parts to `level` dB (mean square) and rounds off what would clip; no click at
    /// either end.
    pub(super) fn mastered(mut self, level: f32) -> Self {
        let loudness = loud_parts(&self);
        let gain = if loudness > 0.0 { 10_f32.powf(level / 20.0) / loudness } else { 0.0 };
        let (frames, edge) = (self.left.len(), RATE as usize / 50);
        for channel in [&mut self.left, &mut self.right] {
            let mut dc = 0.0;
            for (i, sample) in channel.iter_mut().enumerate() {
                dc += (*sample - dc) * 0.001;
                let fade = (i.min(frames - 1 - i) as f32 / edge as f32).min(1.0);
                *sample = CEILING * (gain * (*sample - dc) / CEILING).tanh() * fade;
            }
        }
        self
    }
}

/// Root mean square of the louder half of all half seconds.
fn loud_parts(sound: &Stereo) -> f32 {
    let power = |chunk: &[f32]| chunk.iter().map(|sample| sample * sample).sum::<f32>() / chunk.len() as f32;
    let size = RATE as usize / 2;
    let both = sound.left.chunks(size).zip(sound.right.chunks(size));
    let mut powers: Vec<f32> = both.map(|(left, right)| f32::midpoint(power(left), power(right))).collect();
    powers.sort_by(|a, b| b.total_cmp(a));
    powers.truncate(powers.len().div_ceil(2));
    (powers.iter().sum::<f32>() / powers.len().max(1) as f32).sqrt()
}

fn reverberate(dry: &[f32], seconds: f32, spread: usize) -> Vec<f32> {
    let mut wet = vec![0.0; dry.len()];
    for delay in [1009, 1201, 1301, 1481] {
        let delay = delay + spread;
        // Down by 60 dB after so many seconds.
        let feedback = 10_f32.powf(-3.0 * delay as f32 / RATE as f32 / seconds);
        let (mut line, mut at, mut dull) = (vec![0.0_f32; delay], 0, 0.0_f32);
        for (out, sample) in wet.iter_mut().zip(dry) {
            let echo = line[at];
            dull += (echo - dull) * 0.6;
            line[at] = sample + dull * feedback;
            at = (at + 1) % delay;
            *out += 0.25 * echo;
        }
    }
    for delay in [347, 113] {
        all_pass(&mut wet, delay + spread);
    }
    wet
}

fn all_pass(sound: &mut [f32], delay: usize) {
    let (mut line, mut at) = (vec![0.0_f32; delay], 0);
    for sample in sound {
        let held = line[at];
        let out = held - 0.5 * *sample;
        line[at] = *sample + 0.5 * out;
        at = (at + 1) % delay;
        *sample = out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_as_loud_as_asked_and_never_clips() {
        let mut sound = Stereo::silence(2.0);
        let wave: Vec<f32> = (0..64_000_u16).map(|i| (f32::from(i) * 0.05).sin() * 9.0).collect();
        sound.add(0.0, &wave, 1.0, 0.0);
        let quiet = sound.clone().mastered(-26.0);
        assert!((20.0 * loud_parts(&quiet).log10() + 26.0).abs() < 0.5);
        let loud = sound.mastered(0.0);
        assert!(loud.left.iter().all(|sample| sample.abs() < 1.0));
        assert!(loud.left[0].abs() < 1e-6);
    }
}
