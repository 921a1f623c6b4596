//! What a zone does at which hour: when it is open, and what it sounds like by daypart.
//!
//! Hours are told by the wall clock of the venue. A change of clocks is settled as RFC 5545 does it (section 3.3.5): an
//! hour that does not exist is meant after the gap, one that exists twice is meant the first time. So a day of 23 or of
//! 25 hours has every daypart once, and what lasts from 00:00 to 24:00 lasts the whole of it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::embedding::AXES;
use crate::song::SongKind;
use crate::time::UnixMillis;
use crate::venue::ZoneSettings;

/// So many dayparts and so many hours at most: four for each day of the week, which is what a zone's settings hold at the cloud.
pub const MOST: usize = 28;

/// The heaviest profile: it counts as much as so many people.
pub const HEAVIEST_PROFILE: f64 = 20.0;

/// The longest name of a daypart, in characters.
pub const LONGEST_NAME: usize = 60;

/// How far ahead a change is looked for: a week and a day hold every daypart there is.
const AHEAD_DAYS: i32 = 8;

/// A time on the wall, to the minute: `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime {
    minutes: u16,
}

/// Why a text is no time on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as HH:MM, from 00:00 to 24:00")]
pub struct NoWallTime;

impl WallTime {
    /// The end of a day.
    pub const MIDNIGHT: Self = Self { minutes: 24 * 60 };

    fn on(self, date: Date) -> Option<jiff::civil::DateTime> {
        let (hour, minute) = (self.minutes / 60, self.minutes % 60);
        if self == Self::MIDNIGHT {
            return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
        }
        Some(date.to_datetime(Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()?))
    }
}

impl FromStr for WallTime {
    type Err = NoWallTime;

    fn from_str(text: &str) -> Result<Self, NoWallTime> {
        let (hours, minutes) = text.split_once(':').ok_or(NoWallTime)?;
        let number = |digits: &str| {
            let is_plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            if is_plain { digits.parse::<u16>().or(Err(NoWallTime)) } else { Err(NoWallTime) }
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        let all = 60 * hours + minutes;
        if minutes < 60 && all <= Self::MIDNIGHT.minutes {
            Ok(Self { minutes: all })
        } else {
            Err(NoWallTime)
        }
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl Serialize for WallTime {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
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

impl Day {
    /// All, from Monday.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// A stretch of some days of every week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// On which days it begins.
    pub days: Vec<Day>,
    /// From then on.
    pub from: WallTime,
    /// Until then, exclusive; no later than `from`: of the next day.
    pub to: WallTime,
}

/// A stretch with a sound of its own. What it leaves out is as the zone has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daypart {
    /// What people call it, such as `morning`.
    pub name: String,
    /// On which days it begins.
    pub days: Vec<Day>,
    /// From then on.
    pub from: WallTime,
    /// Until then, exclusive; no later than `from`: of the next day.
    pub to: WallTime,
    /// As [`ZoneSettings::profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<[f32; AXES]>,
    /// As [`ZoneSettings::profile_weight`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_weight: Option<f64>,
    /// As [`ZoneSettings::volume_percent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_percent: Option<u8>,
    /// As [`ZoneSettings::kinds`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<SongKind>>,
    /// As [`ZoneSettings::allow_explicit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_explicit: Option<bool>,
}

/// A zone's week.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// When the zone is open. None: always. Outside of them there is no music, and that is no silence that counts.
    pub hours: Vec<Hours>,
    /// What it sounds like when. Where two overlap, the one that began later has its say; of those, the later in the list.
    pub dayparts: Vec<Daypart>,
}

/// What a schedule says of one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment<'a> {
    /// Whether there is to be music.
    pub is_open: bool,
    /// Which daypart it is.
    pub daypart: Option<&'a Daypart>,
    /// When a closed zone opens; `None` where it is open, or does not open within a week.
    pub opens_at: Option<UnixMillis>,
    /// When an open zone closes; `None` where it is closed, or does not close within a week.
    pub closes_at: Option<UnixMillis>,
    /// When any of this may be otherwise; `None` where it stays so for a week.
    pub changes_at: Option<UnixMillis>,
}

/// Why a schedule cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too many of one sort.
    #[error("a zone has at most {MOST} hours and {MOST} dayparts")]
    TooMany,
    /// It never begins.
    #[error(
        "{0} names no day, so it would never begin: name at least one of mon, tue, wed, thu, fri, sat, sun"
    )]
    NoDay(String),
    /// A name that no page could show.
    #[error("the name of a daypart is 1 to {LONGEST_NAME} printable characters")]
    Name,
    /// A number outside its range.
    #[error("the daypart {daypart} has {what}")]
    Range {
        /// Which.
        daypart: String,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
}

