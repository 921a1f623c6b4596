//! A zone's own order of the songs: the rested ones first, then the resting.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::rank::{Candidate, Ranked, Standing, place, place_plan};
use roomtone_schema::vector::{Axes, norm, unit};
use roomtone_schema::{SongId, UnixMillis};

use super::Index;
use super::scan::{Columns, Weights, best};

/// A vibe longer than this would make f32 err by more than the scan allows for; vibes have at most length 1.
const LONGEST_VIBE: f64 = 1.001;

/// When so many windows have passed since the penalty column's zero hour, it is computed anew: e^16 is still small.
const WINDOWS_BEFORE_REBASE: u32 = 16;

/// The position of a song without an embedding: none.
const NOWHERE: u32 = u32::MAX;

/// One zone's segments over a shared [`Index`], and when the zone last heard each song.
#[derive(Debug, Clone)]
pub struct ZoneOrder {
    index: Arc<Index>,
    /// How long songs rest in this zone by the rule `rank`.
    window: Duration,
    /// Directions in f32, one column an axis, by position.
    axes: [Vec<f32>; 5],
    /// `exp((last played - zero hour) / window)`, 0 where never: times `exp(-(now - zero hour) / window)` it is the
    /// penalty of any moment, so that the column needs no update as time passes.
    penalty: Vec<f32>,
    zero_hour: UnixMillis,
    /// Position to slot, and back.
    slot_at: Vec<u32>,
    position_of: Vec<u32>,
    /// Songs at positions from here on rest, as of `as_of`.
    resting_from: usize,
    as_of: UnixMillis,
    /// By slot.
    last_played: Vec<Option<UnixMillis>>,
    /// All played songs by the time of their last play.
    plays: BTreeSet<(UnixMillis, u32)>,
    /// Slots of songs without an embedding.
    unknown: Vec<u32>,
}

/// One of the two rules with its query.
enum Rule {
    /// With the query's direction, where it has one.
    Plan(Option<Axes>),
    Rank(Axes),
}

impl Rule {
    fn place(&self, candidate: &Candidate, now: UnixMillis, window: Duration) -> Ranked {
        match self {
            Self::Plan(query) => place_plan(query.as_ref(), candidate, now, window),
            Self::Rank(vibe) => place(vibe, candidate, now, window),
        }
    }
}

impl ZoneOrder {
    /// The zone's order at `now`, from when it last heard each song. Songs that the index does not know are left out.
    pub fn new(
        index: Arc<Index>,
        plays: impl IntoIterator<Item = (SongId, UnixMillis)>,
        window: Duration,
        now: UnixMillis,
    ) -> Self {
        let mut last_played = vec![None; index.len()];
        for (song, at) in plays {
            if let Some(slot) = index.slots.get(&song) {
                let last = &mut last_played[*slot as usize];
                *last = (*last).max(Some(at));
            }
        }
        Self::arrange(index, last_played, window, now)
    }

    /// The same zone over another catalogue.
    #[must_use]
    pub fn over(&self, index: Arc<Index>) -> Self {
        let plays: Vec<(SongId, UnixMillis)> =
            self.plays.iter().map(|(at, slot)| (self.index.songs[*slot as usize], *at)).collect();
        Self::new(index, plays, self.window, self.as_of)
    }

    /// The catalogue that it orders.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// How long songs rest here by the rule `rank`.
    pub fn rest_window(&self) -> Duration {
        self.window
    }

    /// When the zone last heard a song.
    pub fn last_played_at(&self, song: SongId) -> Option<UnixMillis> {
        self.index.slots.get(&song).and_then(|slot| self.last_played[*slot as usize])
    }

    /// Changes how long songs rest; computes everything anew where it really changes.
    pub fn set_window(&mut self, window: Duration) {
        if window != self.window {
            let last_played = std::mem::take(&mut self.last_played);
            *self = Self::arrange(Arc::clone(&self.index), last_played, window, self.as_of);
        }
    }

    /// Notes that the zone heard a song at `at`. An older play than the one it knows changes nothing.
    pub fn mark_played(&mut self, song: SongId, at: UnixMillis) {
        let Some(&slot) = self.index.slots.get(&song) else { return };
        let before = self.last_played[slot as usize];
        if before >= Some(at) {
            return;
        }
        if let Some(before) = before {
            self.plays.remove(&(before, slot));
        }
        self.plays.insert((at, slot));
        self.last_played[slot as usize] = Some(at);
        self.rebase_at(at);
        let position = self.position_of[slot as usize];
        if position != NOWHERE {
            self.penalty[position as usize] = self.penalty_since_zero(at);
            self.settle(position as usize, at);
        }
    }

