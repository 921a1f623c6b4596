//! Sounds of places: noise that moves.

use std::f32::consts::TAU;

use super::RATE;
use super::random::Random;
use super::stereo::Stereo;

/// What is outside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Air {
    None,
    /// Drops on a tin roof.
    Rain,
    /// Waves that come and go.
    Sea,
    /// Gusts.
    Wind,
    /// An old record.
    Vinyl,
    /// A machine that breathes.
    Steam,
    /// Crickets.
    Night,
}

pub(super) fn air(of: Air, seconds: f32, random: &mut Random) -> Stereo {
    let mut air = Stereo::silence(seconds);
    for (channel, side) in [(&mut air.left, 0.0), (&mut air.right, 1.0)] {
        match of {
            Air::None => {}
            Air::Rain => rain(channel, random),
            Air::Sea => waves(channel, 0.09, 0.03, side, random),
            Air::Wind => waves(channel, 0.17, 0.35, side, random),
            Air::Steam => waves(channel, 0.5, 0.8, side, random),
            Air::Vinyl => crackle(channel, random),
            Air::Night => crickets(channel, side, random),
        }
    }
    air
}

fn rain(channel: &mut [f32], random: &mut Random) {
    let (mut low, mut drop) = (0.0_f32, 0.0_f32);
    for sample in channel {
        let noise = random.noise();
        low += (noise - low) * 0.3;
        if random.chance(0.0008) {
            drop = 0.3 + 0.7 * random.unit();
        }
        drop *= 0.996;
        *sample = 0.1 * (noise - low) + 0.4 * drop * random.noise();
    }
}

/// Noise through a filter that opens and closes so many times a second, up to `open` (0 to 1).
fn waves(channel: &mut [f32], a_second: f32, open: f32, side: f32, random: &mut Random) {
    let (mut first, mut second) = (0.0_f32, 0.0_f32);
    for (i, sample) in channel.iter_mut().enumerate() {
        let time = i as f32 / RATE as f32;
        let slow = 0.5 - 0.5 * (TAU * a_second * time + 0.7 * side).cos();
        let drift = 0.5 + 0.5 * (TAU * a_second * 0.37 * time + 1.3 + side).sin();
        let level = 0.15 + 0.85 * slow * (0.4 + 0.6 * drift);
        let filter = 0.01 + open * level;
        first += (random.noise() - first) * filter;
        second += (first - second) * filter;
        *sample = level * second / filter.sqrt() * 0.4;
    }
}

fn crackle(channel: &mut [f32], random: &mut Random) {
    let (mut low, mut pop) = (0.0_f32, 0.0_f32);
    for sample in channel {
        low += (random.noise() - low) * 0.2;
        if random.chance(0.0003) {
            pop = random.noise();
        }
        pop *= 0.7;
        *sample = 0.05 * low + 0.5 * pop;
    }
}

fn crickets(channel: &mut [f32], side: f32, random: &mut Random) {
    let mut low = 0.0_f32;
    for (i, sample) in channel.iter_mut().enumerate() {
        let time = i as f32 / RATE as f32;
        low += (random.noise() - low) * 0.05;
        let chirp = (TAU * (26.0 + 3.0 * side) * time).sin().max(0.0);
        let song = (TAU * (0.6 + 0.13 * side) * time + 2.0 * side).sin().max(0.0);
        *sample = 0.1 * low + 0.06 * chirp * song * (TAU * (4200.0 + 300.0 * side) * time).sin();
    }
}
