//! What a drill looks like to whoever rehearses it.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{ask, say};
use crate::drill::{Cut, Drill, DrillReport};
use crate::orders::Reply;
use crate::trouble::Trouble;

/// Without a terminal, a line for each so many seconds.
const LINE_EACH_S: u64 = 60;

/// What has been shown of a drill so far.
#[derive(Debug)]
pub(in crate::cli) struct Drilling {
    json: bool,
    bar: Option<ProgressBar>,
    report: Option<DrillReport>,
    trouble: Option<Trouble>,
}

impl Drilling {
    /// For a person, or for a program, which hears of the end only.
    pub(in crate::cli) fn new(json: bool) -> Self {
        Self { json, bar: None, report: None, trouble: None }
    }

    /// Shows one reply.
    pub(in crate::cli) fn show(&mut self, reply: Reply) {
        match reply {
            Reply::DrillBegan(drill) if !self.json => self.begin(drill),
            Reply::Drilling { left_s } if !self.json => self.step(left_s),
            Reply::Drilled(report) => self.report = Some(report),
            Reply::Refused(trouble) => self.trouble = Some(trouble),
            _ => {}
        }
    }

    /// How the command ends: well where nobody in the room would have noticed.
    pub(in crate::cli) fn end(self) -> Result<ExitCode, Trouble> {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        let Some(report) = self.report else { return Ok(ExitCode::FAILURE) };
        if self.json {
            ask::as_json(&report);
        } else {
            lines(&report).into_iter().for_each(say);
        }
        Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn begin(&mut self, drill: Drill) {
        let length = drill.ends_at.since(drill.began_at).as_secs();
        say(match drill.cut {
            Cut::Cloud => format!("The hub is cut off from its cloud for {}.", time(length)),
            Cut::Hub => format!("Nobody reaches the hub for {}: players play from their plan.", time(length)),
        });
        say("Listen: the music should go on. Ctrl-C ends it early.");
        if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:32} {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = Some(ProgressBar::new(length).with_style(style));
        }
    }

    fn step(&mut self, left_s: u64) {
        let line = match left_s {
            0 => "the cut is over; the players are asked what they played".to_owned(),
            left => format!("{} left", time(left)),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position(bar.length().unwrap_or(0).saturating_sub(left_s));
                bar.set_message(line);
            }
            None if 0 < left_s && left_s.is_multiple_of(LINE_EACH_S) => say(line),
            None => {}
        }
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}

/// The report in a person's words.
fn lines(report: &DrillReport) -> Vec<String> {
    let silence = |ms: &u64| format!("{:.1} s", Duration::from_millis(*ms).as_secs_f64());
    let mut lines: Vec<String> = Vec::new();
    for (player, ms) in &report.silence {
        lines.push(match ms {
            0 => format!("{player}: never silent"),
            ms => format!("{player}: silent for {}", silence(ms)),
        });
    }
    for player in &report.missing {
        lines.push(format!("{player}: not heard again yet; look after it"));
    }
    let plays = report.plays;
    lines.push(format!(
        "plays that began: {} by the hub, {} from plans, {} from caches",
        plays.hub, plays.plan, plays.cache
    ));
    let (accepted, kept) = report.votes;
    lines.push(format!("votes: {accepted} accepted, {kept} kept"));
    if report.drill.cut == Cut::Cloud {
        lines.push(match report.waiting {
            0 => "the cloud has everything".to_owned(),
            many => format!("{many} facts wait for the cloud, and will be there soon"),
        });
    }
    lines.push(if report.is_good() {
        "Nobody would have noticed.".to_owned()
    } else {
        "This outage would have been noticed: see above.".to_owned()
    });
    lines
}

#[cfg(test)]
mod tests {
    use roomtone_schema::UnixMillis;

    use super::*;
    use crate::drill::Plays;

    #[test]
    fn a_report_says_who_was_silent_and_what_was_kept() {
        let drill = Drill { cut: Cut::Cloud, began_at: UnixMillis(0), ends_at: UnixMillis(60_000) };
        let good = DrillReport {
            drill,
            ended_at: UnixMillis(60_000),
            silence: vec![("Bar".to_owned(), 0)],
            plays: Plays { hub: 1, plan: 2, cache: 0 },
            votes: (7, 7),
            waiting: 0,
            missing: vec![],
        };
        let said = lines(&good).join("\n");
        assert!(said.contains("Bar: never silent") && said.contains("2 from plans"), "{said}");
        assert!(said.ends_with("Nobody would have noticed."), "{said}");
        let bad = DrillReport {
            silence: vec![("Bar".to_owned(), 1_500)],
            missing: vec!["Hall".to_owned()],
            ..good
        };
        let said = lines(&bad).join("\n");
        assert!(said.contains("Bar: silent for 1.5 s") && said.contains("Hall: not heard again"), "{said}");
        assert!(said.contains("would have been noticed"), "{said}");
    }
}
