//! Chance that is the same every time.

/// `SplitMix64`: small, quick, and good enough for noise and melodies.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ 0x5EED)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    pub(super) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// -1 to 1.
    pub(super) fn noise(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }

    /// Whether something happens that does so with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A whole number from `from` up to, and without, `to`.
    pub(super) fn between(&mut self, from: i32, to: i32) -> i32 {
        from + (self.bits() % (to - from).max(1) as u64) as i32
    }
}
