//! Seeds, replays, and what each defence is good for.
//!
//! Each seed is played by a program of its own (`one-seed`): parts of the runtime count through a process's life, and a seed
//! that fails must run the same way again, whatever ran before it. Nothing of the simulation is in this program: its clock
//! is the system's, or the harness would wait for a time that never comes and keep a processor busy with asking.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What begins the line that says how often each fault was there.
const TALLY: &str = "tally: ";

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|told| told.parse().ok()).unwrap_or(otherwise)
}

/// How a seed went in a process of its own.
#[derive(Debug, PartialEq, Eq)]
struct Played {
    is_well: bool,
    trace: String,
    /// How often each fault was there.
    tally: BTreeMap<String, u64>,
}

fn play(seed: u64, off: Option<&str>) -> Played {
    let mut run = Command::new(env!("CARGO_BIN_EXE_one-seed"));
    run.arg(seed.to_string()).args(off).stderr(Stdio::inherit());
    let run = run.output().expect("one-seed starts");
    let trace = String::from_utf8_lossy(&run.stdout).into_owned();
    let tally = trace.lines().filter_map(|line| line.strip_prefix(TALLY)).flat_map(str::split_whitespace);
    let tally = tally
        .filter_map(|told| told.split_once('='))
        .map(|(what, times)| (what.to_owned(), times.parse().expect("a tally counts")));
    Played { is_well: run.status.success(), tally: tally.collect(), trace }
}

/// Plays these seeds, as many at once as there are processors.
fn play_all(seeds: Range<u64>, note: impl Fn(u64, Played) + Sync) {
    let next = AtomicU64::new(seeds.start);
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    note(seed, play(seed, None));
                }
            });
        }
    });
}

/// A few here, others than the 200 of `tests/sim/run`, which says so by `ROOMTONE_SEEDS`.
#[test]
fn no_seed_loses_or_doubles_anything() {
    let (from, many) = (number("ROOMTONE_FROM", 1_001), number("ROOMTONE_SEEDS", 8));
    let (failed, tally) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    play_all(from..from + many, |seed, played| {
        assert!(played.trace.lines().count() > 100, "seed {seed} hardly did anything:\n{}", played.trace);
        for (what, times) in played.tally {
            *tally.lock().expect("nobody failed").entry(what).or_insert(0) += times;
        }
        if !played.is_well {
            eprintln!("{}", played.trace);
            failed.lock().expect("nobody failed").push(seed);
        }
    });
    let (failed, tally) = (failed.into_inner().expect("all done"), tally.into_inner().expect("all done"));
    eprintln!("{many} seeds from {from} on: {tally:?}");
    assert!(
        failed.is_empty(),
        "seeds that failed: {failed:?}; each runs again with tests/sim/run --seeds 1 --from SEED"
    );
    let never: Vec<&String> = tally.iter().filter(|(_, times)| **times == 0).map(|(what, _)| what).collect();
    // A few seeds may miss what is rare.
    assert!(many < 100 || never.is_empty(), "faults that were never there: {never:?}");
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
    let broken =
        (1..80).find(|seed| !play(*seed, Some(defence)).is_well && play(*seed, Some("nothing")).is_well);
    assert!(broken.is_some(), "nothing broke without {defence}");
}

#[test]
fn without_the_hash_check_something_breaks() {
    must_break("hash check");
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
fn without_the_tag_something_breaks() {
    must_break("tag");
}

#[test]
fn without_the_seal_something_breaks() {
    must_break("seal");
}
