//! From the channels of a file to those of the output, at equal loudness.

use symphonia::core::audio::{Channels, Position};

/// Half of the power: what a signal keeps that goes to two loudspeakers, or one of two that meet in one.
///
/// The hub measured a mono song as one channel; from two loudspeakers at full level it would be 3 dB louder than that.
const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// A matrix of gains; nothing to do where the channels agree.
#[derive(Debug)]
pub(crate) struct Channelled {
    from: usize,
    to: usize,
    /// By output, then by input; empty where the channels agree.
    gains: Vec<f32>,
}

impl Channelled {
    pub(crate) fn new(from: &Channels, to: usize) -> Self {
        let count = from.count();
        if count == to {
            return Self { from: count, to, gains: Vec::new() };
        }
        let (left, right) = sides(from);
        let mut gains = vec![0.0; count * to];
        if to == 1 {
            for input in 0..count {
                gains[input] = if count == 1 { 1.0 } else { HALF * (left[input] + right[input]) };
            }
        } else {
            // More loudspeakers than two: the first two are left and right everywhere.
            gains[..count].copy_from_slice(&left);
            gains[count..2 * count].copy_from_slice(&right);
        }
        Self { from: count, to, gains }
    }

    pub(crate) fn push(&self, input: &[f32], into: &mut Vec<f32>) {
        into.clear();
        if self.gains.is_empty() {
            into.extend_from_slice(input);
            return;
        }
        for frame in input.chunks_exact(self.from) {
            for gains in self.gains.chunks_exact(self.from).take(self.to) {
                into.push(frame.iter().zip(gains).map(|(sample, gain)| sample * gain).sum());
            }
        }
    }
}

/// What of each input goes to the left and to the right (ITU-R BS.775; no bass channel, as there).
fn sides(from: &Channels) -> (Vec<f32>, Vec<f32>) {
    let count = from.count();
    let pairs: Vec<(f32, f32)> = match from {
        Channels::Positioned(positions) if count > 1 => positions.iter().map(side).collect(),
        _ if count == 1 => vec![(HALF, HALF)],
        _ => (0..count).map(|channel| if channel % 2 == 0 { (1.0, 0.0) } else { (0.0, 1.0) }).collect(),
    };
    pairs.into_iter().unzip()
}

fn side(position: Position) -> (f32, f32) {
    let (front_left, front_right) = (Position::FRONT_LEFT, Position::FRONT_RIGHT);
    let left =
        Position::REAR_LEFT | Position::SIDE_LEFT | Position::FRONT_LEFT_CENTER | Position::TOP_FRONT_LEFT;
    let right = Position::REAR_RIGHT
        | Position::SIDE_RIGHT
        | Position::FRONT_RIGHT_CENTER
        | Position::TOP_FRONT_RIGHT;
    match position {
        position if position == front_left => (1.0, 0.0),
        position if position == front_right => (0.0, 1.0),
        position if left.contains(position) => (HALF, 0.0),
        position if right.contains(position) => (0.0, HALF),
        Position::FRONT_CENTER => (HALF, HALF),
        Position::REAR_CENTER => (0.5, 0.5),
        _ => (0.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn mapped(from: u32, to: usize, frame: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        let from = Channels::Positioned(Position::from_wave_channel_count(from).unwrap());
        Channelled::new(&from, to).push(frame, &mut out);
        out
    }

    #[rstest]
    #[case::mono_to_two(1, 2, &[1.0], &[HALF, HALF])]
    #[case::two_to_mono(2, 1, &[1.0, 1.0], &[2.0 * HALF])]
    #[case::two_to_two(2, 2, &[0.25, -0.5], &[0.25, -0.5])]
    #[case::two_to_six(2, 6, &[0.25, -0.5], &[0.25, -0.5, 0.0, 0.0, 0.0, 0.0])]
    #[case::mono_to_six(1, 6, &[1.0], &[HALF, HALF, 0.0, 0.0, 0.0, 0.0])]
    #[case::six_to_two(6, 2, &[1.0, 0.0, 1.0, 1.0, 1.0, 0.0], &[1.0 + 2.0 * HALF, HALF])]
    #[case::six_to_six(6, 6, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]
    fn channels_find_their_loudspeakers(
        #[case] from: u32,
        #[case] to: usize,
        #[case] frame: &[f32],
        #[case] expected: &[f32],
    ) {
        let out = mapped(from, to, frame);
        assert_eq!(out.len(), expected.len());
        assert!(out.iter().zip(expected).all(|(out, expected)| (out - expected).abs() < 1e-6), "{out:?}");
    }

    #[test]
    fn mono_over_stereo_and_back_is_the_same() {
        assert!((mapped(2, 1, &mapped(1, 2, &[0.5]))[0] - 0.5).abs() < 1e-6);
    }
}
