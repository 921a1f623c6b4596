//! What time it really was when a hub wrote a fact, whatever its clock said.
//!
//! With every hello the cloud learns what a run's monotonic clock and the hub's steady time read at a moment whose true time
//! it knows. From then on every fact of that run can be dated, also those from before. The steady time of a run is its
//! monotonic time plus a constant, so the same correction fits all times in a fact.

use std::time::Duration;

use roomtone_schema::{BootId, UnixMillis};

/// No fact is dated further into the cloud's future than this.
pub const AHEAD: Duration = Duration::from_mins(5);

/// What a run's clocks read at a moment of the cloud's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Which run of the machine.
    pub boot: BootId,
    /// Its monotonic clock.
    pub mono_ms: i64,
    /// The cloud's time.
    pub cloud: UnixMillis,
}

/// When a fact was written, by the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// On which run of the machine.
    pub boot: BootId,
    /// By its monotonic clock.
    pub mono_ms: i64,
    /// By the hub's hybrid clock.
    pub hlc: u64,
}

/// When a fact was written, by the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mended {
    /// The true time, as far as it can be known.
    pub at: UnixMillis,
    /// What is to be added to every time that the fact tells.
    pub shift_ms: i64,
    /// What ties are broken by.
    pub hlc: u64,
    /// Whether the run's clock was compared with the cloud's; if not, the time is only bounded.
    pub is_sure: bool,
}

/// Dates a fact. Of several samples of its run the nearest counts. Without one, the hub's time is kept between the fact
/// before it (as mended) and now.
pub fn mend(fact: Moment, samples: &[Sample], before: Option<UnixMillis>, now: UnixMillis) -> Mended {
    let told = (fact.hlc >> 16).cast_signed();
    let of_run = samples.iter().filter(|sample| sample.boot == fact.boot);
    let nearest = of_run.min_by_key(|sample| sample.mono_ms.abs_diff(fact.mono_ms));
    let latest = (now + AHEAD).0;
    let at = match nearest {
        Some(sample) => {
            sample.cloud.0.saturating_sub(sample.mono_ms.saturating_sub(fact.mono_ms)).clamp(0, latest)
        }
        None => told.clamp(before.map_or(0, |before| before.0).clamp(0, now.0.max(0)), now.0.max(0)),
    };
    let hlc = (at.cast_unsigned() << 16) | (fact.hlc & 0xffff);
    Mended { at: UnixMillis(at), shift_ms: at.saturating_sub(told), hlc, is_sure: nearest.is_some() }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::id::Id as _;
    use uuid::Uuid;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

    fn boot(number: u128) -> BootId {
        BootId::from_uuid(Uuid::from_u128(number))
    }

    fn fact(number: u128, mono_ms: i64, told: i64) -> Moment {
        Moment { boot: boot(number), mono_ms, hlc: (told.cast_unsigned() << 16) | 7 }
    }

    #[test]
    fn a_fact_of_a_run_that_was_compared_is_dated_by_its_monotonic_clock() {
        let samples = [Sample { boot: boot(1), mono_ms: 90_000, cloud: NOW }];
        for told in [0, NOW.0 - 315_360_000_000, NOW.0, NOW.0 + 315_360_000_000] {
            let mended = mend(fact(1, 30_000, told), &samples, None, NOW);
            assert_eq!(mended.at, UnixMillis(NOW.0 - 60_000));
            assert_eq!(mended.shift_ms, NOW.0 - 60_000 - told);
            assert_eq!(mended.hlc, ((NOW.0 - 60_000).cast_unsigned() << 16) | 7);
            assert!(mended.is_sure);
        }
    }

    #[test]
    fn a_fact_of_another_run_is_kept_between_its_neighbours() {
        let samples = [Sample { boot: boot(1), mono_ms: 90_000, cloud: NOW }];
        let before = Some(UnixMillis(NOW.0 - 1_000));
        let times = [(NOW.0 + 9_999, NOW.0), (0, NOW.0 - 1_000), (NOW.0 - 500, NOW.0 - 500)];
        for (told, at) in times {
            let mended = mend(fact(2, 5, told), &samples, before, NOW);
            assert_eq!((mended.at.0, mended.is_sure), (at, false));
        }
    }

    #[test]
    fn nothing_is_dated_far_into_the_future() {
        let samples = [Sample { boot: boot(1), mono_ms: 0, cloud: NOW }];
        assert_eq!(mend(fact(1, i64::MAX, NOW.0), &samples, None, NOW).at, NOW + AHEAD);
        assert_eq!(mend(fact(1, i64::MIN, NOW.0), &samples, None, NOW).at.0, 0);
    }

    #[test]
    fn of_several_samples_the_nearest_counts() {
        let samples = [
            Sample { boot: boot(1), mono_ms: 0, cloud: UnixMillis(NOW.0 - 1_000_000) },
            Sample { boot: boot(1), mono_ms: 900_000, cloud: NOW },
        ];
        assert_eq!(mend(fact(1, 890_000, 0), &samples, None, NOW).at.0, NOW.0 - 10_000);
        assert_eq!(mend(fact(1, 10_000, 0), &samples, None, NOW).at.0, NOW.0 - 990_000);
    }
}
