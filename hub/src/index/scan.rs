//! The block scan: which of many scores are among the k best, give or take an f32's error.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Songs per block.
pub(super) const BLOCK: usize = 512;

/// With so many lanes for each song wanted, the best songs are mostly in lanes of their own.
const LANES_PER_SONG: usize = 2;

/// How far an f32 score may lie from its f64 twin, doubled, with room to spare: a sum of six terms of at most 1 in
/// magnitude errs by less than 1e-6.
const MARGIN: f32 = 4e-6;

/// Every 16th song of a block is one lane, so that a block's lanes fit into any machine's vector registers.
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

impl Columns<'_> {
    fn len(&self) -> usize {
        self.penalty.len()
    }

    fn block(&self, block: usize) -> Self {
        let range = block * BLOCK..self.len().min((block + 1) * BLOCK);
        Self { axes: self.axes.map(|column| &column[range.clone()]), penalty: &self.penalty[range] }
    }

    /// One song's score: the same operations in the same order as in [`lane_maxima`], and so the same bits.
    fn score(&self, at: usize, weights: &Weights) -> f32 {
        let [w0, w1, w2, w3, w4] = weights.axes;
        let [c0, c1, c2, c3, c4] = self.axes;
        let score = w0 * c0[at] + w1 * c1[at] + w2 * c2[at] + w3 * c3[at] + w4 * c4[at];
        weights.penalty.map_or(score, |cost| score - cost * self.penalty[at])
    }
}

/// Positions of every song that could be among the `k` best: all of those, and those too near to tell in f32.
///
/// One pass keeps the maximum of every lane. The k-th best of these maxima is a score that at least k songs reach, so
/// only lanes that reach it are looked at once more.
pub(super) fn best(columns: &Columns<'_>, weights: &Weights, k: usize) -> Vec<usize> {
    let n = columns.len();
    if k >= n {
        return (0..n).collect();
    }
    if k == 0 {
        return Vec::new();
    }
    let blocks = n.div_ceil(BLOCK);
    let are_lanes_enough = k * LANES_PER_SONG <= blocks * LANES;
    let mut maxima = Vec::with_capacity(blocks);
    let mut heap = Heap::new(k);
    for number in 0..blocks {
        let block = columns.block(number);
        let lanes = if weights.penalty.is_some() {
            lane_maxima::<true>(&block, weights)
        } else {
            lane_maxima::<false>(&block, weights)
        };
        maxima.push(lanes);
        if highest(&lanes) <= heap.threshold() {
            continue;
        }
        if are_lanes_enough {
            for score in lanes {
                heap.offer(score);
            }
        } else {
            for at in 0..block.len() {
                heap.offer(block.score(at, weights));
            }
        }
    }
    near(columns, weights, &maxima, heap.threshold() - MARGIN)
}

/// Positions of every song whose score reaches `threshold`.
fn near(columns: &Columns<'_>, weights: &Weights, maxima: &[[f32; LANES]], threshold: f32) -> Vec<usize> {
    let mut found = Vec::new();
    for (lanes, number) in maxima.iter().zip(0..).filter(|(lanes, _)| highest(lanes) >= threshold) {
        let block = columns.block(number);
        for (lane, _) in lanes.iter().enumerate().filter(|(_, maximum)| **maximum >= threshold) {
            let songs = (lane..block.len()).step_by(LANES);
            let near = songs.filter(|at| block.score(*at, weights) >= threshold);
            found.extend(near.map(|at| number * BLOCK + at));
        }
    }
    found
}

/// The best score of each lane of a block; minus infinity where a lane is empty.
fn lane_maxima<const PENALTY: bool>(block: &Columns<'_>, weights: &Weights) -> [f32; LANES] {
    let [w0, w1, w2, w3, w4] = weights.axes;
    let cost = weights.penalty.unwrap_or(0.0);
    let [c0, c1, c2, c3, c4] = block.axes.map(|column| column.as_chunks::<LANES>().0);
    let (p, _) = block.penalty.as_chunks::<LANES>();
    let n = p.len();
    let (c0, c1, c2, c3, c4) = (&c0[..n], &c1[..n], &c2[..n], &c3[..n], &c4[..n]);
    let mut best = [f32::NEG_INFINITY; LANES];
    for i in 0..n {
        for lane in 0..LANES {
            let mut score =
                w0 * c0[i][lane] + w1 * c1[i][lane] + w2 * c2[i][lane] + w3 * c3[i][lane] + w4 * c4[i][lane];
            if PENALTY {
                score -= cost * p[i][lane];
            }
            best[lane] = higher(best[lane], score);
        }
    }
    for at in n * LANES..block.len() {
        let lane = at % LANES;
        best[lane] = higher(best[lane], block.score(at, weights));
    }
    best
}

fn highest(lanes: &[f32; LANES]) -> f32 {
    lanes.iter().fold(f32::NEG_INFINITY, |a, b| higher(a, *b))
}

/// Spelled as a comparison: `f32::max` would also look after NaN, which no score is, and cost twice as much.
fn higher(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
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

    fn offer(&mut self, score: f32) {
        if score <= self.threshold {
            return;
        }
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
