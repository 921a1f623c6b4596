//! Time as a value. The only place in Roomtone that reads the system's clock.

use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// How long ago `earlier` was; zero where it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).cast_unsigned())
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for UnixMillis {
    type Output = Self;
    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(earlier.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Where the time comes from: the machine's clock, or a test's.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock, as wrong as the machine has it.
    fn wall(&self) -> UnixMillis;

    /// Milliseconds since some point of this boot; never steps, never runs backwards.
    fn monotonic_ms(&self) -> i64;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
    /// For how long the machine had been running then.
    up_ms: i64,
}

impl SystemClock {
    /// A clock whose monotonic side counts since the machine was started, where it says since when: so that what several
    /// programs, or several runs of one, have noted in one run of the machine lies on one line.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn new() -> Self {
        let up = std::fs::read_to_string("/proc/uptime").ok();
        let up_s: Option<f64> = up.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Self { origin: Instant::now(), up_ms: up_s.map_or(0, |up| (up * 1_000.0) as i64) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn wall(&self) -> UnixMillis {
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Err(before) => UnixMillis(-i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX)),
        }
    }

    fn monotonic_ms(&self) -> i64 {
        let since = i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.up_ms.saturating_add(since)
    }
}

/// A clock that moves when a test says so; its wall side can be stepped alone, as NTP or a flat battery does.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    pub fn at(wall: UnixMillis) -> Self {
        Self { wall: AtomicI64::new(wall.0), monotonic: AtomicI64::new(0) }
    }

    /// Lets time pass on both sides.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.wall.fetch_add(by, Ordering::SeqCst);
        self.monotonic.fetch_add(by, Ordering::SeqCst);
    }

    /// Steps the wall clock alone, forwards or backwards.
    pub fn step_wall(&self, by_ms: i64) {
        self.wall.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> i64 {
        self.monotonic.load(Ordering::SeqCst)
    }
}
