//! Plays one seed: `one-seed SEED [WITHOUT]`, where WITHOUT is a defence that is switched off, or `nothing`.
//!
//! A program of its own, because parts of the runtime count through a process's life, and because whoever starts it wants
//! to keep the system's clock.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use roomtone_sim::defences::Defences;
use roomtone_sim::world::{Scenario, run};

fn without(defence: &str) -> Option<Defences> {
    let all = Defences::default();
    Some(match defence {
        "hash check" => Defences { hash: false, ..all },
        "AUTOINCREMENT" => Defences { autoincrement: false, ..all },
        "FULL" => Defences { full: false, ..all },
        "tag" => Defences { tag: false, ..all },
        "seal" => Defences { seal: false, ..all },
        "nothing" => all,
        _ => return None,
    })
}

/// The scenario that is asked for; `None` where it is none.
fn asked() -> Option<Scenario> {
    let mut arguments = std::env::args().skip(1);
    let scenario = Scenario::new(arguments.next()?.parse().ok()?);
    let Some(off) = arguments.next() else { return Some(scenario) };
    // Comparing digests mends what the defences prevent; without one of them it would hide what broke.
    Some(Scenario { defences: without(&off)?, verify: Duration::from_hours(24), ..scenario })
}

/// All that happened, what is not as it must be, and how often each fault was there.
fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let Some(scenario) = asked() else {
        let _nobody_listens = writeln!(out, "one-seed SEED [hash check|AUTOINCREMENT|FULL|tag|seal|nothing]");
        return ExitCode::from(64);
    };
    let outcome = run(scenario);
    let _nobody_listens = write!(out, "{}", outcome.trace);
    for broken in &outcome.broken {
        let _nobody_listens = writeln!(out, "BROKEN {broken}");
    }
    let _nobody_listens = writeln!(out, "tally: {}", outcome.tally);
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
