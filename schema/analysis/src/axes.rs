//! The five numbers of a song: descriptor `desc_v1`.
//!
//! Each axis is 2u - 1 with u in [0, 1], so that 0 is the middle of what music does. Change anything here, or in
//! what feeds it, only together with a new `EmbeddingVersion`: two versions are never compared.

use roomtone_schema::{AXES, Embedding};

/// What the axes are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ingredients {
    /// Integrated loudness; none for silence.
    pub(crate) lufs: Option<f64>,
    pub(crate) centroid: f64,
    pub(crate) bpm: f64,
    pub(crate) pulse_clarity: f64,
    pub(crate) flatness: f64,
    pub(crate) key_strength: f64,
    pub(crate) onset_rate: f64,
}

/// The embedding of a song; silence has none, because it has no direction.
pub(crate) fn embedding(of: &Ingredients) -> Option<Embedding> {
    let lufs = of.lufs?;
    let u: [f64; AXES] = [
        (lufs + 35.0) / 27.0,
        (of.centroid.max(1.0) / 150.0).log2() / (6000.0_f64 / 150.0).log2(),
        tempo(of.bpm, of.pulse_clarity),
        (1.0 - of.flatness.clamp(0.0, 1.0).sqrt()) * of.key_strength,
        of.onset_rate / 8.0,
    ];
    Embedding::new(u.map(|u| (2.0 * u.clamp(0.0, 1.0) - 1.0) as f32)).ok()
}

/// Two octaves from 50 to 200 beats a minute; without a clear pulse a song is neither slow nor fast.
fn tempo(bpm: f64, clarity: f64) -> f64 {
    let u = ((bpm.max(1.0) / 50.0).log2() / 2.0).clamp(0.0, 1.0);
    0.5 + (u - 0.5) * (clarity / 0.3).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Ingredients = Ingredients {
        lufs: Some(-21.5),
        centroid: 948.683,
        bpm: 100.0,
        pulse_clarity: 0.5,
        flatness: 0.25,
        key_strength: 0.8,
        onset_rate: 4.0,
    };

    #[test]
    fn the_middle_of_each_axis_is_zero() {
        let values = embedding(&PLAIN).unwrap().values();
        for axis in [0, 1, 2, 4] {
            assert!(values[axis].abs() < 1e-4, "{values:?}");
        }
        assert!((values[3] - (2.0 * 0.4 - 1.0)).abs() < 1e-6);
    }

    #[test]
    fn extremes_stay_within_one() {
        let loud = Ingredients { lufs: Some(40.0), centroid: 1e9, bpm: 1e9, onset_rate: 1e9, ..PLAIN };
        assert!(embedding(&loud).unwrap().values().iter().all(|value| value.abs() <= 1.0));
        let quiet = Ingredients { lufs: Some(-90.0), centroid: 0.0, bpm: 0.0, onset_rate: 0.0, ..PLAIN };
        assert!(embedding(&quiet).unwrap().values().iter().all(|value| value.abs() <= 1.0));
    }

    #[test]
    fn silence_has_no_direction() {
        assert_eq!(embedding(&Ingredients { lufs: None, ..PLAIN }), None);
    }

    #[test]
    fn without_a_pulse_the_tempo_is_neither() {
        let still = Ingredients { bpm: 180.0, pulse_clarity: 0.0, ..PLAIN };
        assert!(embedding(&still).unwrap().values()[2].abs() < 1e-6);
    }
}
