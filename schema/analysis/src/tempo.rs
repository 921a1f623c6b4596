//! How fast, and how clearly so.

use crate::spectrum::FRAME_RATE;

/// Slower and faster than anything that people tap along to.
const SLOWEST: f64 = 40.0;
const FASTEST: f64 = 240.0;
/// Listeners prefer to tap near this tempo: between an octave's candidates, the nearer one wins.
const PREFERRED: f64 = 110.0;
/// How strongly, in octaves: at a whole octave, a kick on every beat would count as half as fast as it is danced to.
const WIDTH: f64 = 0.75;
/// Where every half beat is almost as strong as the beat, the half beat is the beat, up to a tempo at which people
/// would rather tap every other one.
const AS_STRONG: f64 = 0.6;
const FASTEST_DOUBLED: f64 = 185.0;
/// Half of the window over which the mean is taken away, in frames: 0.75 s.
const TREND: usize = 32;
/// Fluctuations smaller than this are the arithmetic's, not the music's.
const FLOOR: f64 = 0.05;
/// How many beats ahead the refinement looks: the hop of 23 ms divided by this is the precision.
const MOST_BEATS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tempo {
    pub(crate) bpm: f64,
    /// Autocorrelation at the beat: 0 is no pulse, 1 is a metronome.
    pub(crate) clarity: f64,
}

/// Finds the beat in the flux by autocorrelation; `None` where the piece is too short for two beats.
pub(crate) fn tempo(flux: &[f32]) -> Option<Tempo> {
    let envelope = smooth(&detrend(flux));
    let (shortest, longest) = (lag(FASTEST) as usize, lag(SLOWEST).ceil() as usize);
    if envelope.len() < 3 * longest {
        return None;
    }
    let correlation = autocorrelation(&envelope, longest * MOST_BEATS);
    let best = (shortest..=longest)
        .filter(|&lag| is_peak(&correlation, lag))
        .max_by(|&a, &b| weighted(&correlation, a).total_cmp(&weighted(&correlation, b)))?;
    // The pulse is as clear as its clearest level, at whichever level people tap.
    let clarity = summit(&correlation, best).1.clamp(0.0, 1.0);
    let best = faster(&correlation, best).unwrap_or(best);
    Some(Tempo { bpm: FRAME_RATE * 60.0 / refine(&correlation, best), clarity })
}

/// The lag of the half beat, where it is as good.
fn faster(correlation: &[f64], best: usize) -> Option<usize> {
    let half =
        highest_near(correlation, best as f64 / 2.0).filter(|&half| half as f64 > lag(FASTEST_DOUBLED))?;
    (summit(correlation, half).1 >= AS_STRONG * summit(correlation, best).1).then_some(half)
}

/// The highest peak within a frame of where one is expected.
fn highest_near(correlation: &[f64], expected: f64) -> Option<usize> {
    let expected = expected.round() as usize;
    let near = expected.saturating_sub(1)..=expected + 1;
    near.filter(|&lag| is_peak(correlation, lag)).max_by(|&a, &b| correlation[a].total_cmp(&correlation[b]))
}

fn lag(bpm: f64) -> f64 {
    FRAME_RATE * 60.0 / bpm
}

/// Log-normal preference.
fn weighted(correlation: &[f64], at: usize) -> f64 {
    let octaves = (FRAME_RATE * 60.0 / at as f64 / PREFERRED).log2();
    correlation[at].max(0.0) * (-0.5 * (octaves / WIDTH).powi(2)).exp()
}

/// Takes away the moving mean, so that only what stands out remains.
fn detrend(flux: &[f32]) -> Vec<f64> {
    let mut sums = Vec::with_capacity(flux.len() + 1);
    sums.push(0.0);
    for value in flux {
        sums.push(sums[sums.len() - 1] + f64::from(*value));
    }
    let mean = |at: usize| {
        let (from, to) = (at.saturating_sub(TREND), (at + TREND + 1).min(flux.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    flux.iter().enumerate().map(|(at, value)| f64::from(*value) - mean(at)).collect()
}

/// Spreads each onset over its neighbours: a beat rarely takes a whole number of frames.
fn smooth(values: &[f64]) -> Vec<f64> {
    let get = |at: Option<usize>| at.and_then(|at| values.get(at)).copied().unwrap_or(0.0);
    (0..values.len())
        .map(|at| 0.25 * get(at.checked_sub(1)) + 0.5 * values[at] + 0.25 * get(Some(at + 1)))
        .collect()
}

/// Normalised by the energy and by how much of the piece overlaps with itself.
fn autocorrelation(values: &[f64], most: usize) -> Vec<f64> {
    let count = values.len() as f64;
    let energy: f64 = values.iter().map(|value| value * value).sum::<f64>() + count * FLOOR * FLOOR;
    (0..most.min(values.len() * 2 / 3))
        .map(|lag| {
            let sum: f64 = values[lag..].iter().zip(values).map(|(a, b)| a * b).sum();
            sum / energy * count / (count - lag as f64)
        })
        .collect()
}

fn is_peak(values: &[f64], at: usize) -> bool {
    at > 0 && at + 1 < values.len() && values[at] >= values[at - 1] && values[at] >= values[at + 1]
}

/// Position and height of the parabola through a peak and its neighbours.
fn summit(values: &[f64], at: usize) -> (f64, f64) {
    let (left, middle, right) = (values[at - 1], values[at], values[at + 1]);
    let bend = left - 2.0 * middle + right;
    let shift = if bend < 0.0 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    (at as f64 + shift, middle - 0.25 * (left - right) * shift)
}

/// Follows the beat to its multiples: the same error in frames weighs less, the further away it is.
fn refine(correlation: &[f64], best: usize) -> f64 {
    let (mut period, height) = summit(correlation, best);
    let mut beats = 2;
    while beats <= MOST_BEATS {
        let peak = highest_near(correlation, period * beats as f64);
        let Some((at, found)) = peak.map(|peak| summit(correlation, peak)) else { break };
        if found < 0.5 * height {
            break;
        }
        period = at / beats as f64;
        beats *= 2;
    }
    period
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulses(bpm: f64) -> Vec<f32> {
        let mut flux = vec![0.0; 2600];
        let mut at: f64 = 3.0;
        while at < 2598.0 {
            let (frame, fraction) = (at as usize, at.fract() as f32);
            flux[frame] += 10.0 * (1.0 - fraction);
            flux[frame + 1] += 10.0 * fraction;
            at += lag(bpm);
        }
        flux
    }

    #[test]
    fn a_steady_pulse_is_found_to_a_tenth_of_a_beat() {
        for bpm in [70.0, 90.0, 100.0, 120.0, 128.0, 150.0] {
            let found = tempo(&pulses(bpm)).unwrap();
            assert!((found.bpm - bpm).abs() < 0.1, "{bpm}: {found:?}");
            assert!(found.clarity > 0.6, "{bpm}: {found:?}");
        }
    }

    #[test]
    fn stillness_has_no_pulse() {
        assert!(tempo(&vec![0.0; 3000]).is_none_or(|tempo| tempo.clarity < 0.01));
        assert_eq!(tempo(&[1.0; 20]), None);
    }
}