impl Schedule {
    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.hours.is_empty() && self.dayparts.is_empty()
    }

    /// Whether it can be meant.
    ///
    /// # Errors
    /// What is wrong with it first.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if self.hours.len() > MOST || self.dayparts.len() > MOST {
            return Err(ScheduleError::TooMany);
        }
        if self.hours.iter().any(|hours| hours.days.is_empty()) {
            return Err(ScheduleError::NoDay("one of the opening hours".to_owned()));
        }
        self.dayparts.iter().try_for_each(Daypart::check)
    }

    /// What it says of `now`, by the clocks of `venue`.
    pub fn at(&self, now: UnixMillis, venue: &TimeZone) -> Moment<'_> {
        let Some(today) = date(now, venue) else {
            return Moment {
                is_open: true,
                daypart: None,
                opens_at: None,
                closes_at: None,
                changes_at: None,
            };
        };
        let hours: Vec<Stretch> = self.hours.iter().flat_map(|hours| hours.around(today, venue)).collect();
        let is_open = self.hours.is_empty() || hours.iter().any(|stretch| stretch.holds(now));
        let dayparts = self.dayparts.iter().enumerate();
        let dayparts: Vec<(usize, Stretch)> = dayparts
            .flat_map(|(place, daypart)| daypart.hours().around(today, venue).map(move |at| (place, at)))
            .collect();
        let begun = dayparts.iter().filter(|(_, stretch)| stretch.holds(now));
        let latest = begun.max_by_key(|(place, stretch)| (stretch.from, *place));
        let edges = dayparts.iter().flat_map(|(_, stretch)| [stretch.from, stretch.to]);
        let turns = turn(&hours, is_open, now);
        Moment {
            is_open,
            daypart: latest.map(|(place, _)| &self.dayparts[*place]),
            opens_at: turns.filter(|_| !is_open),
            closes_at: turns.filter(|_| is_open && !self.hours.is_empty()),
            changes_at: edges.chain(turns).filter(|edge| *edge > now).min(),
        }
    }
}

impl Moment<'_> {
    /// The zone's settings as they are now: the daypart's over the zone's own.
    pub fn over(&self, settings: &ZoneSettings) -> ZoneSettings {
        let mut settings = settings.clone();
        let Some(daypart) = self.daypart else { return settings };
        settings.profile = daypart.profile.or(settings.profile);
        settings.profile_weight = daypart.profile_weight.unwrap_or(settings.profile_weight);
        settings.volume_percent = daypart.volume_percent.or(settings.volume_percent);
        settings.kinds = daypart.kinds.clone().unwrap_or(settings.kinds);
        settings.allow_explicit = daypart.allow_explicit.unwrap_or(settings.allow_explicit);
        settings
    }
}

impl Daypart {
    fn hours(&self) -> Hours {
        Hours { days: self.days.clone(), from: self.from, to: self.to }
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let length = self.name.chars().count();
        if !(1..=LONGEST_NAME).contains(&length)
            || self.name.chars().any(char::is_control)
            || self.name.trim().is_empty()
        {
            return Err(ScheduleError::Name);
        }
        if self.days.is_empty() {
            return Err(ScheduleError::NoDay(format!("the daypart {}", self.name)));
        }
        let sound = |axes: &[f32; AXES]| {
            axes.iter().all(|axis| (-1.0..=1.0).contains(axis)) && axes.iter().any(|axis| *axis != 0.0)
        };
        let wrong = if !self.profile.as_ref().is_none_or(sound) {
            Some("a profile that is no direction: five numbers from -1 to 1, not all 0")
        } else if !self.profile_weight.is_none_or(|weight| (0.0..=HEAVIEST_PROFILE).contains(&weight)) {
            Some("a profile weight outside 0 to 20")
        } else if self.volume_percent.is_some_and(|volume| volume > 100) {
            Some("a volume above 100 %")
        } else {
            None
        };
        wrong.map_or(Ok(()), |what| Err(ScheduleError::Range { daypart: self.name.clone(), what }))
    }
}

/// A stretch on one day, in the world's time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    from: UnixMillis,
    to: UnixMillis,
}

impl Stretch {
    fn holds(&self, now: UnixMillis) -> bool {
        self.from <= now && now < self.to
    }
}

impl Hours {
    /// Its stretches from yesterday's, which may last until today, to those of a week ahead.
    fn around(&self, today: Date, venue: &TimeZone) -> impl Iterator<Item = Stretch> + use<> {
        let days = (-1..=AHEAD_DAYS).filter_map(|offset| today.checked_add(offset.days()).ok());
        let stretches: Vec<Stretch> = days
            .filter(|day| self.days.contains(&Day::of(*day)))
            .filter_map(|day| {
                let last = if self.to > self.from { day } else { day.tomorrow().ok()? };
                let (from, to) = (instant(self.from.on(day)?, venue)?, instant(self.to.on(last)?, venue)?);
                Some(Stretch { from, to })
            })
            .collect();
        stretches.into_iter()
    }
}

