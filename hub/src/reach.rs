//! Whether guests reach this hub, judged by what it sees: who comes by the cloud's page while nobody comes by its own.
//!
//! A network that keeps its devices apart (guests' Wi-Fi mostly does) shows in nothing else: the hub hears its players, its
//! cloud, and no phone.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use roomtone_schema::UnixMillis;

use crate::locks::locked;

/// For how long what was seen says anything.
const LATELY: Duration = Duration::from_hours(2);

/// So many by the cloud are no chance: one may sit at home.
const ENOUGH: usize = 3;

/// What was seen of guests since the start.
#[derive(Debug, Default)]
pub(crate) struct Reach(Mutex<Seen>);

/// What was seen lately.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// When some other machine asked for the page, or somebody checked in here, last.
    here: Option<UnixMillis>,
    /// When the last few checked in at the cloud, oldest first.
    by_cloud: VecDeque<UnixMillis>,
}

impl Reach {
    /// A phone of this network was here.
    pub(crate) fn came_here(&self, now: UnixMillis) {
        locked(&self.0).here = Some(now);
    }

    /// Somebody checked in at the cloud.
    pub(crate) fn came_by_cloud(&self, now: UnixMillis) {
        let mut seen = locked(&self.0);
        if seen.by_cloud.len() == ENOUGH {
            seen.by_cloud.pop_front();
        }
        seen.by_cloud.push_back(now);
    }

    /// Whether guests seem not to reach this hub.
    pub(crate) fn is_cut_off(&self, now: UnixMillis) -> bool {
        is_cut_off(&locked(&self.0), now)
    }
}

/// Enough came by the cloud lately, and since the first of them nobody here.
fn is_cut_off(seen: &Seen, now: UnixMillis) -> bool {
    let Some(first) = seen.by_cloud.front() else { return false };
    let is_recent = now.since(*first) < LATELY;
    let is_alone = seen.here.is_none_or(|here| here + LATELY < now || here < *first);
    seen.by_cloud.len() >= ENOUGH && is_recent && is_alone
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    fn at(minutes: u64) -> UnixMillis {
        NOON + Duration::from_mins(minutes)
    }

    /// Minutes at which somebody came by the cloud, the last at which somebody came here, and now.
    #[rstest]
    #[case::nobody(&[], None, 0, false)]
    #[case::one_at_home(&[1], None, 2, false)]
    #[case::three_by_the_cloud(&[1, 2, 3], None, 4, true)]
    #[case::one_here_before_them(&[1, 2, 3], Some(0), 4, true)]
    #[case::one_here_since(&[1, 2, 3], Some(2), 4, false)]
    #[case::a_quiet_afternoon_later(&[1, 2, 3], None, 130, false)]
    #[case::more_came_since_the_last_one_here(&[1, 2, 3, 40, 41, 42], Some(10), 43, true)]
    fn guests_do_not_reach_a_hub_that_only_the_cloud_tells_of_them(
        #[case] by_cloud: &[u64],
        #[case] here: Option<u64>,
        #[case] now: u64,
        #[case] expected: bool,
    ) {
        let reach = Reach::default();
        for minute in by_cloud {
            reach.came_by_cloud(at(*minute));
        }
        if let Some(minute) = here {
            reach.came_here(at(minute));
        }
        assert_eq!(reach.is_cut_off(at(now)), expected);
    }
}
