//! Fairness: whoever has had less of what they like weighs more, within bounds.
//!
//! At `fairness` 0 the vibe is the plain mean and one listener's influence is at most 1/n. Above 0 it is at most
//! three times that.

use serde::{Deserialize, Serialize};

use crate::vector::{Axes, dot};

/// The most that fairness multiplies a weight by, and the most it divides it by.
pub const STRONGEST: f64 = 3.0;

/// How steeply debt turns into weight at fairness 1.
const STEEPNESS: f64 = 3.0;

/// From this cosine downwards a song makes somebody miserable.
const MISERY_BEGINS: f64 = -0.5;

/// How much misery costs at fairness 1.
const MISERY_COST: f64 = 2.0;

/// So many songs in a row against somebody's taste are borne; the next one costs.
pub const LONGEST_BORNE: u32 = 2;

/// What a song costs at fairness 1 that would lengthen everybody's drought beyond [`LONGEST_BORNE`]: of one listener
/// among n it is what three of n could move a song by, from what they like to what they do not.
const DROUGHT_COST: f64 = 2.0 * STRONGEST;

/// What one listener has heard since they checked in.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Debt {
    /// How many songs (t).
    pub songs: u32,
    /// Sum of (room's mean cosine - own cosine): positive where they have had less than the others.
    pub owed: f64,
    /// Sum of own cosines.
    pub satisfaction: f64,
    /// How many songs against their taste (cosine < 0) in a row, up to now.
    pub drought: u32,
    /// The longest drought so far.
    pub longest_drought: u32,
}

impl Debt {
    /// Counts a song: how near it was to their taste, and to the room's tastes on average.
    pub fn hear(&mut self, cosine: f64, room_mean: f64) {
        self.songs = self.songs.saturating_add(1);
        self.owed += room_mean - cosine;
        self.satisfaction += cosine;
        self.drought = if cosine < 0.0 { self.drought + 1 } else { 0 };
        self.longest_drought = self.longest_drought.max(self.drought);
    }

    /// Whether another song against their taste would be one too many.
    pub fn is_dry(&self) -> bool {
        self.drought >= LONGEST_BORNE
    }

    /// Mean cosine of what they have heard; `None` before the first song.
    pub fn mean_satisfaction(&self) -> Option<f64> {
        (self.songs > 0).then(|| self.satisfaction / f64::from(self.songs))
    }

    /// What their weight is multiplied by: `clamp(exp(3 f owed / sqrt(max(1, t))), 1/3, 3)`.
    pub fn factor(&self, fairness: f64) -> f64 {
        let songs = f64::from(self.songs.max(1));
        (STEEPNESS * fairness * self.owed / songs.sqrt()).exp().clamp(1.0 / STRONGEST, STRONGEST)
    }
}

/// What a song costs because it would make somebody miserable: `2 f max(0, -0.5 - lowest cosine)`.
pub fn misery(fairness: f64, tastes: &[Axes], song: &Axes) -> f64 {
    let lowest = tastes.iter().map(|taste| dot(taste, song)).fold(f64::INFINITY, f64::min);
    MISERY_COST * fairness * (MISERY_BEGINS - lowest).max(0.0)
}

/// What a song costs because it would be one too many in a row against somebody's taste: `6 f` times the share of the
/// `present` listeners with a taste who are `dry` already and to whose taste it is opposed.
pub fn drought(fairness: f64, dry: &[Axes], present: usize, song: &Axes) -> f64 {
    let struck = dry.iter().filter(|taste| dot(taste, song) < 0.0).count();
    if struck == 0 { 0.0 } else { DROUGHT_COST * fairness * struck as f64 / present.max(struck) as f64 }
}

/// How the room fares: published live and in reports, because a mean alone hides who is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// Mean over the listeners of their mean cosine.
    pub mean: f64,
    /// The lowest of these.
    pub worst: f64,
    /// The longest run of songs against somebody's taste.
    pub longest_drought: u32,
}

impl Fairness {
    /// The worst listener's share of the mean; `None` where the room as a whole has had nothing that it likes.
    pub fn worst_of_mean(&self) -> Option<f64> {
        (self.mean > 0.0).then(|| self.worst / self.mean)
    }
}

/// Sums the room up; `None` before anybody has heard anything.
pub fn summary(debts: &[Debt]) -> Option<Fairness> {
    let satisfied: Vec<f64> = debts.iter().filter_map(Debt::mean_satisfaction).collect();
    let worst = satisfied.iter().copied().reduce(f64::min)?;
    Some(Fairness {
        mean: satisfied.iter().sum::<f64>() / satisfied.len() as f64,
        worst,
        longest_drought: debts.iter().map(|debt| debt.longest_drought).max().unwrap_or(0),
    })
}
