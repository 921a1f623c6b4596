//! The steady clock: the hub's own time, which nothing outside can step.
//!
//! Cheap boxes have no clock battery: they boot in 1970 and jump when the network tells them better, or a hand sets
//! them wrong by years. Sessions, rest and limits must not feel that. So the hub reads the wall clock once, at
//! start, never believes it to be earlier than what it has already stored, and counts on from there by the machine's
//! monotonic clock. A step of the wall clock moves nothing; it is only shown (`clock_trusted`).

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{Clock, UnixMillis};

/// 2026-01-01: nothing of Roomtone happened before it, so a clock that shows less is wrong.
const EARLIEST: UnixMillis = UnixMillis(1_767_225_600_000);

/// A clock that shows more than this after [`EARLIEST`] is wrong too: 20 years.
const BELIEVABLE: Duration = Duration::from_hours(20 * 365 * 24);

/// So far the wall clock may be off before the hub says that it is: NTP slews, it does not count as a step.
const AGREES_WITHIN: Duration = Duration::from_secs(2);

/// The hub's time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SteadyClock {
    clock: Arc<dyn Clock>,
    base: UnixMillis,
    started_at_monotonic: i64,
}

impl SteadyClock {
    /// Starts counting; `last` is the latest time that the hub has stored.
    pub fn start(clock: Arc<dyn Clock>, last: Option<UnixMillis>) -> Self {
        let wall = Some(clock.wall()).filter(|wall| *wall < EARLIEST + BELIEVABLE);
        let base = [Some(EARLIEST), last, wall].into_iter().flatten().max().unwrap_or(EARLIEST);
        let started_at_monotonic = clock.monotonic_ms();
        Self { clock, base, started_at_monotonic }
    }

    /// The steady time.
    pub fn now(&self) -> UnixMillis {
        let elapsed = self.clock.monotonic_ms().saturating_sub(self.started_at_monotonic).max(0);
        self.base + Duration::from_millis(elapsed.cast_unsigned())
    }

    /// The time outside, for what happens by the clock on the wall: the machine's, with what somebody who knows better
    /// has told of it (`ahead_ms`), where that can be right; else the steady time.
    pub(crate) fn world(&self, ahead_ms: i64) -> UnixMillis {
        let outside = UnixMillis(self.clock.wall().0.saturating_add(ahead_ms));
        if (EARLIEST..EARLIEST + BELIEVABLE).contains(&outside) { outside } else { self.now() }
    }

    /// What it reads.
    pub(crate) fn source(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Whether the wall clock shows the same.
    pub fn is_trusted(&self) -> bool {
        let (now, wall) = (self.now(), self.clock.wall());
        now.since(wall).max(wall.since(now)) <= AGREES_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::ManualClock;

    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

    #[test]
    fn a_step_of_the_wall_clock_does_not_move_the_steady_one() {
        let wall = Arc::new(ManualClock::at(NOON));
        let steady = SteadyClock::start(wall.clone(), None);
        for step in [TEN_YEARS_MS, -2 * TEN_YEARS_MS] {
            wall.step_wall(step);
            assert_eq!(steady.now(), NOON);
            assert!(!steady.is_trusted());
        }
        wall.step_wall(TEN_YEARS_MS);
        wall.advance(Duration::from_secs(5));
        assert_eq!(steady.now(), NOON + Duration::from_secs(5));
        assert!(steady.is_trusted());
    }

    #[test]
    fn a_box_that_boots_in_1970_goes_on_from_what_it_stored() {
        let steady = SteadyClock::start(Arc::new(ManualClock::at(UnixMillis(0))), Some(NOON));
        assert_eq!(steady.now(), NOON);
        assert!(!steady.is_trusted());
    }

    #[test]
    fn a_clock_that_nobody_can_believe_is_not_believed() {
        let year_2099 = UnixMillis(4_070_908_800_000);
        let steady = SteadyClock::start(Arc::new(ManualClock::at(year_2099)), Some(NOON));
        assert_eq!(steady.now(), NOON);
    }
}
