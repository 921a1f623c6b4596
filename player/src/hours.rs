//! When there is to be music. The hub says so with every plan; a player without its hub keeps the hours by itself, so that
//! nobody hears music at night, and everybody does in the morning.

use std::path::Path;

use roomtone_schema::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::kept;
use crate::stamp::Stamp;

/// The file's name in the data folder.
const NAME: &str = "hours.json";

/// The hours of a zone as the hub told them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hours {
    /// The hub's time when it told them: nobody asks what this box takes the time for.
    pub as_of: UnixMillis,
    /// Whether there was to be music then.
    pub is_open: bool,
    /// When it ends, where that is known.
    pub closes_at: Option<UnixMillis>,
    /// When it begins, or begins again, where that is known.
    pub opens_at: Option<UnixMillis>,
}

/// What was told, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) hours: Hours,
    pub(crate) at: Stamp,
}

impl Told {
    /// Whether there is to be music now. After the last change that was told of, music rather than silence, unless the
    /// zone was to stay closed.
    pub(crate) fn is_open(&self, now: &Stamp) -> bool {
        let now = self.hours.as_of + self.at.ago(now);
        let has_opened = self.hours.opens_at.is_some_and(|opens| opens <= now);
        if self.hours.is_open {
            has_opened || self.hours.closes_at.is_none_or(|closes| now < closes)
        } else {
            has_opened
        }
    }

    /// What was written down last; `None` where there is nothing or it cannot be read.
    pub(crate) fn load(data: &Path) -> Option<Self> {
        kept::load(data, NAME)
    }

    /// Writes it down in one step.
    pub(crate) fn save(&self, data: &Path) {
        if let Err(error) = kept::save(data, NAME, self) {
            tracing::debug!("the hours could not be written down: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_796_040_000_000);
    const HOUR: i64 = 3_600_000;

    /// Told at noon by the hub, on a box that takes the time for 1970.
    fn told(is_open: bool, closes: Option<i64>, opens: Option<i64>) -> Told {
        let hour = |hours: i64| UnixMillis(NOON.0 + hours * HOUR);
        let hours = Hours { as_of: NOON, is_open, closes_at: closes.map(hour), opens_at: opens.map(hour) };
        Told { hours, at: at(0) }
    }

    fn at(hours: i64) -> Stamp {
        Stamp { boot: "a".to_owned(), since_boot_ms: hours * HOUR, wall: UnixMillis(hours * HOUR) }
    }

    #[test]
    fn it_closes_and_opens_by_the_hubs_clock() {
        let day = told(true, Some(6), Some(20));
        assert_eq!(
            [0, 5, 6, 19, 20, 300].map(|hours| day.is_open(&at(hours))),
            [true, true, false, false, true, true]
        );
    }

    #[test]
    fn closed_stays_closed_until_it_opens() {
        let night = told(false, None, Some(8));
        assert_eq!([0, 7, 8].map(|hours| night.is_open(&at(hours))), [false, false, true]);
        let holidays = told(false, None, None);
        assert_eq!([0, 300].map(|hours| holidays.is_open(&at(hours))), [false, false]);
        let always = told(true, None, None);
        assert_eq!([0, 300].map(|hours| always.is_open(&at(hours))), [true, true]);
    }

    #[test]
    fn they_outlive_the_program() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Told::load(folder.path()), None);
        let day = told(true, Some(6), Some(20));
        day.save(folder.path());
        assert_eq!(Told::load(folder.path()), Some(day));
    }
}
