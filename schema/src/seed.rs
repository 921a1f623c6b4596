//! Repeatable chance: the same seed gives the same numbers on every machine, for ever.
//!
//! `SplitMix64` (Steele, Lea, Flood 2014), because it is ten lines that anybody can check. It is for drawing songs,
//! never for secrets.

/// A sequence of numbers that its seed alone decides.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number in [0, 1), with 53 random bits.
    pub fn next_share(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// The seed of a zone's n-th pick: whoever knows the zone's seed can name the next pick's.
pub fn of_pick(zone_seed: u64, counter: u64) -> u64 {
    let mut sequence = Seeded::new(zone_seed ^ Seeded::new(counter).next_u64());
    sequence.next_u64()
}
