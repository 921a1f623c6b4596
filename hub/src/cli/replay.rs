//! `roomtone-hub replay`: what was, beside what would have been.

use std::process::ExitCode;

use clap::Args;
use roomtone_schema::replay::{Figures, WhatIf};
use serde_json::{Value, json};

use super::say;
use crate::replaying::{self, Answer, MOST_DAYS, Question, ReplayError};
use crate::service::Setup;
use crate::trouble::Trouble;

const AFTER_HELP: &str = "\
Satisfaction is how near the songs were to somebody's taste: 1 is just what they like, 0 has nothing to do with it, -1 is \
the opposite. The worst listener is whoever had least, the longest drought the most songs in a row against somebody's \
taste. Whoever heard fewer than five songs on a day is not counted.

Who came, what they voted for, when they left and when a song was asked for stays as it was; each pick is made again with \
the seed that it had. Without --fairness and --profile-weight every pick should come out as it did: songs that have been \
withdrawn since, or whose files are gone, are why some may not.

Nothing is changed by it. To play by a setting, change the zone: in the manager's page of the cloud, or in hub.toml.

Examples:
  roomtone-hub replay --fairness 0.7
  roomtone-hub replay --zone terrace --days 3 --fairness 0 --json";

/// What `replay` is asked.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Replay {
    /// Which zone; the main one where none is named.
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// How many days, with the last one on which anything was heard. What picks were made from is kept for two weeks.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_DAYS)))]
    days: u16,
    /// With this fairness: 0 is the plain mean of everybody's taste, 1 strict turns. As it was where none is given.
    #[arg(long, value_name = "0..1", value_parser = fairness)]
    fairness: Option<f64>,
    /// With the zone's profile counting as so many people. As it was where none is given.
    #[arg(long, value_name = "0..20", value_parser = weight)]
    profile_weight: Option<f64>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

fn fairness(text: &str) -> Result<f64, String> {
    within(text, 1.0)
}

fn weight(text: &str) -> Result<f64, String> {
    within(text, 20.0)
}

fn within(text: &str, most: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=most).contains(number));
    number.ok_or_else(|| format!("it must be a number between 0 and {most}"))
}

/// Plays a zone's last days again.
pub(super) async fn run(setup: &Setup, replay: Replay) -> Result<ExitCode, Trouble> {
    let Replay { zone, days, fairness, profile_weight, json } = replay;
    let what_if = WhatIf { fairness, profile_weight };
    let (options, question) = (setup.options(), Question { days, what_if });
    let asked = move || replaying::ask(&options, zone.as_deref(), &question);
    let asked = tokio::task::spawn_blocking(asked).await;
    let answer = asked.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()));
    let answer = answer.map_err(|error| {
        let remedy = match &error {
            ReplayError::UnknownZone { .. } => "Name one of these with --zone.",
            ReplayError::Open(_) => "",
            ReplayError::Store(_) => "Try again in a moment.",
        };
        Trouble::harmless(error, remedy)
    })?;
    if json {
        say(for_programs(&answer, &what_if));
    } else {
        lines(&answer, &what_if, days).iter().for_each(say);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(answer: &Answer, what_if: &WhatIf, days: u16) -> Vec<String> {
    let of = if days == 1 { "last day".to_owned() } else { format!("last {days} days") };
    let Some(fairness) = answer.fairness else {
        return vec![format!(
            "The zone {} has picked nothing in the {of} that could be picked again.",
            answer.zone
        )];
    };
    let mut lines =
        vec![format!("The {of} of the zone {}: {} songs.", answer.zone, answer.songs), String::new()];
    let mut row =
        |what: &str, then: String, now: String| lines.push(format!("{what:<28}{then:>12}{now:>12}"));
    row("", "as it was".to_owned(), "what if".to_owned());
    row("fairness", span(fairness), set(what_if.fairness, fairness));
    if let Some(weight) = answer.profile_weight {
        row("the profile counts as", span(weight), set(what_if.profile_weight, weight));
    }
    let mut figure = |what: &str, of: fn(&Figures) -> String| {
        let told = |figures: &Option<Figures>| figures.as_ref().map_or_else(|| "nobody".to_owned(), of);
        row(what, told(&answer.then), told(&answer.now));
    };
    figure("visits that count", |of| of.visits.to_string());
    figure("mean satisfaction", |of| format!("{:.2}", of.fares.mean));
    figure("worst listener", |of| format!("{:.2}", of.fares.worst));
    figure("worst listener, of the mean", share);
    figure("longest drought, songs", |of| of.fares.longest_drought.to_string());
    lines.push(String::new());
    if answer.days.len() > 1 {
        for day in &answer.days {
            let told = |figures: Option<Figures>| {
                figures.map_or_else(
                    || "nobody".to_owned(),
                    |of| format!("{:.2} {:.2} {}", of.fares.mean, of.fares.worst, of.fares.longest_drought),
                )
            };
            lines.push(format!("{}  mean, worst, drought: {} / {}", day.date, told(day.then), told(day.now)));
        }
        lines.push(String::new());
    }
    lines.push(format!("{} of {} picks come out as they did.", answer.same, answer.songs));
    lines
}

fn share(figures: &Figures) -> String {
    figures.fares.worst_of_mean().map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

fn span((least, most): (f64, f64)) -> String {
    if least < most { format!("{least} to {most}") } else { least.to_string() }
}

fn set(wanted: Option<f64>, was: (f64, f64)) -> String {
    wanted.map_or_else(|| span(was), |wanted| wanted.to_string())
}

fn for_programs(answer: &Answer, what_if: &WhatIf) -> Value {
    let figures = |of: &Option<Figures>| {
        of.as_ref().map(|of| {
            json!({
                "visits": of.visits, "songs": of.songs, "mean": of.fares.mean, "worst": of.fares.worst,
                "worst_of_mean": of.fares.worst_of_mean(), "longest_drought": of.fares.longest_drought,
            })
        })
    };
    let days = answer.days.iter().map(|day| {
        json!({ "date": day.date.to_string(), "then": figures(&day.then), "what_if": figures(&day.now) })
    });
    json!({
        "zone": answer.zone, "songs": answer.songs, "same": answer.same,
        "fairness": { "then": answer.fairness, "what_if": what_if.fairness },
        "profile_weight": { "then": answer.profile_weight, "what_if": what_if.profile_weight },
        "then": figures(&answer.then), "what_if": figures(&answer.now), "days": days.collect::<Vec<_>>(),
    })
}
