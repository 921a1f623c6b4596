//! The instruments that play notes.

use std::f32::consts::TAU;

use super::RATE;
use super::random::Random;

/// Nothing above this: the file ends at 16 kHz, and so does patience.
const HIGHEST_PARTIAL: f32 = 12_000.0;

pub(super) fn hertz(midi: i32) -> f32 {
    440.0 * 2_f32.powf((midi - 69) as f32 / 12.0)
}

fn frames(seconds: f32) -> usize {
    (seconds * RATE as f32) as usize
}

/// One period of a tone: partials that fall off the faster the darker it is.
struct Timbre(Vec<f32>);

impl Timbre {
    const SIZE: usize = 1024;

    fn new(hertz: f32, bright: f32) -> Self {
        let fall = 2.6 - 1.8 * bright;
        let partials = ((HIGHEST_PARTIAL / hertz) as usize).clamp(1, 4 + (36.0 * bright) as usize);
        let at = |i: usize, partial: usize| {
            (TAU * (i * partial % Self::SIZE) as f32 / Self::SIZE as f32).sin() / (partial as f32).powf(fall)
        };
        Self((0..Self::SIZE).map(|i| (1..=partials).map(|partial| at(i, partial)).sum()).collect())
    }

    fn at(&self, phase: f32) -> f32 {
        let place = phase.fract() * Self::SIZE as f32;
        let (i, between) = (place as usize % Self::SIZE, place.fract());
        self.0[i] + between * (self.0[(i + 1) % Self::SIZE] - self.0[i])
    }
}

/// Rises and falls without an edge.
fn swell(time: f32, length: f32, rise: f32, fall: f32) -> f32 {
    let level = (time / rise).min((length - time) / fall).clamp(0.0, 1.0);
    level * level * (3.0 - 2.0 * level)
}

/// A held tone for one side of the stereo field; `side` moves its tuning a little, which makes it wide.
pub(super) fn pad(midi: i32, bright: f32, seconds: f32, side: f32) -> Vec<f32> {
    let hertz = hertz(midi);
    let timbre = Timbre::new(hertz, bright);
    let length = seconds + 1.2;
    let (rise, fall) = ((0.3 * seconds).min(0.9), 1.2);
    (0..frames(length))
        .map(|i| {
            let time = i as f32 / RATE as f32;
            let (one, other) = (hertz * (1.0 + 0.0018 * side), hertz * (1.0 - 0.0011 * side));
            let tone = timbre.at(one * time) + timbre.at(other * time + 0.37);
            let breath = 1.0 + 0.12 * (TAU * (0.21 * time + 0.25 * side)).sin();
            0.2 * tone * breath * swell(time, length, rise, fall)
        })
        .collect()
}

/// A struck tone, between an electric piano (dark) and a bell (bright).
pub(super) fn pluck(midi: i32, bright: f32, seconds: f32) -> Vec<f32> {
    let hertz = hertz(midi);
    let ratio = if bright > 0.7 { 3.5 } else { 2.0 };
    let depth = 0.3 + 2.6 * bright;
    (0..frames(seconds * 2.5))
        .map(|i| {
            let time = i as f32 / RATE as f32;
            let strike = (time / 0.003).min(1.0) * (-time * 2.6 / seconds).exp();
            let colour = depth * (-time * 7.0 / seconds).exp();
            0.3 * strike * (TAU * hertz * time + colour * (TAU * hertz * ratio * time).sin()).sin()
        })
        .collect()
}

/// A low tone with a little warmth.
pub(super) fn bass(midi: i32, bright: f32, seconds: f32) -> Vec<f32> {
    let hertz = hertz(midi);
    (0..frames(seconds))
        .map(|i| {
            let time = i as f32 / RATE as f32;
            let wave = (TAU * hertz * time).sin() + (0.2 + 0.4 * bright) * (2.0 * TAU * hertz * time).sin();
            let shape = swell(time, seconds, 0.012, 0.08) * (-time * 0.8 / seconds).exp();
            0.5 * shape * (1.4 * wave).tanh()
        })
        .collect()
}

/// A singing tone with vibrato.
pub(super) fn lead(midi: i32, bright: f32, seconds: f32) -> Vec<f32> {
    let hertz = hertz(midi);
    let timbre = Timbre::new(hertz, 0.8 * bright);
    let mut phase = 0.0;
    (0..frames(seconds + 0.2))
        .map(|i| {
            let time = i as f32 / RATE as f32;
            let vibrato = 0.006 * (time / 0.4).min(1.0) * (TAU * 5.3 * time).sin();
            phase += hertz * (1.0 + vibrato) / RATE as f32;
            0.3 * timbre.at(phase) * swell(time, seconds + 0.2, 0.04, 0.2)
        })
        .collect()
}

/// A plucked string: a burst of noise going round in a delay that dulls it.
pub(super) fn string(midi: i32, bright: f32, seconds: f32, random: &mut Random) -> Vec<f32> {
    let period = RATE as f32 / hertz(midi);
    let size = period as usize;
    let mut line: Vec<f32> = (0..=size).map(|_| random.noise()).collect();
    for _ in 0..(6.0 * (1.0 - bright)) as usize {
        for i in 1..line.len() {
            line[i] = f32::midpoint(line[i], line[i - 1]);
        }
    }
    let decay = 10_f32.powf(-3.0 * period / RATE as f32 / (seconds * 2.5));
    let tune = period.fract();
    let mut last = 0.0;
    (0..frames(seconds * 2.0))
        .map(|i| {
            let (at, next) = (i % (size + 1), (i + 1) % (size + 1));
            let out = line[at] * tune + line[next] * (1.0 - tune);
            let dulled = out + (0.5 - 0.45 * bright) * (last - out);
            last = out;
            line[at] = decay * dulled;
            0.5 * out * (i as f32 / 60.0).min(1.0)
        })
        .collect()
}
