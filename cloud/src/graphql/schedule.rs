//! A zone's week and a venue's licence, as managers see and set them.

use async_graphql::{Enum, InputObject, SimpleObject};
use roomtone_schema::licence;
use roomtone_schema::schedule::{self, Day, WallTime};
use roomtone_server::listener::scalar::{Axis, axes};
use roomtone_server::listener::song::SongKind;

use crate::refusal::Refusal;
use crate::venues::zones::five;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Day")]
pub(super) enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A zone's week, by the venue's clock.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct Schedule {
    /// When it is open; empty: always. Outside of them no song begins.
    hours: Vec<OpeningHours>,
    /// What it sounds like when. Where two overlap, the one that began later counts.
    dayparts: Vec<Daypart>,
}

/// A stretch of some days of every week.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct OpeningHours {
    /// On which days it begins.
    days: Vec<Weekday>,
    /// From then on, as 08:00.
    from: String,
    /// Until then, as 23:00; no later than `from`: of the next day.
    to: String,
}

/// A stretch with a sound of its own. What it leaves out is as the zone has it.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct Daypart {
    /// What people call it, such as morning.
    name: String,
    /// On which days it begins.
    days: Vec<Weekday>,
    /// From then on, as 08:00.
    from: String,
    /// Until then, as 23:00; no later than `from`: of the next day.
    to: String,
    /// What it sounds like when nobody is there.
    profile: Option<Vec<Axis>>,
    /// As how many people the profile counts while somebody is there.
    profile_weight: Option<f64>,
    /// How loud the zone's players are.
    volume_percent: Option<i32>,
    /// Which kinds of songs are played; empty: all.
    kinds: Option<Vec<SongKind>>,
    /// Whether songs tagged explicit are played.
    allow_explicit: Option<bool>,
}

/// A whole week, in the place of the one before: at most 28 hours and 28 dayparts.
#[derive(Debug, Clone, InputObject)]
pub(super) struct ScheduleInput {
    /// When it is open; empty: always.
    hours: Vec<OpeningHoursInput>,
    /// What it sounds like when.
    dayparts: Vec<DaypartInput>,
}

/// A stretch of some days of every week.
#[derive(Debug, Clone, InputObject)]
pub(super) struct OpeningHoursInput {
    /// On which days it begins; at least one.
    days: Vec<Weekday>,
    /// 00:00 to 24:00.
    from: String,
    /// 00:00 to 24:00; no later than `from`: of the next day.
    to: String,
}

/// A stretch with a sound of its own.
#[derive(Debug, Clone, InputObject)]
pub(super) struct DaypartInput {
    /// 1 to 60 characters.
    name: String,
    /// On which days it begins; at least one.
    days: Vec<Weekday>,
    /// 00:00 to 24:00.
    from: String,
    /// 00:00 to 24:00; no later than `from`: of the next day.
    to: String,
    /// Five numbers from -1 to 1, not all zero: energy, brightness, tempo, tonality, density.
    profile: Option<Vec<f64>>,
    /// 0 to 20.
    profile_weight: Option<f64>,
    /// 0 to 100.
    volume_percent: Option<i32>,
    /// Which kinds of songs are played; empty: all.
    kinds: Option<Vec<SongKind>>,
    /// Whether songs tagged explicit are played.
    allow_explicit: Option<bool>,
}

/// What a venue's licence allows. Its hubs hold to it with or without the cloud.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct Licence {
    /// Whether listeners may see what comes next, in zones that show it.
    show_up_next: bool,
    /// How often an hour a zone may be skipped; null: as often as people like.
    skips_per_hour: Option<u32>,
    /// Whether within 3 hours at most 3 songs of an album (2 in a row) and 4 of an artist (3 in a row) are played.
    performance_complement: bool,
    /// Whether hubs and players may keep songs; else they hold the next hours of them, and what was heard goes.
    offline_storage: bool,
}

/// The whole of what a venue's licence allows.
#[derive(Debug, Clone, InputObject)]
pub(super) struct LicenceInput {
    /// Whether listeners may see what comes next, in zones that show it.
    show_up_next: bool,
    /// 0 to 60; null: as often as people like.
    skips_per_hour: Option<i32>,
    /// Whether within 3 hours at most 3 songs of an album (2 in a row) and 4 of an artist (3 in a row) are played.
    performance_complement: bool,
    /// Whether hubs and players may keep songs; else they hold the next hours of them, and what was heard goes.
    #[graphql(default = true)]
    offline_storage: bool,
}

