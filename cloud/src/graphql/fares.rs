//! How the people of a zone fare, as its hub told last.

use async_graphql::SimpleObject;
use chrono::{Days, NaiveDate};
use roomtone_schema::fairness::Fairness;
use roomtone_schema::replay::Figures;
use roomtone_server::listener::scalar::DateTime;

use super::words::date;
use crate::venues::zones::Fares;

/// How the people of a zone fare, as its hub told last.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct ZoneFairness {
    /// When it told: each minute while it is in reach.
    told_at: DateTime,
    /// How many people are there who have heard a song that says something of their taste.
    people: u32,
    /// How these fare; null where there is nobody.
    now: Option<FairnessFigures>,
    /// The days of the last two weeks on which anybody stayed, oldest first.
    days: Vec<FairnessDay>,
}

/// How people fared: a mean alone hides who is left out.
#[derive(Debug, Clone, SimpleObject)]
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
#[derive(Debug, Clone, SimpleObject)]
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

impl ZoneFairness {
    pub(super) fn read(fares: &Fares) -> Option<Self> {
        let told = fares.read()?;
        let day = |(day, figures): (i32, Figures)| {
            let date = NaiveDate::default().checked_add_days(Days::new(u64::try_from(day).ok()?))?;
            let Figures { visits, songs, fares } = figures;
            Some(FairnessDay { date: date.to_string(), visits, songs, figures: fares.into() })
        };
        Some(Self {
            told_at: date(fares.told_at),
            people: told.people,
            now: told.now.map(FairnessFigures::from),
            days: told.days.into_iter().filter_map(day).collect(),
        })
    }
}

impl From<Fairness> for FairnessFigures {
    fn from(fares: Fairness) -> Self {
        let worst_of_mean = fares.worst_of_mean();
        let Fairness { mean, worst, longest_drought } = fares;
        Self { mean, worst, worst_of_mean, longest_drought }
    }
}
