//! How often one may do what.
//!
//! Every limit is a named setting. What a person has used up is kept in the store, so that restarting the hub (or
//! pulling its plug) gives nobody a fresh allowance.

use std::collections::VecDeque;
use std::time::Duration;

use roomtone_schema::UnixMillis;
use serde::{Deserialize, Serialize};

/// The limits of a hub; each is a setting of its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Votes of one session in any minute.
    pub votes_per_minute: u32,
    /// Phones the hub has never seen that may check in at once from one address: a coach party at the door.
    pub new_devices_burst: u32,
    /// After that, one more each so many seconds.
    pub new_device_every_s: u32,
    /// Guesses of the short code from one address before guessing slows down.
    pub code_guesses_burst: u32,
    /// After that, one more each so many seconds.
    pub code_guess_every_s: u32,
    /// Check-ins of one phone at once: tabs, reloads, children.
    pub device_check_ins_burst: u32,
    /// After that, one more each so many seconds.
    pub device_check_in_every_s: u32,
    /// Wrong PINs of the manager from one address before they are slowed down.
    pub pin_tries_burst: u32,
    /// After that, one more each so many seconds.
    pub pin_try_every_s: u32,
    /// Wrong PINs of the manager from everywhere together before they are slowed down.
    pub pin_tries_overall_burst: u32,
    /// After that, one more each so many seconds.
    pub pin_try_overall_every_s: u32,
    /// Sessions that may be active in the venue at once.
    pub sessions: u32,
    /// Hours after which a session ends in any case.
    pub session_hours: u32,
    /// Minutes without any sign of life after which a session ends.
    pub idle_minutes: u32,
    /// Seconds without a heartbeat after which a player counts as offline.
    pub player_offline_s: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            votes_per_minute: 10,
            new_devices_burst: 20,
            new_device_every_s: 10,
            code_guesses_burst: 10,
            code_guess_every_s: 6,
            device_check_ins_burst: 30,
            device_check_in_every_s: 10,
            pin_tries_burst: 5,
            pin_try_every_s: 60,
            pin_tries_overall_burst: 20,
            pin_try_overall_every_s: 60,
            sessions: 2_000,
            session_hours: 12,
            idle_minutes: 180,
            player_offline_s: 30,
        }
    }
}

impl LimitSettings {
    /// Refuses numbers that would lock everybody out or nobody, with a sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("votes_per_minute", self.votes_per_minute, 1..=1_000),
            ("new_devices_burst", self.new_devices_burst, 1..=10_000),
            ("new_device_every_s", self.new_device_every_s, 0..=3_600),
            ("code_guesses_burst", self.code_guesses_burst, 1..=1_000),
            ("code_guess_every_s", self.code_guess_every_s, 1..=3_600),
            ("device_check_ins_burst", self.device_check_ins_burst, 1..=10_000),
            ("device_check_in_every_s", self.device_check_in_every_s, 0..=3_600),
            ("pin_tries_burst", self.pin_tries_burst, 1..=20),
            ("pin_try_every_s", self.pin_try_every_s, 10..=3_600),
            ("pin_tries_overall_burst", self.pin_tries_overall_burst, 1..=100),
            ("pin_try_overall_every_s", self.pin_try_overall_every_s, 10..=3_600),
            ("sessions", self.sessions, 1..=100_000),
            ("session_hours", self.session_hours, 1..=48),
            ("idle_minutes", self.idle_minutes, 1..=2_880),
            ("player_offline_s", self.player_offline_s, 5..=600),
        ];
        match ranges.iter().find(|(_, value, range)| !range.contains(value)) {
            Some((name, value, range)) => {
                Err(format!("{name} is {value}; it must lie between {} and {}", range.start(), range.end()))
            }
            None => Ok(()),
        }
    }

    /// New phones from one address.
    pub(crate) fn new_devices(&self) -> Allowance {
        Allowance::new(self.new_devices_burst, self.new_device_every_s)
    }

    /// Guesses of the short code from one address.
    pub(crate) fn code_guesses(&self) -> Allowance {
        Allowance::new(self.code_guesses_burst, self.code_guess_every_s)
    }

    /// Wrong PINs from one address.
    pub(crate) fn pins_from_one(&self) -> Allowance {
        Allowance::new(self.pin_tries_burst, self.pin_try_every_s)
    }

    /// Wrong PINs from everywhere.
    pub(crate) fn pins_overall(&self) -> Allowance {
        Allowance::new(self.pin_tries_overall_burst, self.pin_try_overall_every_s)
    }

    /// Check-ins of one phone.
    pub(crate) fn device_check_ins(&self) -> Allowance {
        Allowance::new(self.device_check_ins_burst, self.device_check_in_every_s)
    }
}