/// When a zone that is open closes, or a closed one opens: stretches that touch or overlap are one.
fn turn(hours: &[Stretch], is_open: bool, now: UnixMillis) -> Option<UnixMillis> {
    if !is_open {
        return hours.iter().map(|stretch| stretch.from).filter(|from| *from > now).min();
    }
    let mut end = now;
    while let Some(later) = hours.iter().filter(|one| one.from <= end && one.to > end).map(|one| one.to).max()
    {
        end = later;
    }
    (end > now).then_some(end)
}

fn date(now: UnixMillis, venue: &TimeZone) -> Option<Date> {
    Some(venue.to_datetime(Timestamp::from_millisecond(now.0).ok()?).date())
}

/// What the clocks of `venue` call `wall`: after a gap, or the first of two.
fn instant(wall: jiff::civil::DateTime, venue: &TimeZone) -> Option<UnixMillis> {
    let at = venue.to_ambiguous_timestamp(wall).compatible().ok()?;
    Some(UnixMillis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("the tables in the binary have it")
    }

    fn at(utc: &str) -> UnixMillis {
        UnixMillis(utc.parse::<Timestamp>().expect("an instant").as_millisecond())
    }

    fn hours(days: &[Day], from: &str, to: &str) -> Hours {
        let time = |text: &str| text.parse().expect("a time");
        Hours { days: days.to_vec(), from: time(from), to: time(to) }
    }

    fn daypart(name: &str, days: &[Day], from: &str, to: &str) -> Daypart {
        let Hours { days, from, to } = hours(days, from, to);
        let (profile, profile_weight, volume_percent) = (None, None, None);
        Daypart {
            name: name.to_owned(),
            days,
            from,
            to,
            profile,
            profile_weight,
            volume_percent,
            kinds: None,
            allow_explicit: None,
        }
    }

    fn name<'a>(moment: &Moment<'a>) -> Option<&'a str> {
        moment.daypart.map(|daypart| daypart.name.as_str())
    }

    #[rstest]
    #[case("00:00", true)]
    #[case("24:00", true)]
    #[case("09:05", true)]
    #[case("24:01", false)]
    #[case("12:60", false)]
    #[case("9:05", false)]
    #[case("+9:05", false)]
    #[case("noon", false)]
    fn times_are_hours_and_minutes(#[case] text: &str, #[case] is_one: bool) {
        let time = text.parse::<WallTime>();
        assert_eq!(
            time.map(|time| time.to_string()),
            if is_one { Ok(text.to_owned()) } else { Err(NoWallTime) }
        );
    }

    #[test]
    fn without_hours_it_is_always_open_and_nothing_changes() {
        let moment = Schedule::default();
        let moment = moment.at(at("2026-11-30T10:00:00Z"), &berlin());
        assert_eq!((moment.is_open, moment.changes_at, moment.closes_at), (true, None, None));
    }

    #[test]
    fn a_place_opens_closes_and_tells_when() {
        let schedule =
            Schedule { hours: vec![hours(&[Day::Mon, Day::Tue], "08:00", "18:00")], dayparts: Vec::new() };
        // A Monday in winter: one hour ahead of UTC.
        let before = schedule.at(at("2026-11-30T06:59:59.999Z"), &berlin());
        assert_eq!((before.is_open, before.opens_at), (false, Some(at("2026-11-30T07:00:00Z"))));
        let open = schedule.at(at("2026-11-30T07:00:00Z"), &berlin());
        assert_eq!((open.is_open, open.closes_at), (true, Some(at("2026-11-30T17:00:00Z"))));
        let after = schedule.at(at("2026-12-01T17:00:00Z"), &berlin());
        assert_eq!((after.is_open, after.opens_at), (false, Some(at("2026-12-07T07:00:00Z"))), "next Monday");
    }

    #[test]
    fn hours_that_touch_are_one_and_a_night_belongs_to_the_day_it_begins_on() {
        let schedule = Schedule {
            hours: vec![hours(&[Day::Fri], "20:00", "02:00"), hours(&[Day::Sat], "02:00", "04:00")],
            dayparts: Vec::new(),
        };
        let night = schedule.at(at("2026-12-04T23:30:00Z"), &berlin());
        assert_eq!((night.is_open, night.closes_at), (true, Some(at("2026-12-05T03:00:00Z"))));
        assert!(
            !schedule.at(at("2026-12-05T23:30:00Z"), &berlin()).is_open,
            "Saturday night is another night"
        );
    }

    #[test]
    fn the_daypart_that_began_later_has_its_say() {
        let all = &Day::ALL;
        let dayparts = vec![
            daypart("day", all, "00:00", "24:00"),
            daypart("lunch", all, "12:00", "14:00"),
            daypart("also lunch", all, "12:00", "13:00"),
        ];
        let schedule = Schedule { hours: Vec::new(), dayparts };
        let zone = berlin();
        let said = |utc| name(&schedule.at(at(utc), &zone));
        assert_eq!(said("2026-11-30T10:59:00Z"), Some("day"));
        assert_eq!(said("2026-11-30T11:30:00Z"), Some("also lunch"));
        assert_eq!(said("2026-11-30T12:30:00Z"), Some("lunch"));
        assert_eq!(
            schedule.at(at("2026-11-30T11:30:00Z"), &zone).changes_at,
            Some(at("2026-11-30T12:00:00Z"))
        );
    }

    /// 29 March 2026 has 23 hours in Berlin (02:00 becomes 03:00), 25 October has 25 (03:00 becomes 02:00 again).
    #[rstest]
    #[case::before_the_gap("2026-03-29T00:59:00Z", "night")]
    #[case::what_begins_in_the_gap_begins_after_it("2026-03-29T01:00:00Z", "night")]
    #[case::and_lasts_as_long("2026-03-29T01:29:00Z", "night")]
    #[case::half_past_two_is_half_past_three("2026-03-29T01:30:00Z", "baking")]
    #[case::morning_by_the_new_clock("2026-03-29T04:00:00Z", "morning")]
    #[case::half_past_two_comes_first("2026-10-25T00:30:00Z", "baking")]
    #[case::and_is_not_begun_again_by_the_hour_that_comes_twice("2026-10-25T01:15:00Z", "baking")]
    #[case::morning_by_the_old_clock_again("2026-10-25T05:00:00Z", "morning")]
    fn a_day_of_23_and_one_of_25_hours_have_every_daypart_once(#[case] utc: &str, #[case] said: &str) {
        let all = &Day::ALL;
        let dayparts = vec![
            daypart("night", all, "00:00", "02:30"),
            daypart("baking", all, "02:30", "06:00"),
            daypart("morning", all, "06:00", "24:00"),
        ];
        let schedule = Schedule { hours: Vec::new(), dayparts };
        assert_eq!(name(&schedule.at(at(utc), &berlin())), Some(said));
    }

    #[rstest]
    #[case::short("2026-03-28T23:00:00Z", 23)]
    #[case::long("2026-10-24T22:00:00Z", 25)]
    fn an_open_day_lasts_the_whole_of_it(#[case] midnight: &str, #[case] long: i64) {
        let schedule = Schedule { hours: vec![hours(&[Day::Sun], "00:00", "24:00")], dayparts: Vec::new() };
        let (midnight, zone) = (at(midnight), berlin());
        let closes = schedule.at(midnight, &zone).closes_at.expect("it closes on Sunday night");
        assert_eq!(closes.0 - midnight.0, long * 3_600_000);
        assert!(!schedule.at(UnixMillis(midnight.0 - 1), &zone).is_open);
        assert!(!schedule.at(closes, &zone).is_open);
    }

    #[test]
    fn a_daypart_lays_over_the_zone_only_what_it_says() {
        let mut quiet = daypart("quiet", &Day::ALL, "00:00", "24:00");
        quiet.volume_percent = Some(30);
        quiet.kinds = Some(vec![SongKind::Soundscape]);
        let settings = ZoneSettings {
            allow_explicit: true,
            schedule: Schedule { hours: Vec::new(), dayparts: vec![quiet] },
            ..ZoneSettings::default()
        };
        let now = settings.schedule.at(at("2026-11-30T10:00:00Z"), &berlin()).over(&settings);
        assert_eq!(
            (now.volume_percent, now.kinds, now.allow_explicit),
            (Some(30), vec![SongKind::Soundscape], true)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        let never = Schedule { hours: vec![hours(&[], "08:00", "18:00")], dayparts: Vec::new() };
        assert!(matches!(never.check(), Err(ScheduleError::NoDay(_))));
        let mut loud = daypart("loud", &Day::ALL, "08:00", "18:00");
        loud.volume_percent = Some(101);
        let loud = Schedule { hours: Vec::new(), dayparts: vec![loud] };
        assert_eq!(
            loud.check().map_err(|why| why.to_string()),
            Err("the daypart loud has a volume above 100 %".to_owned())
        );
        let nameless =
            Schedule { hours: Vec::new(), dayparts: vec![daypart(" ", &Day::ALL, "08:00", "18:00")] };
        assert_eq!(nameless.check(), Err(ScheduleError::Name));
    }
}
