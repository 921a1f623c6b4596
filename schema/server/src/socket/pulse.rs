//! When a socket is asked for a sign of life, when its token is looked at again, and when it is given up.

use std::time::Duration;

use tokio::time::Instant;

use crate::front::FrontSettings;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask for a sign of life.
    Ping,
    /// Ask whether the token still holds.
    Look,
    /// Nothing was heard for too long.
    Dead,
}

/// The times of one socket.
#[derive(Debug)]
pub(super) struct Pulse {
    ping_every: Duration,
    pong_time: Duration,
    check_every: Duration,
    ping_at: Instant,
    look_at: Instant,
    /// Set while a ping waits for its answer.
    dead_at: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(now: Instant, settings: &FrontSettings) -> Self {
        let FrontSettings { ping_every, pong_time, check_every, .. } = *settings;
        let (ping_at, look_at) = (now + ping_every, now + check_every);
        Self { ping_every, pong_time, check_every, ping_at, look_at, dead_at: None }
    }

    /// Notes a sign of life.
    pub(super) fn heard(&mut self) {
        self.dead_at = None;
    }

    /// What is due, one after another.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.dead_at.is_some_and(|at| at <= now) {
            return Some(Due::Dead);
        }
        // A look is its listener's sign of life, too, so it waits until this end has given one.
        if self.look_at <= now && self.dead_at.is_none() {
            self.look_at = now + self.check_every;
            return Some(Due::Look);
        }
        if self.ping_at <= now {
            self.ping_at = now + self.ping_every;
            self.dead_at.get_or_insert(now + self.pong_time);
            return Some(Due::Ping);
        }
        None
    }

    /// When to ask again what is due.
    pub(super) fn next(&self) -> Instant {
        match self.dead_at {
            Some(dead_at) => self.ping_at.min(dead_at),
            None => self.ping_at.min(self.look_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use Due::{Look, Ping};

    use super::*;

    fn pulse() -> (Instant, Pulse) {
        let start = Instant::now();
        (start, Pulse::new(start, &FrontSettings::default()))
    }

    fn all_due(pulse: &mut Pulse, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        while let Some(next) = pulse.due(now) {
            due.push(next);
            if next == Due::Dead {
                break;
            }
        }
        due
    }

    #[test]
    fn whoever_answers_is_pinged_every_20_seconds_and_looked_at_every_60() {
        let (start, mut pulse) = pulse();
        let mut seen = Vec::new();
        for second in 1..=120 {
            for due in all_due(&mut pulse, start + Duration::from_secs(second)) {
                seen.push((second, due));
            }
            pulse.heard();
        }
        let expected = [(20, Ping), (40, Ping), (60, Look), (60, Ping), (80, Ping), (100, Ping), (120, Look)];
        assert_eq!(seen[..7], expected);
    }

    #[test]
    fn whoever_does_not_answer_is_given_up_30_seconds_after_the_first_ping_and_never_looked_at() {
        let (start, mut pulse) = pulse();
        let mut seen = Vec::new();
        for second in 1..=50 {
            for due in all_due(&mut pulse, start + Duration::from_secs(second)) {
                seen.push((second, due));
            }
        }
        assert_eq!(seen, [(20, Due::Ping), (40, Due::Ping), (50, Due::Dead)]);
    }

    #[test]
    fn the_alarm_is_set_for_whatever_comes_first() {
        let (start, mut pulse) = pulse();
        assert_eq!(pulse.next(), start + Duration::from_secs(20));
        let pinged = start + Duration::from_secs(35);
        assert_eq!(pulse.due(pinged), Some(Due::Ping));
        assert_eq!(pulse.next(), pinged + Duration::from_secs(20));
        pulse.due(start + Duration::from_secs(55));
        assert_eq!(pulse.next(), pinged + Duration::from_secs(30));
    }
}
