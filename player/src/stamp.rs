//! When something happened, in a form that survives a restart of the program and a clock that is wrong.
//!
//! A box without a clock battery does not know the date, but it knows how long ago something was, as long as it has
//! not been switched off in between. So a stamp holds both: the time since the boot, with which boot that was, and the
//! wall clock for when the boot has changed.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{Clock, UnixMillis};
use serde::{Deserialize, Serialize};

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Which boot of the machine.
    pub boot: String,
    /// Milliseconds since that boot.
    pub since_boot_ms: i64,
    /// The wall clock, as right or wrong as it was.
    pub wall: UnixMillis,
}

impl Stamp {
    /// How long before `now` this was. Zero where the clocks say that it lies ahead.
    pub fn ago(&self, now: &Self) -> Duration {
        if self.boot == now.boot {
            let ms = now.since_boot_ms.saturating_sub(self.since_boot_ms).max(0);
            return Duration::from_millis(ms.cast_unsigned());
        }
        now.wall.since(self.wall)
    }
}

/// The machine's clocks, for stamps.
#[derive(Debug, Clone)]
pub struct Stamps {
    clock: Arc<dyn Clock>,
    boot: String,
    /// Of the boot, when `clock` showed zero.
    origin_ms: i64,
}

impl Stamps {
    /// Those of this machine.
    pub fn of_this_machine(clock: Arc<dyn Clock>) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let origin_ms = (seconds * 1_000.0) as i64 - clock.monotonic_ms();
        Self::new(clock, boot.trim().to_owned(), origin_ms)
    }

    /// Those of a boot that began `origin_ms` before the clock's zero.
    pub fn new(clock: Arc<dyn Clock>, boot: String, origin_ms: i64) -> Self {
        Self { clock, boot, origin_ms }
    }

    /// Now.
    pub fn now(&self) -> Stamp {
        Stamp {
            boot: self.boot.clone(),
            since_boot_ms: self.origin_ms + self.clock.monotonic_ms(),
            wall: self.clock.wall(),
        }
    }

    /// The clock behind them.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::ManualClock;

    use super::*;

    #[test]
    fn within_a_boot_a_wall_clock_that_jumps_changes_nothing() {
        let clock = Arc::new(ManualClock::at(UnixMillis(31_536_000_000)));
        let stamps = Stamps::new(clock.clone(), "a".to_owned(), 5_000);
        let then = stamps.now();
        clock.advance(Duration::from_mins(3));
        clock.step_wall(55 * 365 * 86_400_000);
        assert_eq!(then.ago(&stamps.now()), Duration::from_mins(3));
    }

    #[test]
    fn after_a_boot_the_wall_clock_is_the_best_there_is() {
        let stamp =
            |boot: &str, wall| Stamp { boot: boot.to_owned(), since_boot_ms: 9_000, wall: UnixMillis(wall) };
        assert_eq!(stamp("a", 1_000).ago(&stamp("b", 61_000)), Duration::from_mins(1));
        assert_eq!(stamp("a", 61_000).ago(&stamp("b", 1_000)), Duration::ZERO);
    }
}