    /// Lets the songs that have rested by `now` join the others. Answers are right without it, only slower the
    /// longer it is not called. Time never runs backwards here.
    pub fn expire(&mut self, now: UnixMillis) {
        let from = self.as_of;
        self.as_of = self.as_of.max(now);
        let rested = (Bound::Excluded(rested_by(from, self.window)), Bound::Included(self.rested_until()));
        let expired: Vec<(UnixMillis, u32)> = self.plays.range(rested).copied().collect();
        for (at, slot) in expired {
            let position = self.position_of[slot as usize];
            if position != NOWHERE {
                self.settle(position as usize, at);
            }
        }
        self.rebase_at(now);
    }

    /// The best `k` by the older plan's rule, where songs rest for `penalty`.
    pub fn rank_plan(&self, query: &Axes, k: usize, now: UnixMillis, penalty: Duration) -> Vec<Ranked> {
        self.top(&Rule::Plan(unit(query)), k, now, penalty)
    }

    /// The best `k` by the rule that Roomtone plays by.
    pub fn rank(&self, vibe: &Axes, k: usize, now: UnixMillis) -> Vec<Ranked> {
        self.top(&Rule::Rank(*vibe), k, now, self.window)
    }

    fn top(&self, rule: &Rule, k: usize, now: UnixMillis, window: Duration) -> Vec<Ranked> {
        let place =
            |slot: u32| rule.place(&self.index.candidate(slot, self.last_played[slot as usize]), now, window);
        let mut top = self.rested(rule, k, now, window, &place);
        if top.len() < k {
            let mut unknown: Vec<Ranked> = self.unknown.iter().map(|slot| place(*slot)).collect();
            unknown.retain(|ranked| ranked.standing == Standing::Unknown);
            append_best(&mut top, unknown, k);
        }
        if top.len() < k {
            self.append_resting(&mut top, k, rested_by(now, window), &place);
        }
        top
    }

    /// The best of the rested songs with a direction.
    fn rested(
        &self,
        rule: &Rule,
        k: usize,
        now: UnixMillis,
        window: Duration,
        place: &impl Fn(u32) -> Ranked,
    ) -> Vec<Ranked> {
        let settled_by = self.rested_until();
        let wanted_by = rested_by(now, window);
        // In the first segment, but resting by this window and at this time: in the way of as many others.
        let in_the_way = if wanted_by < settled_by {
            self.plays.range((Bound::Excluded(wanted_by), Bound::Included(settled_by))).count()
        } else {
            0
        };
        let positions = self.scan(rule, k.saturating_add(in_the_way), now);
        let mut found: Vec<Ranked> =
            positions.into_iter().map(|position| place(self.slot_at[position])).collect();
        if wanted_by > settled_by {
            // In the second segment, but rested by now.
            let rested = self.plays.range((Bound::Excluded(settled_by), Bound::Included(wanted_by)));
            found.extend(rested.map(|(_, slot)| place(*slot)));
        }
        found.retain(|ranked| ranked.standing == Standing::Rested);
        let mut top = Vec::with_capacity(k.min(found.len()));
        append_best(&mut top, found, k);
        top
    }

    /// Positions of the first segment that hold at least its best `k`.
    fn scan(&self, rule: &Rule, k: usize, now: UnixMillis) -> Vec<usize> {
        let n = self.resting_from;
        let weights = match rule {
            Rule::Plan(query) => {
                Weights { axes: query.unwrap_or_default().map(|term| term as f32), penalty: None }
            }
            Rule::Rank(vibe) if norm(vibe) <= LONGEST_VIBE && !self.is_long_ago(now) => {
                Weights { axes: vibe.map(|term| term as f32), penalty: Some(self.cost_of_penalty(now)) }
            }
            // Not what f32 can tell; the rule still has an answer for it.
            Rule::Rank(_) => return (0..n).collect(),
        };
        let axes = std::array::from_fn(|axis| &self.axes[axis][..n]);
        best(&Columns { axes, penalty: &self.penalty[..n] }, &weights, k)
    }

    /// Songs that rest still, the oldest play first, until `top` holds `k`.
    fn append_resting(
        &self,
        top: &mut Vec<Ranked>,
        k: usize,
        rested_by: (UnixMillis, u32),
        place: &impl Fn(u32) -> Ranked,
    ) {
        let mut resting: Vec<Ranked> = Vec::new();
        for (at, slot) in self.plays.range((Bound::Excluded(rested_by), Bound::Unbounded)) {
            let is_enough = top.len() + resting.len() >= k;
            // Songs played at the same moment are in no order yet, so the last moment is taken whole.
            if is_enough && resting.last().is_none_or(|last| last.last_played_at != Some(*at)) {
                break;
            }
            resting.push(place(*slot));
        }
        append_best(top, resting, k);
    }

