//! For how long to leave somebody alone who did not answer.

use std::time::Duration;

/// The first pause is at most this.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// No pause is longer, but where the other side asked for it.
pub const LONGEST: Duration = Duration::from_mins(5);

/// Longer than this nobody is believed who asks for a pause.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// Pauses that double, each drawn between nothing and the whole: a thousand hubs that failed together do not come back
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure. `chance` is in [0, 1); `asked` is what the other side asked for, and is kept.
    pub fn after_failure(&mut self, chance: f64, asked: Option<Duration>) -> Duration {
        let most = LONGEST.min(SHORTEST * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        let drawn = most.mul_f64(chance.clamp(0.0, 1.0));
        // A pause of nothing would be a loop.
        asked.unwrap_or_default().min(LONGEST_ASKED) + drawn.max(Duration::from_millis(50))
    }

    /// All is well again.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// How often in a row it failed.
    pub fn failures(self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_begin_anew() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..12).map(|_| backoff.after_failure(1.0, None).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        backoff.succeed();
        assert_eq!(backoff.after_failure(0.5, None), Duration::from_millis(500));
    }

    #[test]
    fn what_the_cloud_asks_for_is_kept() {
        let mut backoff = Backoff::default();
        assert!(backoff.after_failure(0.0, Some(Duration::from_secs(30))) >= Duration::from_secs(30));
        assert!(backoff.after_failure(0.0, Some(Duration::MAX)) <= Duration::from_hours(2));
    }

    #[test]
    fn no_pause_is_nothing() {
        assert!(Backoff::default().after_failure(0.0, None) > Duration::ZERO);
    }
}
