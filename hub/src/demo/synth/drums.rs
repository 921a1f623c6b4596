//! The drums, and what they play.

use std::f32::consts::TAU;

use super::RATE;
use super::random::Random;

/// What the drummer does in a bar of four beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Stays at home.
    None,
    /// A kick on one, a rim on three: room to breathe.
    Soft,
    /// Kick on every beat, hats between, a clap on two and four.
    Four,
    /// Kick on one and three, snare on two and four, hats in eighths.
    Back,
    /// Off the grid: sixteenths of hats, ghost notes.
    Broken,
    /// Low toms in a circle.
    Toms,
    /// Brushes on a snare.
    Brushes,
}

/// A struck drum at a sixteenth of the bar (0 to 15).
pub(super) struct Hit {
    pub(super) sixteenth: usize,
    pub(super) drum: Drum,
    pub(super) gain: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drum {
    Kick,
    Snare,
    Hat,
    Rim,
    LowTom,
    HighTom,
    Brush,
}

/// The hits of one bar.
pub(super) fn bar(beat: Beat, random: &mut Random) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut hit = |drum, gain, sixteenths: &[usize]| {
        hits.extend(sixteenths.iter().map(|&sixteenth| Hit { sixteenth, drum, gain }));
    };
    match beat {
        Beat::None => {}
        Beat::Soft => {
            hit(Drum::Kick, 0.8, &[0]);
            hit(Drum::Rim, 0.5, &[8]);
            hit(Drum::Hat, 0.25, &[4, 12]);
        }
        Beat::Four => {
            hit(Drum::Kick, 1.0, &[0, 4, 8, 12]);
            hit(Drum::Hat, 0.5, &[2, 6, 10, 14]);
            hit(Drum::Snare, 0.5, &[4, 12]);
        }
        Beat::Back => {
            hit(Drum::Kick, 1.0, &[0, 8, 10]);
            hit(Drum::Snare, 0.9, &[4, 12]);
            hit(Drum::Hat, 0.4, &[0, 2, 4, 6, 8, 10, 12, 14]);
        }
        Beat::Broken => {
            hit(Drum::Kick, 1.0, &[0, 10]);
            hit(Drum::Snare, 0.9, &[4, 12]);
            hit(Drum::Snare, 0.3, &[7, 9, 15]);
            hit(Drum::Hat, 0.45, &[0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14]);
        }
        Beat::Toms => {
            hit(Drum::LowTom, 1.0, &[0, 3, 6, 8, 11]);
            hit(Drum::HighTom, 0.6, &[4, 10, 12, 14]);
        }
        Beat::Brushes => {
            hit(Drum::Brush, 0.5, &[0, 4, 8, 12]);
            hit(Drum::Brush, 0.9, &[3, 7, 11, 14]);
            hit(Drum::Hat, 0.3, &[4, 6, 12, 14]);
        }
    }
    // Nobody hits twice alike.
    for hit in &mut hits {
        hit.gain *= 0.85 + 0.3 * random.unit();
    }
    hits
}

/// The sound of a drum.
pub(super) fn sound(drum: Drum, bright: f32, random: &mut Random) -> Vec<f32> {
    match drum {
        Drum::Kick => sweep(48.0, 110.0, 0.32, 0.09),
        Drum::LowTom => sweep(80.0, 40.0, 0.4, 0.11),
        Drum::HighTom => sweep(130.0, 60.0, 0.3, 0.09),
        Drum::Snare => {
            let mut snare = hiss(0.22, 0.06, 0.35 + 0.4 * bright, random);
            snare
                .iter_mut()
                .zip(sweep(180.0, 60.0, 0.2, 0.04))
                .for_each(|(noise, body)| *noise = 0.8 * *noise + 0.5 * body);
            snare
        }
        Drum::Hat => hiss(0.08, 0.018 + 0.02 * bright, 0.9, random),
        Drum::Rim => sweep(800.0, 400.0, 0.05, 0.008),
        Drum::Brush => hiss(0.25, 0.07, 0.3 + 0.3 * bright, random),
    }
}

/// A tone that falls by `drop` Hz to `hertz`.
fn sweep(hertz: f32, drop: f32, seconds: f32, decay: f32) -> Vec<f32> {
    let mut phase = 0.0;
    (0..(seconds * RATE as f32) as usize)
        .map(|i| {
            let time = i as f32 / RATE as f32;
            phase += TAU * (hertz + drop * (-time / 0.025).exp()) / RATE as f32;
            phase.sin() * (-time / decay).exp() * (time / 0.001).min(1.0)
        })
        .collect()
}

/// A puff of noise; `high` from 0 (all of it) to 1 (only the top).
fn hiss(seconds: f32, decay: f32, high: f32, random: &mut Random) -> Vec<f32> {
    let mut low = 0.0;
    (0..(seconds * RATE as f32) as usize)
        .map(|i| {
            let time = i as f32 / RATE as f32;
            let noise = random.noise();
            low += (noise - low) * 0.45;
            (noise - high * low) * (-time / decay).exp() * (time / 0.001).min(1.0)
        })
        .collect()
}
