//! Seeds, replays, and what each defence is good for.
//!
//! Each seed runs in a process of its own: parts of the runtime count through a process's life, and a seed that fails must
//! run the same way again, whatever ran before it.

use std::process::Command;
use std::time::Duration;

use roomtone_sim::defences::Defences;
use roomtone_sim::world::{Scenario, run};

/// What begins a line that is for the process above.
const TRACE: &str = "| ";

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|told| told.parse().ok()).unwrap_or(otherwise)
}

fn without(defence: &str) -> Defences {
    let all = Defences::default();
    match defence {
        "hashes" => Defences { hash: false, ..all },
        "AUTOINCREMENT" => Defences { autoincrement: false, ..all },
        "FULL" => Defences { full: false, ..all },
        "tags" => Defences { tag: false, ..all },
        "the seal" => Defences { seal: false, ..all },
        _ => all,
    }
}

/// The seed that the process above asks for.
#[test]
fn one_seed() {
    let Ok(seed) = std::env::var("ROOMTONE_SEED") else { return };
    let seed = seed.parse().expect("ROOMTONE_SEED is a number");
    let defences = without(&std::env::var("ROOMTONE_WITHOUT").unwrap_or_default());
    // Comparing digests mends what the defences prevent; without one of them it would hide what broke.
    let verify =
        std::env::var("ROOMTONE_WITHOUT").map_or(Duration::from_mins(1), |_| Duration::from_hours(24));
    let outcome = run(Scenario { defences, verify, ..Scenario::new(seed) });
    for line in outcome.trace.lines().chain(outcome.broken.iter().map(String::as_str)) {
        eprintln!("{TRACE}{line}");
    }
    assert!(outcome.broken.is_empty(), "seed {seed}");
}

/// Whether all is well at the end of a seed, and what happened.
fn play(seed: u64, off: Option<&str>) -> (bool, String) {
    let program = std::env::current_exe().expect("this program has a place");
    let mut run = Command::new(program);
    run.args(["--exact", "one_seed", "--nocapture"]).env("ROOMTONE_SEED", seed.to_string());
    if let Some(off) = off {
        run.env("ROOMTONE_WITHOUT", off);
    }
    let run = run.output().expect("this program starts again");
    let said = String::from_utf8_lossy(&run.stderr);
    let trace: Vec<&str> = said.lines().filter(|line| line.starts_with(TRACE)).collect();
    (run.status.success(), trace.join("\n"))
}

#[test]
fn no_seed_loses_or_doubles_anything() {
    let (from, many) = (number("ROOMTONE_FROM", 1), number("ROOMTONE_SEEDS", 40));
    let mut failed = Vec::new();
    for seed in from..from + many {
        let (is_well, trace) = play(seed, None);
        assert!(trace.lines().count() > 100, "seed {seed} hardly did anything:\n{trace}");
        if !is_well {
            eprintln!("{trace}");
            failed.push(seed);
        }
    }
    assert!(
        failed.is_empty(),
        "seeds that failed: {failed:?}; each runs again with tests/sim/run --seeds 1 --from SEED"
    );
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    for seed in [3, 7] {
        let (one, other) = (play(seed, None), play(seed, None));
        assert_eq!(one, other, "seed {seed}");
    }
}

/// Some seed that is well with all defences must fail without this one.
fn must_break(defence: &str) {
    let broken = (1..80).find(|seed| !play(*seed, Some(defence)).0 && play(*seed, Some("nothing")).0);
    assert!(broken.is_some(), "nothing broke without {defence}");
}

#[test]
fn without_hashes_something_breaks() {
    must_break("hashes");
}

#[test]
fn without_autoincrement_something_breaks() {
    must_break("AUTOINCREMENT");
}

#[test]
fn without_full_something_breaks() {
    must_break("FULL");
}

#[test]
fn without_tags_something_breaks() {
    must_break("tags");
}

#[test]
fn without_the_seal_something_breaks() {
    must_break("the seal");
}
