//! Whose turn it is. Pure: a file that came to nothing waits, longer each time, and lets all others go first.

use std::collections::HashMap;
use std::time::Duration;

use roomtone_schema::UnixMillis;
use roomtone_schema::song::Sha256;

/// The first wait; it doubles.
const SHORTEST: Duration = Duration::from_secs(15);
/// No wait is longer, but where the cloud asked for it.
const LONGEST: Duration = Duration::from_mins(5);
/// Longer than this the cloud is not believed.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// Files that wait, and who was asked about when.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: HashMap<Sha256, Wait>,
    asked: u64,
}

#[derive(Debug)]
struct Wait {
    failures: u32,
    until: UnixMillis,
    /// The number of the question that was last asked about it.
    asked: u64,
}

impl Turns {
    /// Whether a file may be tried now.
    pub(super) fn is_due(&self, file: Sha256, now: UnixMillis) -> bool {
        self.waiting.get(&file).is_none_or(|wait| wait.until <= now)
    }

    /// At most `most` of those that may be tried: first who was never asked about, then who was longest ago.
    pub(super) fn next<T>(
        &self,
        files: impl Iterator<Item = T>,
        sum: impl Fn(&T) -> Sha256,
        now: UnixMillis,
        most: usize,
    ) -> Vec<T> {
        let mut due: Vec<T> = files.filter(|file| self.is_due(sum(file), now)).collect();
        due.sort_by_key(|file| self.waiting.get(&sum(file)).map_or(0, |wait| wait.asked));
        due.truncate(most);
        due
    }

    /// It came to nothing: it waits, and for `at_least` so long.
    pub(super) fn wait(&mut self, file: Sha256, now: UnixMillis, at_least: Option<Duration>) {
        self.asked += 1;
        let wait = self.waiting.entry(file).or_insert(Wait { failures: 0, until: now, asked: 0 });
        let pause = LONGEST.min(SHORTEST * 2_u32.saturating_pow(wait.failures.min(16)));
        let pause = pause.max(at_least.unwrap_or_default().min(LONGEST_ASKED));
        wait.failures = wait.failures.saturating_add(1);
        wait.until = UnixMillis(now.0.saturating_add(pause.as_millis() as i64));
        wait.asked = self.asked;
    }

    /// It was done, or has begun anew.
    pub(super) fn done(&mut self, file: Sha256) {
        self.waiting.remove(&file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u8) -> Sha256 {
        Sha256([n; 32])
    }

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1_000)
    }

    fn next(turns: &Turns, now: i64, most: usize) -> Vec<u8> {
        turns.next(1..=6, |n| file(*n), at(now), most)
    }

    #[test]
    fn who_comes_to_nothing_lets_the_others_go_first() {
        let mut turns = Turns::default();
        assert_eq!(next(&turns, 0, 2), [1, 2]);
        turns.wait(file(1), at(0), None);
        turns.wait(file(2), at(0), None);
        assert_eq!(next(&turns, 0, 2), [3, 4]);
        assert_eq!(next(&turns, 15, 6), [3, 4, 5, 6, 1, 2], "due again, behind all others");
        turns.wait(file(1), at(15), None);
        assert_eq!(next(&turns, 60, 6), [3, 4, 5, 6, 2, 1], "who was asked longest ago comes first");
        turns.done(file(1));
        assert_eq!(next(&turns, 60, 1), [1]);
    }

    #[test]
    fn waits_double_up_to_five_minutes_or_what_was_asked_for() {
        let mut turns = Turns::default();
        for pause in [15, 30, 60, 120, 240, 300, 300] {
            turns.wait(file(1), at(0), None);
            assert!(!turns.is_due(file(1), at(pause - 1)) && turns.is_due(file(1), at(pause)), "{pause}");
        }
        turns.wait(file(1), at(0), Some(Duration::from_hours(6)));
        assert!(!turns.is_due(file(1), at(6 * 3_600 - 1)) && turns.is_due(file(1), at(6 * 3_600)));
    }
}
