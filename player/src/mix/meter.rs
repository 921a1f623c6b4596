//! What leaves for the loudspeaker, measured: how loud it is, and whether it is silent when it should not be.

use crate::deck::Form;

/// Silence is judged, and the level renewed, a hundred times a second.
const PARTS_A_SECOND: u32 = 100;
/// The level is the RMS of 400 ms.
const PARTS: usize = 40;
/// Below this it is silent: -60 dBFS as power.
const SILENT: f64 = 1e-6;
/// What is shown where there is nothing at all.
pub(crate) const NOTHING_DB: f32 = -120.0;

/// Why a stretch may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// Paused, stopped, or nothing was ordered yet.
    Nothing,
    /// The song itself (at its gain and this volume) is that quiet here.
    Quiet,
    /// It should be heard.
    Sound,
}

/// A meter on the output.
#[derive(Debug)]
pub(crate) struct Meter {
    form: Form,
    part: u32,
    frames: u32,
    power: f64,
    wanted: Wanted,
    parts: [f64; PARTS],
    at: usize,
    silence: Silence,
}

impl Meter {
    pub(crate) fn new(form: Form) -> Self {
        let part = (form.rate / PARTS_A_SECOND).max(1);
        Self {
            form,
            part,
            frames: 0,
            power: 0.0,
            wanted: Wanted::Nothing,
            parts: [0.0; PARTS],
            at: 0,
            silence: Silence::default(),
        }
    }

    /// What has just left, and what should have.
    pub(crate) fn heard(&mut self, block: &[f32], wanted: Wanted) {
        self.wanted = self.wanted.max(wanted);
        for frame in block.chunks_exact(self.form.channels) {
            self.power += frame.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum::<f64>();
            self.frames += 1;
            if self.frames == self.part {
                self.close_part();
                self.wanted = wanted;
            }
        }
    }

    fn close_part(&mut self) {
        // More than two channels are mostly silent ones: the power counts as if two loudspeakers had it.
        let power = self.power / f64::from(self.part) / self.form.channels.min(2) as f64;
        self.parts[self.at] = power;
        self.at = (self.at + 1) % PARTS;
        self.silence.part(power < SILENT, self.wanted);
        (self.frames, self.power, self.wanted) = (0, 0.0, Wanted::Nothing);
    }

    /// RMS of the last 400 ms in dBFS.
    pub(crate) fn level_db(&self) -> f32 {
        let power = self.parts.iter().sum::<f64>() / PARTS as f64;
        ((10.0 * power.log10()) as f32).max(NOTHING_DB)
    }

    /// Unplanned silence so far, in milliseconds, and whether it lasts.
    pub(crate) fn silence(&self) -> (u64, bool) {
        (self.silence.total * u64::from(1000 / PARTS_A_SECOND), self.silence.lasts())
    }
}

/// Counts silence that nobody wanted, once it has lasted for two seconds.
#[derive(Debug, Default)]
struct Silence {
    run: u64,
    total: u64,
}

impl Silence {
    /// It counts when it has lasted longer than this, and then from its beginning.
    const TOLERATED: u64 = 2 * PARTS_A_SECOND as u64;

    fn part(&mut self, silent: bool, wanted: Wanted) {
        if !silent || wanted != Wanted::Sound {
            self.run = 0;
            return;
        }
        self.run += 1;
        if self.lasts() {
            self.total += if self.run == Self::TOLERATED + 1 { self.run } else { 1 };
        }
    }

    fn lasts(&self) -> bool {
        self.run > Self::TOLERATED
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_where_sound_was_wanted(0.0, Wanted::Sound, 3000)]
    #[case::too_quiet_where_sound_was_wanted(0.0009, Wanted::Sound, 3000)]
    #[case::sound(0.01, Wanted::Sound, 0)]
    #[case::a_quiet_passage(0.0, Wanted::Quiet, 0)]
    #[case::paused(0.0, Wanted::Nothing, 0)]
    fn silence_is_what_nobody_wanted(#[case] level: f32, #[case] wanted: Wanted, #[case] expected_ms: u64) {
        let mut meter = Meter::new(Form { rate: 48_000, channels: 2 });
        for _ in 0..300 {
            meter.heard(&[level; 960], wanted);
        }
        assert_eq!(meter.silence(), (expected_ms, expected_ms > 0));
    }

    #[test]
    fn two_seconds_are_tolerated_and_a_sound_begins_anew() {
        let mut meter = Meter::new(Form { rate: 48_000, channels: 1 });
        for _ in 0..5 {
            (0..200).for_each(|_| meter.heard(&[0.0; 480], Wanted::Sound));
            meter.heard(&[0.5; 480], Wanted::Sound);
        }
        assert_eq!(meter.silence(), (0, false));
    }

    #[test]
    fn the_level_is_that_of_the_last_400_ms() {
        let mut meter = Meter::new(Form { rate: 48_000, channels: 2 });
        meter.heard(&vec![0.1; 2 * 48_000], Wanted::Sound);
        assert!((meter.level_db() + 20.0).abs() < 0.01, "{}", meter.level_db());
        meter.heard(&vec![0.0; 2 * 48_000], Wanted::Sound);
        assert!((meter.level_db() - NOTHING_DB).abs() < 0.01);
    }
}
