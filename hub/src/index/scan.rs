//! The block scan: which of many scores are among the k best, give or take an f32's error.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Songs per block: five columns of it and the scores fit into the first-level cache.
pub(super) const BLOCK: usize = 512;

/// How far an f32 score may lie from its f64 twin, doubled, with room to spare: a sum of six terms of at most 1 in
/// magnitude errs by less than 1e-6.
const MARGIN: f32 = 4e-6;

/// Lanes of the running maximum; enough for any vector unit, and what lets the compiler use one.
const LANES: usize = 16;

/// What one scan weighs with: the five terms of the vibe, and how much a unit of the penalty column costs now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) axes: [f32; 5],
    /// Nothing where the rule knows no penalty; its column is then not even read.
    pub(super) penalty: Option<f32>,
}

/// The columns of the songs to scan, all of the same length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) axes: [&'a [f32]; 5],
    pub(super) penalty: &'a [f32],
}

impl<'a> Columns<'a> {
    fn len(&self) -> usize {
        self.penalty.len()
    }

    fn block(&self, block: usize) -> Self {
        let range = block * BLOCK..self.len().min((block + 1) * BLOCK);
        Self { axes: self.axes.map(|column| &column[range.clone()]), penalty: &self.penalty[range] }
    }
}

/// Positions of every song that could be among the `k` best: all of those, and those too near to tell in f32.
pub(super) fn best(columns: &Columns<'_>, weights: &Weights, k: usize) -> Vec<usize> {
    let n = columns.len();
    if k >= n {
        return (0..n).collect();
    }
    if k == 0 {
        return Vec::new();
    }
    let blocks = n.div_ceil(BLOCK);
    let mut maxima = Vec::with_capacity(blocks);
    let mut heap = Heap::new(k);
    let mut buffer = [0.0; BLOCK];
    for block in 0..blocks {
        let scores = score(&columns.block(block), weights, &mut buffer);
        let highest = highest(scores);
        maxima.push(highest);
        if highest > heap.threshold() {
            heap.offer_all(scores);
        }
    }
    let threshold = heap.threshold() - MARGIN;
    let mut found = Vec::with_capacity(2 * k);
    for (block, _) in maxima.iter().enumerate().filter(|(_, highest)| **highest >= threshold) {
        let scores = score(&columns.block(block), weights, &mut buffer);
        let near = scores.iter().enumerate().filter(|(_, score)| **score >= threshold);
        found.extend(near.map(|(offset, _)| block * BLOCK + offset));
    }
    found
}

/// Scores a block into `scores`; the part that was filled.
fn score<'s>(block: &Columns<'_>, weights: &Weights, scores: &'s mut [f32; BLOCK]) -> &'s [f32] {
    let n = block.len();
    let scores = &mut scores[..n];
    let [w0, w1, w2, w3, w4] = weights.axes;
    let [a0, a1, a2, a3, a4] = block.axes.map(|column| &column[..n]);
    for i in 0..n {
        scores[i] = w0 * a0[i] + w1 * a1[i] + w2 * a2[i] + w3 * a3[i] + w4 * a4[i];
    }
    if let Some(cost) = weights.penalty {
        for (score, penalty) in scores.iter_mut().zip(block.penalty) {
            *score -= cost * penalty;
        }
    }
    scores
}

fn highest(scores: &[f32]) -> f32 {
    // Spelled as a comparison: `f32::max` would also look after NaN, which no score is, and cost twice as much.
    let higher = |a: f32, b: f32| if a > b { a } else { b };
    let (lanes, rest) = scores.as_chunks::<LANES>();
    let mut best = [f32::NEG_INFINITY; LANES];
    for lane in lanes {
        for (best, score) in best.iter_mut().zip(lane) {
            *best = higher(*best, *score);
        }
    }
    best.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| higher(a, *b))
}

/// The k best scores so far.
struct Heap {
    k: usize,
    kept: BinaryHeap<Reverse<Score>>,
    threshold: f32,
}

impl Heap {
    fn new(k: usize) -> Self {
        Self { k, kept: BinaryHeap::with_capacity(k + 1), threshold: f32::NEG_INFINITY }
    }

    /// The k-th best; minus infinity while there are fewer.
    fn threshold(&self) -> f32 {
        self.threshold
    }

    fn offer_all(&mut self, scores: &[f32]) {
        for &score in scores {
            if score > self.threshold {
                self.offer(score);
            }
        }
    }

    fn offer(&mut self, score: f32) {
        self.kept.push(Reverse(Score(score)));
        if self.kept.len() > self.k {
            self.kept.pop();
        }
        if self.kept.len() == self.k
            && let Some(Reverse(lowest)) = self.kept.peek()
        {
            self.threshold = lowest.0;
        }
    }
}

/// A finite f32 that sorts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f32);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
