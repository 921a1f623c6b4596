//! Rest: no song too soon.

use std::time::Duration;

use crate::time::UnixMillis;

/// The part of the library's length that may rest at once, in percent: a small library must not run out of songs.
const RESTING_SHARE_PERCENT: u32 = 60;

/// How long a song rests after it was played: the zone's penalty, but never more than 60 % of the library's length.
pub fn window(penalty: Duration, library: Duration) -> Duration {
    penalty.min(library / 100 * RESTING_SHARE_PERCENT)
}

/// Whether a song must rest still. One that was never played is rested.
///
/// Counted in whole milliseconds, so that it is the same question as `last_played_at > now - window` in a database.
pub fn is_resting(now: UnixMillis, last_played_at: Option<UnixMillis>, window: Duration) -> bool {
    last_played_at.is_some_and(|at| now.since(at).as_millis() < window.as_millis())
}

/// Until when a song rests; `None` where it does not.
pub fn rests_until(
    now: UnixMillis,
    last_played_at: Option<UnixMillis>,
    window: Duration,
) -> Option<UnixMillis> {
    last_played_at.filter(|_| is_resting(now, last_played_at, window)).map(|at| at + window)
}

/// What its last play costs a song: `exp(-age / window)`, 1 just after the play, 0 where it was never played.
pub fn penalty(now: UnixMillis, last_played_at: Option<UnixMillis>, window: Duration) -> f64 {
    match last_played_at {
        Some(at) if !window.is_zero() => (-now.since(at).as_secs_f64() / window.as_secs_f64()).exp(),
        _ => 0.0,
    }
}