    fn arrange(
        index: Arc<Index>,
        last_played: Vec<Option<UnixMillis>>,
        window: Duration,
        now: UnixMillis,
    ) -> Self {
        let described = |slot: &u32| index.embeddings[*slot as usize].is_some();
        let (slot_at, unknown): (Vec<u32>, Vec<u32>) = (0..index.len() as u32).partition(described);
        let mut position_of = vec![NOWHERE; index.len()];
        for (slot, position) in slot_at.iter().zip(0..) {
            position_of[*slot as usize] = position;
        }
        let mut axes: [Vec<f32>; 5] = std::array::from_fn(|_| Vec::with_capacity(slot_at.len()));
        for embedding in index.embeddings.iter().flatten() {
            for (column, value) in axes.iter_mut().zip(embedding.unit()) {
                column.push(value as f32);
            }
        }
        let plays: BTreeSet<(UnixMillis, u32)> =
            last_played.iter().zip(0..).filter_map(|(at, slot)| Some(((*at)?, slot))).collect();
        let described = slot_at.len();
        let mut order = Self {
            index,
            window,
            axes,
            penalty: vec![0.0; described],
            zero_hour: now,
            slot_at,
            position_of,
            resting_from: described,
            as_of: now,
            last_played,
            plays,
            unknown,
        };
        order.fill_penalties();
        order.separate();
        order
    }

    /// Moves every resting song behind the rested ones.
    fn separate(&mut self) {
        let resting = (Bound::Excluded(self.rested_until()), Bound::Unbounded);
        for (at, slot) in self.plays.range(resting).copied().collect::<Vec<_>>() {
            let position = self.position_of[slot as usize];
            if position != NOWHERE {
                self.settle(position as usize, at);
            }
        }
    }

    /// The greatest entry of `plays` that belongs to a rested song.
    fn rested_until(&self) -> (UnixMillis, u32) {
        rested_by(self.as_of, self.window)
    }

    /// Puts the song at `position`, last played at `at`, into the segment where it belongs.
    fn settle(&mut self, position: usize, at: UnixMillis) {
        let rests = (at, 0) > self.rested_until();
        let is_behind = position >= self.resting_from;
        if rests && !is_behind {
            self.resting_from -= 1;
            self.swap(position, self.resting_from);
        } else if !rests && is_behind {
            self.swap(position, self.resting_from);
            self.resting_from += 1;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        for column in &mut self.axes {
            column.swap(a, b);
        }
        self.penalty.swap(a, b);
        self.slot_at.swap(a, b);
        self.position_of[self.slot_at[a] as usize] = a as u32;
        self.position_of[self.slot_at[b] as usize] = b as u32;
    }

    fn rebase_at(&mut self, now: UnixMillis) {
        if now.since(self.zero_hour) > self.window.saturating_mul(WINDOWS_BEFORE_REBASE) {
            self.zero_hour = now;
            self.fill_penalties();
        }
    }

    fn fill_penalties(&mut self) {
        for (at, slot) in &self.plays {
            let position = self.position_of[*slot as usize];
            if position != NOWHERE {
                self.penalty[position as usize] = self.penalty_since_zero(*at);
            }
        }
    }

    fn penalty_since_zero(&self, at: UnixMillis) -> f32 {
        self.windows(at.0.saturating_sub(self.zero_hour.0)).exp() as f32
    }

    fn cost_of_penalty(&self, now: UnixMillis) -> f32 {
        self.windows(self.zero_hour.0.saturating_sub(now.0)).exp() as f32
    }

    /// So far before the zero hour that the cost of the column's unit would be no f32.
    fn is_long_ago(&self, now: UnixMillis) -> bool {
        self.zero_hour.since(now) > self.window.saturating_mul(WINDOWS_BEFORE_REBASE)
    }

    /// Milliseconds as so many windows; minus infinity, which costs nothing, where songs do not rest at all.
    fn windows(&self, millis: i64) -> f64 {
        if self.window.is_zero() {
            return f64::NEG_INFINITY;
        }
        millis as f64 / 1_000.0 / self.window.as_secs_f64()
    }
}

/// The greatest entry of a zone's plays that belongs to a song rested at `now`.
fn rested_by(now: UnixMillis, window: Duration) -> (UnixMillis, u32) {
    let at = if window.is_zero() { UnixMillis(i64::MAX) } else { now - window };
    (at, u32::MAX)
}

/// Appends the best of `more` to `top`, in order, until it holds `k`.
fn append_best(top: &mut Vec<Ranked>, mut more: Vec<Ranked>, k: usize) {
    let room = k - top.len();
    if more.len() > room && room > 0 {
        more.select_nth_unstable_by(room - 1, Ranked::order);
    }
    more.truncate(room);
    more.sort_unstable_by(Ranked::order);
    top.append(&mut more);
}
