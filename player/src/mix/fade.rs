//! How a gain goes from one value to another without being heard to jump.

use std::f32::consts::{FRAC_PI_2, PI};

/// A gain that moves along a quarter of a sine: two of them, one each way, keep the power of two songs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fade {
    from: f32,
    to: f32,
    at: u64,
    length: u64,
}

impl Fade {
    /// Full level.
    pub(crate) const FULL: Self = Self { from: 1.0, to: 1.0, at: 0, length: 0 };

    /// From nothing to full level.
    pub(crate) fn rise(length: u64) -> Self {
        Self { from: 0.0, to: 1.0, at: 0, length }
    }

    /// From where this one is down to nothing.
    pub(crate) fn fall(self, length: u64) -> Self {
        Self { from: self.gain(), to: 0.0, at: 0, length }
    }

    /// This one, with all that is left of it at `factor`.
    pub(crate) fn scaled(self, factor: f32) -> Self {
        Self { from: self.gain() * factor, to: self.to * factor, at: 0, length: self.left() }
    }

    pub(crate) fn gain(self) -> f32 {
        if self.at >= self.length {
            return self.to;
        }
        let (sin, cos) = (self.at as f32 / self.length as f32 * FRAC_PI_2).sin_cos();
        if self.to > self.from {
            self.from + (self.to - self.from) * sin
        } else {
            self.to + (self.from - self.to) * cos
        }
    }

    pub(crate) fn step(&mut self) {
        self.at = (self.at + 1).min(self.length);
    }

    /// Frames until it stands still.
    pub(crate) fn left(self) -> u64 {
        self.length - self.at
    }

    /// Whether nothing is heard through it any more.
    pub(crate) fn is_silent(self) -> bool {
        self.to == 0.0 && self.at >= self.length
    }

    /// Whether it changes nothing.
    pub(crate) fn is_full(self) -> bool {
        self.to >= 1.0 && self.at >= self.length
    }
}

/// A gain for everything (the volume, or the fade of a pause): an S without corners, turned round at any time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ramp {
    from: f32,
    to: f32,
    at: u64,
    length: u64,
}

impl Ramp {
    pub(crate) fn at(value: f32) -> Self {
        Self { from: value, to: value, at: 0, length: 0 }
    }

    pub(crate) fn go(&mut self, to: f32, length: u64) {
        *self = Self { from: self.gain(), to, at: 0, length };
    }

    pub(crate) fn gain(self) -> f32 {
        if self.at >= self.length {
            return self.to;
        }
        let way = 0.5 - 0.5 * (self.at as f32 / self.length as f32 * PI).cos();
        self.from + (self.to - self.from) * way
    }

    pub(crate) fn step(&mut self) {
        self.at = (self.at + 1).min(self.length);
    }

    pub(crate) fn target(self) -> f32 {
        self.to
    }

    pub(crate) fn left(self) -> u64 {
        self.length - self.at
    }

    /// Whether it has arrived at nothing.
    pub(crate) fn is_silent(self) -> bool {
        self.to == 0.0 && self.at >= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fades_keep_the_power() {
        let (mut up, mut down) = (Fade::rise(1000), Fade::FULL.fall(1000));
        while up.left() > 0 {
            let power = up.gain().powi(2) + down.gain().powi(2);
            assert!((power - 1.0).abs() < 1e-5, "{power}");
            up.step();
            down.step();
        }
        assert!(up.is_full() && down.is_silent());
    }

    #[test]
    fn a_fade_that_is_turned_round_begins_where_it_was() {
        let mut fade = Fade::rise(1000);
        (0..300).for_each(|_| fade.step());
        let before = fade.gain();
        assert!((fade.fall(100).gain() - before).abs() < 1e-6);
    }

    #[test]
    fn a_ramp_arrives_and_stays() {
        let mut ramp = Ramp::at(1.0);
        ramp.go(0.25, 10);
        (0..20).for_each(|_| ramp.step());
        assert!((ramp.gain() - 0.25).abs() < f32::EPSILON);
        assert!(!ramp.is_silent());
    }
}
