//! The taste of one listener: an order-free fold over their votes.
//!
//! Votes arrive in any order, on the hub and in the cloud, some of them twice and late. So the state is integers
//! whose sums have the same bits in any order, and the taste is derived from them each time it is wanted. It is
//! Rocchio's relevance feedback; seen from the other side it is gradient ascent with a rate that falls as
//! 1 / (k + n), which is why order stops mattering. There is no decay and there are no day buckets.

use serde::{Deserialize, Serialize};

use crate::embedding::{AXES, Embedding};
use crate::vector::{Axes, add_scaled, unit};
use crate::vote::VoteValue;

/// One, in the fixed point of [`TasteState`]: 32 bits behind the point leave room for 2^31 votes.
pub const FIXED_ONE: f64 = 4_294_967_296.0;

/// How many votes the zone's profile is worth (k).
pub const PRIOR_WEIGHT: f64 = 2.0;

/// What a dislike counts against a like (beta): it says less about where to go.
pub const DISLIKE_WEIGHT: f64 = 0.5;

/// A song's direction in fixed point: what one vote adds to a [`TasteState`].
pub type FixedUnit = [i64; AXES];

/// The fold of a listener's effective votes, for one embedding version. The row of `preferences`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TasteState {
    /// How many songs they like.
    pub n_like: i64,
    /// Sum of the liked songs' directions.
    pub sum_like: FixedUnit,
    /// How many songs they dislike.
    pub n_dislike: i64,
    /// Sum of the disliked songs' directions.
    pub sum_dislike: FixedUnit,
}

impl TasteState {
    /// Counts an effective vote in.
    pub fn add(&mut self, value: VoteValue, song: &FixedUnit) {
        self.shift(value, song, 1);
    }

    /// Takes an effective vote out again, because a later one of the same listener for the same song replaces it.
    pub fn remove(&mut self, value: VoteValue, song: &FixedUnit) {
        self.shift(value, song, -1);
    }

    /// Puts two folds over different votes together.
    pub fn merge(&mut self, other: &Self) {
        self.n_like = self.n_like.wrapping_add(other.n_like);
        self.n_dislike = self.n_dislike.wrapping_add(other.n_dislike);
        accumulate(&mut self.sum_like, &other.sum_like, 1);
        accumulate(&mut self.sum_dislike, &other.sum_dislike, 1);
    }

    fn shift(&mut self, value: VoteValue, song: &FixedUnit, by: i64) {
        let (count, sum) = match value {
            VoteValue::Like => (&mut self.n_like, &mut self.sum_like),
            VoteValue::Dislike => (&mut self.n_dislike, &mut self.sum_dislike),
        };
        *count = count.wrapping_add(by);
        accumulate(sum, song, by);
    }
}

/// Wrapping, because that is associative even where saturating is not, and never panics on what a wire brought.
fn accumulate(sum: &mut FixedUnit, by: &FixedUnit, times: i64) {
    for (total, value) in sum.iter_mut().zip(by) {
        *total = total.wrapping_add(value.wrapping_mul(times));
    }
}

/// A song's direction in fixed point, rounded to the nearest (halves away from zero).
pub fn fixed_unit(embedding: &Embedding) -> FixedUnit {
    embedding.unit().map(|value| (value * FIXED_ONE).round() as i64)
}

/// The direction a listener wants: `unit(k * prior + likes - beta * dislikes)`, or `None` where that points nowhere.
///
/// `prior` is the zone's profile; of whatever length it is, only its direction counts. A listener without a taste
/// is present all the same.
pub fn taste(state: &TasteState, prior: Option<Axes>) -> Option<Axes> {
    let mut sum = [0.0; AXES];
    if let Some(profile) = prior.as_ref().and_then(unit) {
        add_scaled(&mut sum, &profile, PRIOR_WEIGHT);
    }
    add_scaled(&mut sum, &from_fixed(&state.sum_like), 1.0);
    add_scaled(&mut sum, &from_fixed(&state.sum_dislike), -DISLIKE_WEIGHT);
    unit(&sum)
}

fn from_fixed(sum: &FixedUnit) -> Axes {
    sum.map(|value| value as f64 / FIXED_ONE)
}
