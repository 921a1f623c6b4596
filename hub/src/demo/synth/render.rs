//! From a sketch to sound: chords, then everything that plays over them.

use super::air::{Air, air};
use super::drums::{self, Beat};
use super::random::Random;
use super::score::Sketch;
use super::stereo::Stereo;
use super::voices;

/// A song lasts at least so long, in whole groups of four bars, and rings out after.
const LEAST_SECONDS: f32 = 19.0;
const TAIL_SECONDS: f32 = 2.5;

pub(super) fn render(sketch: &Sketch, seed: u64) -> Stereo {
    let mut band = Band::new(sketch, seed);
    for bar in 0..band.bars {
        band.play_pads(bar);
        band.play_bass(bar);
        band.play_plucks(bar);
        band.play_lead(bar);
        band.play_drums(bar);
    }
    band.finish()
}

struct Band<'s> {
    sketch: &'s Sketch,
    random: Random,
    bars: usize,
    beat: f32,
    /// What rings in the room, and what stays in front of it.
    far: Stereo,
    near: Stereo,
    /// Where the melody is, in steps of the scale.
    step: i32,
}

impl<'s> Band<'s> {
    fn new(sketch: &'s Sketch, seed: u64) -> Self {
        let beat = 60.0 / sketch.bpm;
        let bars = ((LEAST_SECONDS / (16.0 * beat)).ceil() as usize).max(1) * 4;
        let silence = Stereo::silence(bars as f32 * 4.0 * beat + TAIL_SECONDS);
        Self { sketch, random: Random::new(seed), bars, beat, far: silence.clone(), near: silence, step: 7 }
    }

    fn start(&self, bar: usize) -> f32 {
        bar as f32 * 4.0 * self.beat
    }

    /// The degree of the chord in a bar.
    fn degree(&self, bar: usize) -> i32 {
        self.sketch.chords[bar % self.sketch.chords.len()]
    }

    fn play_pads(&mut self, bar: usize) {
        let Sketch { pad, bright, .. } = *self.sketch;
        if pad == 0.0 {
            return;
        }
        for (voice, step) in [0, 2, 4, 6].iter().enumerate() {
            let midi = self.sketch.midi(self.degree(bar) + step);
            // The seventh is a colour, not a statement.
            let gain = pad * if voice == 3 { 0.35 } else { 1.0 };
            for side in [-1.0, 1.0] {
                let tone = voices::pad(midi, bright, 4.0 * self.beat, side);
                self.far.add(self.start(bar), &tone, gain, 0.7 * side);
            }
        }
    }

    fn play_bass(&mut self, bar: usize) {
        let Sketch { bass, bright, beat, .. } = *self.sketch;
        if bass == 0.0 {
            return;
        }
        let root = self.sketch.midi(self.degree(bar)) - 12;
        let fifth = root + 7;
        let line: &[(f32, i32, f32)] = match beat {
            Beat::None | Beat::Soft => &[(0.0, root, 4.0)],
            Beat::Four => &[(0.5, root, 0.5), (1.5, root, 0.5), (2.5, root, 0.5), (3.5, fifth, 0.5)],
            Beat::Broken => &[(0.0, root, 1.5), (2.5, fifth, 0.5), (3.25, root, 0.75)],
            _ => &[(0.0, root, 1.0), (1.0, root, 1.0), (2.0, fifth, 1.0), (3.0, root, 1.0)],
        };
        for &(at, midi, beats) in line {
            let tone = voices::bass(midi, bright, beats * self.beat * 0.95);
            self.near.add(self.start(bar) + at * self.beat, &tone, bass, 0.0);
        }
    }

    fn play_plucks(&mut self, bar: usize) {
        let Sketch { pluck, bright, notes, strings, .. } = *self.sketch;
        if pluck == 0.0 {
            return;
        }
        let count = (4.0 * notes).round().max(1.0) as usize;
        for note in 0..count {
            let step = [0, 4, 2, 7, 4, 9, 7, 2][(note + 3 * bar) % 8];
            let midi = self.sketch.midi(self.degree(bar) + step) + 12;
            let at = self.start(bar) + note as f32 / notes * self.beat;
            let seconds = (self.beat / notes).clamp(0.12, 1.2);
            let gain = pluck * (0.75 + 0.35 * self.random.unit());
            let pan = 0.6 * self.random.noise();
            let tone = if strings {
                voices::string(midi, bright, seconds, &mut self.random)
            } else {
                voices::pluck(midi, bright, seconds)
            };
            self.far.add(at, &tone, gain, pan);
        }
    }

    fn play_lead(&mut self, bar: usize) {
        let Sketch { lead, bright, .. } = *self.sketch;
        // A melody that never breathes is an alarm.
        if lead == 0.0 || bar % 4 == 3 {
            return;
        }
        let mut at = 0.0;
        while at < 4.0 {
            let beats = if self.random.chance(0.4) { 0.5 } else { 1.0 + self.random.unit().round() };
            self.step = (self.step + self.random.between(-2, 3)).clamp(5, 14);
            // The third and the fifth of the chord are safe ground on the strong beats.
            let step =
                if at == 0.0 { self.degree(bar) + 7 + 2 * self.random.between(0, 3) } else { self.step };
            let tone = voices::lead(self.sketch.midi(step), bright, beats * self.beat * 0.9);
            self.far.add(self.start(bar) + at * self.beat, &tone, lead, 0.15);
            at += beats;
        }
    }

    fn play_drums(&mut self, bar: usize) {
        let Sketch { beat, drums, bright, .. } = *self.sketch;
        for hit in drums::bar(beat, &mut self.random) {
            let sound = drums::sound(hit.drum, bright, &mut self.random);
            let at = self.start(bar) + hit.sixteenth as f32 * self.beat / 4.0;
            let pan = match hit.drum {
                drums::Drum::Kick | drums::Drum::Snare => 0.0,
                drums::Drum::Hat | drums::Drum::HighTom => 0.4,
                _ => -0.3,
            };
            // A dark song has its cymbals in the next room.
            let presence = if hit.drum == drums::Drum::Hat { 0.2 + 0.8 * bright } else { 1.0 };
            self.near.add(at, &sound, drums * presence * hit.gain, pan);
        }
    }

    fn finish(mut self) -> Stereo {
        let Sketch { air: place, airy, room, level, .. } = *self.sketch;
        if place != Air::None {
            let seconds = self.near.left.len() as f32 / super::RATE as f32;
            let air = air(place, seconds, &mut self.random);
            self.near.mix(&air, airy);
        }
        if room > 0.0 {
            let wet = self.far.in_a_room(0.8 + 2.4 * room);
            self.near.mix(&wet, 1.6 * room);
        }
        let far = std::mem::replace(&mut self.far, Stereo::silence(0.0));
        self.near.mix(&far, 1.0);
        self.near.mastered(level)
    }
}
