//! How a divided room fares by the plain mean of its tastes (fairness 0) and by turns (fairness 0.5), side by side.
//!
//! The figures are those of several evenings with other songs and other draws. The mean and the worst listener's share of
//! it are medians; the longest drought is the longest of them all.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::print_stdout, reason = "its table is what a benchmark is for")]

mod room;

use room::{Evening, Outcome, play};

/// So many evenings with each setting.
const EVENINGS: u64 = 5;

/// The worst-off listener has at least this share of the mean ...
const LEAST_SHARE: f64 = 0.6;

/// ... and nobody has more songs in a row against their taste.
const LONGEST_DROUGHT: u32 = 2;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let evenings = |fairness| {
        let evening =
            |seed| Evening { fairness, library: 240, heard: 34, many: 7, few: 3, opposed: 0.5, seed };
        let outcomes = (1..=EVENINGS).map(|seed| runtime.block_on(play(evening(seed))));
        outcomes.collect::<Vec<Outcome>>()
    };
    let [plain, fair] = [0.0, 0.5].map(evenings);
    let (apart, heard) = (plain[0].apart, plain[0].songs.len());
    println!("10 guests, 7 against 3, their tastes {apart:.2} apart (cosine); {heard} songs of 240");
    println!("{:<28} | {:>12} | {:>14}", "", "fairness 0", "fairness 0.5");
    let row = |what: &str, of: fn(&[Outcome]) -> f64| {
        println!("{what:<28} | {:>12.2} | {:>14.2}", of(&plain), of(&fair));
    };
    row("mean satisfaction", |evenings| median(evenings, |one| one.figures.mean));
    row("worst listener", |evenings| median(evenings, |one| one.figures.worst));
    row("worst listener, % of mean", |evenings| 100.0 * share(evenings));
    row("longest drought, songs", |evenings| f64::from(drought(evenings)));
    let (ours, theirs) = (share(&fair), share(&plain));
    let verdict = |is_reached| if is_reached { "ok" } else { "MISSED" };
    println!(
        "BENCH | fairness | worst listener of the mean, at 0.5 / at 0 | {:.0} % | {:.0} % | {:.2} | >= 60 % | {}",
        100.0 * ours,
        100.0 * theirs,
        ours,
        verdict(ours >= LEAST_SHARE),
    );
    let (ours, theirs) = (drought(&fair), drought(&plain));
    println!(
        "BENCH | fairness | longest drought, at 0.5 / at 0 | {ours} songs | {theirs} songs | {:.2} | <= 2 songs | {}",
        f64::from(ours) / f64::from(theirs.max(1)),
        verdict(ours <= LONGEST_DROUGHT),
    );
}

fn share(evenings: &[Outcome]) -> f64 {
    median(evenings, |one| one.figures.worst / one.figures.mean)
}

fn drought(evenings: &[Outcome]) -> u32 {
    evenings.iter().map(|one| one.figures.longest_drought).max().unwrap()
}

fn median(evenings: &[Outcome], of: fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = evenings.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