/// So many at once, then one each so often: the generic cell rate algorithm, whose whole state is one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    burst: u32,
    every: Duration,
}

/// Too often; try again so much later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    pub(crate) retry_in: Duration,
}

impl TooOften {
    /// In whole seconds, for people: never zero.
    pub(crate) fn retry_s(self) -> u64 {
        self.retry_in.as_millis().div_ceil(1_000).max(1) as u64
    }
}

impl Allowance {
    pub(crate) fn new(burst: u32, every_s: u32) -> Self {
        Self { burst: burst.max(1), every: Duration::from_secs(u64::from(every_s)) }
    }

    /// Takes one: the new state to keep, or when to try again. `state` is the time at which the allowance is full.
    pub(crate) fn take(self, state: Option<UnixMillis>, now: UnixMillis) -> Result<UnixMillis, TooOften> {
        let full_at = state.map_or(now, |at| at.max(now));
        let next = full_at + self.every;
        let ahead = next.since(now);
        let tolerated = self.every * self.burst;
        if ahead <= tolerated {
            Ok(next)
        } else {
            Err(TooOften { retry_in: ahead.saturating_sub(tolerated) })
        }
    }
}

/// What somebody did in the last minute: exact, where an allowance would let twice as much through at first.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastMinute(VecDeque<UnixMillis>);

const MINUTE: Duration = Duration::from_mins(1);

impl LastMinute {
    /// Counts one more now, unless that would be more than `at_most` in any minute.
    pub(crate) fn take(&mut self, at_most: u32, now: UnixMillis) -> Result<(), TooOften> {
        while self.0.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            self.0.pop_front();
        }
        if (self.0.len() as u32) < at_most {
            self.0.push_back(now);
            return Ok(());
        }
        let oldest = self.0.front().copied().unwrap_or(now);
        Err(TooOften { retry_in: (oldest + MINUTE).since(now) })
    }

    /// Takes back what `take` counted at `at`, because it did not happen.
    pub(crate) fn give_back(&mut self, at: UnixMillis) {
        if let Some(index) = self.0.iter().rposition(|taken| *taken == at) {
            self.0.remove(index);
        }
    }

    /// Remembers what the store knows of, oldest first.
    pub(crate) fn remember(&mut self, taken: impl IntoIterator<Item = UnixMillis>) {
        self.0.extend(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

    fn after(seconds: u64) -> UnixMillis {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn twenty_phones_come_at_once_and_then_one_each_ten_seconds() {
        let allowance = Allowance::new(20, 10);
        let mut state = None;
        for _ in 0..20 {
            state = Some(allowance.take(state, NOW).unwrap());
        }
        let refused = allowance.take(state, NOW).unwrap_err();
        assert_eq!(refused.retry_s(), 10);
        assert!(allowance.take(state, after(9)).is_err());
        assert!(allowance.take(state, after(10)).is_ok());
        assert!(allowance.take(state, after(100_000)).is_ok());
    }

    #[test]
    fn the_eleventh_vote_in_any_minute_waits_until_the_first_is_a_minute_old() {
        let mut votes = LastMinute::default();
        for second in 0..10 {
            votes.take(10, after(second)).unwrap();
        }
        assert_eq!(votes.take(10, after(10)).unwrap_err().retry_s(), 50);
        votes.take(10, after(60)).unwrap();
        assert!(votes.take(10, after(60)).is_err());
        votes.give_back(after(60));
        votes.take(10, after(60)).unwrap();
    }
}