impl From<&schedule::Schedule> for Schedule {
    fn from(kept: &schedule::Schedule) -> Self {
        let days = |days: &[Day]| days.iter().copied().map(Weekday::from).collect();
        let hours = |hours: &schedule::Hours| OpeningHours {
            days: days(&hours.days),
            from: hours.from.to_string(),
            to: hours.to.to_string(),
        };
        let daypart = |daypart: &schedule::Daypart| Daypart {
            name: daypart.name.clone(),
            days: days(&daypart.days),
            from: daypart.from.to_string(),
            to: daypart.to.to_string(),
            profile: daypart.profile.map(|profile| axes(profile.map(f64::from))),
            profile_weight: daypart.profile_weight,
            volume_percent: daypart.volume_percent.map(i32::from),
            kinds: daypart.kinds.as_ref().map(|kinds| kinds.iter().copied().map(SongKind::from).collect()),
            allow_explicit: daypart.allow_explicit,
        };
        Self {
            hours: kept.hours.iter().map(hours).collect(),
            dayparts: kept.dayparts.iter().map(daypart).collect(),
        }
    }
}

impl ScheduleInput {
    /// The week that is meant.
    pub(super) fn read(self) -> Result<schedule::Schedule, Refusal> {
        let hours = self.hours.into_iter().map(OpeningHoursInput::read).collect::<Result<_, _>>()?;
        let dayparts = self.dayparts.into_iter().map(DaypartInput::read).collect::<Result<_, _>>()?;
        let meant = schedule::Schedule { hours, dayparts };
        meant.check().map_err(|why| Refusal::invalid("schedule", why.to_string()))?;
        Ok(meant)
    }
}

impl OpeningHoursInput {
    fn read(self) -> Result<schedule::Hours, Refusal> {
        Ok(schedule::Hours { days: days(self.days), from: time(&self.from)?, to: time(&self.to)? })
    }
}

impl DaypartInput {
    fn read(self) -> Result<schedule::Daypart, Refusal> {
        let profile = self.profile.map(|profile| five("schedule", &profile)).transpose()?;
        // What does not fit is beyond 100, and is refused as that.
        let volume = self.volume_percent.map(|percent| u8::try_from(percent).unwrap_or(u8::MAX));
        Ok(schedule::Daypart {
            name: self.name.trim().to_owned(),
            days: days(self.days),
            from: time(&self.from)?,
            to: time(&self.to)?,
            profile: profile.map(|embedding| embedding.values()),
            profile_weight: self.profile_weight,
            volume_percent: volume,
            kinds: self.kinds.map(|kinds| kinds.into_iter().map(Into::into).collect()),
            allow_explicit: self.allow_explicit,
        })
    }
}

fn days(given: Vec<Weekday>) -> Vec<Day> {
    given.into_iter().map(Day::from).collect()
}

fn time(given: &str) -> Result<WallTime, Refusal> {
    given.parse().map_err(|why: schedule::NoWallTime| Refusal::invalid("schedule", why.to_string()))
}

impl From<licence::Licence> for Licence {
    fn from(kept: licence::Licence) -> Self {
        Self {
            show_up_next: kept.show_up_next,
            skips_per_hour: kept.skips_per_hour,
            performance_complement: kept.performance_complement,
            offline_storage: kept.offline_storage,
        }
    }
}

impl LicenceInput {
    /// The licence that is meant.
    pub(super) fn read(self) -> Result<licence::Licence, Refusal> {
        let skips = self.skips_per_hour.map(|skips| {
            let skips = u32::try_from(skips).ok().filter(|skips| *skips <= licence::MOST_SKIPS);
            skips.ok_or_else(|| Refusal::invalid("licence", "skips an hour are 0 to 60".to_owned()))
        });
        Ok(licence::Licence {
            show_up_next: self.show_up_next,
            skips_per_hour: skips.transpose()?,
            performance_complement: self.performance_complement,
            offline_storage: self.offline_storage,
        })
    }
}
