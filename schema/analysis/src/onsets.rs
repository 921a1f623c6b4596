//! How many things begin in a second.

use crate::spectrum::FRAME_RATE;

/// An onset is the highest frame among so many on each side (70 ms).
const NEIGHBOURS: usize = 3;
/// It stands out from the mean of so many frames on each side (0.4 s).
const SURROUNDINGS: usize = 17;
/// Rises smaller than this are nothing that begins.
const QUIET: f32 = 0.4;
/// How far above its surroundings a peak begins to count, and where it counts in full. In between it counts in
/// part, so that the same song in another encoding has almost the same rate.
const FAINT: f32 = 0.25;
const CLEAR: f32 = 0.6;

/// Onsets per second.
pub(crate) fn onset_rate(flux: &[f32]) -> f64 {
    if flux.is_empty() {
        return 0.0;
    }
    let onsets: f32 = (0..flux.len()).filter(|&at| is_highest(flux, at)).map(|at| weight(flux, at)).sum();
    f64::from(onsets) * FRAME_RATE / flux.len() as f64
}

fn is_highest(flux: &[f32], at: usize) -> bool {
    let before = &flux[at.saturating_sub(NEIGHBOURS)..at];
    let after = &flux[at + 1..(at + 1 + NEIGHBOURS).min(flux.len())];
    before.iter().all(|value| *value < flux[at]) && after.iter().all(|value| *value <= flux[at])
}

fn weight(flux: &[f32], at: usize) -> f32 {
    let around = &flux[at.saturating_sub(SURROUNDINGS)..(at + SURROUNDINGS + 1).min(flux.len())];
    let mean = around.iter().sum::<f32>() / around.len() as f32;
    let prominence = (flux[at] - mean) / (mean + QUIET);
    ((prominence - FAINT) / (CLEAR - FAINT)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_peaks_are_counted_and_ripples_are_not() {
        let mut flux = vec![0.05; 431];
        (10..431).step_by(43).for_each(|at| flux[at] = 8.0);
        assert!((onset_rate(&flux) - 1.0).abs() < 0.03, "{}", onset_rate(&flux));
        let ripples: Vec<f32> = (0..431_u16).map(|at| 2.0 + 0.2 * f32::from(at).sin()).collect();
        assert!(onset_rate(&ripples) < 0.01);
    }
}
