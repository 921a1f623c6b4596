//! How people fare, for the manager.

use async_graphql::{Context, ID, SimpleObject};
use roomtone_schema::ZoneId;
use roomtone_schema::fairness::Fairness;
use roomtone_schema::replay::{Figures, WhatIf};
use roomtone_server::caller::Caller;
use roomtone_server::listener::venue::Zone;
use roomtone_server::listener::{Unmet, UserError, UserErrorCode, caller, id};

use crate::faring::{DayFares, ZoneFares};
use crate::hub::Hub;
use crate::replaying::{Answer, DayAnswer, MOST_DAYS, Question};

/// The longest time of which days are told.
const LONGEST: u16 = 400;

/// The heaviest profile there is.
const HEAVIEST_PROFILE: f64 = roomtone_schema::schedule::HEAVIEST_PROFILE;

/// How the people of a zone fare.
#[derive(Debug, SimpleObject)]
pub(super) struct ZoneFairness {
    /// Which zone.
    zone: Zone,
    /// Its fairness: 0 = plain mean, 1 = strict turns.
    setting: f64,
    /// How many people are here who have heard a song that says something of their taste.
    people: u32,
    /// How these fare; null where there is nobody.
    now: Option<FairnessFigures>,
    /// The days on which anybody stayed, oldest first; today is one.
    days: Vec<FairnessDay>,
}

/// How people fared: a mean alone hides who is left out.
#[derive(Debug, SimpleObject)]
pub(super) struct FairnessFigures {
    /// Mean satisfaction: how near the songs were to everybody's taste, from -1 to 1.
    mean: f64,
    /// The satisfaction of whoever had least.
    worst: f64,
    /// Its share of the mean; null where the mean is not above 0.
    worst_of_mean: Option<f64>,
    /// The most songs in a row against somebody's taste.
    longest_drought: u32,
}

/// How people fared on one day.
#[derive(Debug, SimpleObject)]
pub(super) struct FairnessDay {
    /// Year, month and day by the venue's calendar.
    date: String,
    /// People who heard at least five songs.
    visits: u32,
    /// Songs that were picked.
    songs: u32,
    /// How they fared.
    figures: FairnessFigures,
}

/// What a zone's last days would have been under another setting.
#[derive(Debug, SimpleObject)]
pub(super) struct FairnessWhatIf {
    /// Songs that were picked.
    songs: u64,
    /// How many would have been the same.
    same: u64,
    /// How people fared; null where nobody stayed.
    then: Option<FairnessFigures>,
    /// How they would have fared.
    what_if: Option<FairnessFigures>,
    /// The same by day, oldest first.
    days: Vec<FairnessWhatIfDay>,
}

/// One day of a what-if.
#[derive(Debug, SimpleObject)]
pub(super) struct FairnessWhatIfDay {
    /// Year, month and day by the venue's calendar.
    date: String,
    /// How people fared; null where nobody stayed.
    then: Option<FairnessFigures>,
    /// How they would have fared.
    what_if: Option<FairnessFigures>,
}

impl From<Fairness> for FairnessFigures {
    fn from(fares: Fairness) -> Self {
        let worst_of_mean = fares.worst_of_mean();
        let Fairness { mean, worst, longest_drought } = fares;
        Self { mean, worst, worst_of_mean, longest_drought }
    }
}

impl From<Figures> for FairnessFigures {
    fn from(figures: Figures) -> Self {
        figures.fares.into()
    }
}

impl From<DayFares> for FairnessDay {
    fn from(day: DayFares) -> Self {
        let Figures { visits, songs, fares } = day.figures;
        Self { date: day.date.to_string(), visits, songs, figures: fares.into() }
    }
}

impl From<DayAnswer> for FairnessWhatIfDay {
    fn from(day: DayAnswer) -> Self {
        Self {
            date: day.date.to_string(),
            then: day.then.map(FairnessFigures::from),
            what_if: day.now.map(FairnessFigures::from),
        }
    }
}

impl From<Answer> for FairnessWhatIf {
    fn from(answer: Answer) -> Self {
        Self {
            songs: answer.songs as u64,
            same: answer.same as u64,
            then: answer.then.map(FairnessFigures::from),
            what_if: answer.now.map(FairnessFigures::from),
            days: answer.days.into_iter().map(FairnessWhatIfDay::from).collect(),
        }
    }
}

/// How the people of every zone fare; nothing for whoever is no manager.
pub(super) async fn all(ctx: &Context<'_>, days: i32) -> Result<Option<Vec<ZoneFairness>>, Unmet> {
    if caller(ctx) != Caller::Manager {
        return Ok(None);
    }
    let hub = ctx.data_unchecked::<Hub>();
    let days = within("days", days, LONGEST)?;
    let found = hub.fares(days).await.map_err(|error| ours(&error))?;
    let of = |fares: ZoneFares| {
        Some(ZoneFairness {
            zone: Zone(hub.zone(fares.zone)?),
            setting: fares.setting,
            people: fares.now.map_or(0, |now| now.people),
            now: fares.now.map(|now| now.fares.into()),
            days: fares.days.into_iter().map(FairnessDay::from).collect(),
        })
    };
    Ok(Some(found.into_iter().filter_map(of).collect()))
}

/// A zone's last days played again; nothing for whoever is no manager, or where there is no such zone.
pub(super) async fn what_if(
    ctx: &Context<'_>,
    zone: Option<&ID>,
    days: i32,
    what_if: WhatIf,
) -> Result<Option<FairnessWhatIf>, Unmet> {
    if caller(ctx) != Caller::Manager {
        return Ok(None);
    }
    let hub = ctx.data_unchecked::<Hub>();
    let zone = zone.map(|zone| id::<ZoneId>(zone, "zoneId")).transpose()?.unwrap_or(hub.main_zone());
    for (field, given, most) in
        [("fairness", what_if.fairness, 1.0), ("profileWeight", what_if.profile_weight, HEAVIEST_PROFILE)]
    {
        if given.is_some_and(|given| !(0.0..=most).contains(&given)) {
            let why = format!("{field} must lie between 0 and {most}");
            return Err(UserError::new(UserErrorCode::Invalid, why).at([field]).into());
        }
    }
    let question = Question { days: within("days", days, MOST_DAYS)?, what_if };
    Ok(hub.replay(zone, question).await.map_err(|error| ours(&error))?.map(FairnessWhatIf::from))
}

fn within(field: &'static str, days: i32, most: u16) -> Result<u16, Unmet> {
    let days = u16::try_from(days).ok().filter(|days| (1..=most).contains(days));
    days.ok_or_else(|| {
        UserError::new(UserErrorCode::Invalid, format!("ask for 1 to {most} days")).at([field]).into()
    })
}

fn ours(error: &dyn std::fmt::Display) -> Unmet {
    tracing::error!("how people fare could not be told: {error}");
    Unmet::Ours
}
