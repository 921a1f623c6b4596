//! CPU time of this thread, and the lines that the table is made of.

use rustix::time::{ClockId, clock_gettime};

/// What one call took, in nanoseconds of this thread's CPU time: the median and the least of `rounds`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) median: f64,
    pub(crate) least: f64,
}

/// Times several pieces of work that take turns. Each is called `calls` times a round with the number of the call.
pub(crate) fn race<const N: usize>(
    rounds: usize,
    calls: usize,
    mut runners: [&mut dyn FnMut(usize); N],
) -> [Time; N] {
    let mut times = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            let begun = cpu_ns();
            (0..calls).for_each(|call| runner(round * calls + call));
            times.push((cpu_ns() - begun) / calls as f64);
        }
    }
    times.map(summary)
}

/// The first round is left out: it fills caches.
fn summary(mut times: Vec<f64>) -> Time {
    times.remove(0);
    times.sort_unstable_by(f64::total_cmp);
    Time { median: times[times.len() / 2], least: times[0] }
}

fn cpu_ns() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// The median and the least of single times, in nanoseconds; the first is left out as in [`race`].
pub(crate) fn median_of(times: Vec<f64>) -> Time {
    summary(times)
}

/// A time as a person reads it, with the least in brackets.
pub(crate) fn show(time: Time) -> String {
    format!("{} ({})", unit(time.median), unit(time.least))
}

fn unit(ns: f64) -> String {
    match ns {
        ..1_000.0 => format!("{ns:.0} ns"),
        ..1_000_000.0 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.2} ms", ns / 1e6),
    }
}

/// A line of the table whose ratio ours / yardstick must not exceed `most`; without a goal it only reports.
pub(crate) fn at_most(goal: &str, what: &str, ours: Time, yardstick: (&str, Time), most: Option<f64>) {
    let ratio = ours.median / yardstick.1.median;
    let (wanted, verdict) = match most {
        Some(most) => (format!("<= {most}x"), if ratio <= most { "ok" } else { "MISSED" }),
        None => (String::from("-"), "reported"),
    };
    let yardstick = format!("{} {}", yardstick.0, show(yardstick.1));
    println!("BENCH | {goal} | {what} | {} | {yardstick} | {ratio:.2}x | {wanted} | {verdict}", show(ours));
}

/// A line of the table: the yardstick must take at least `least` times as long as ours.
pub(crate) fn at_least(goal: &str, what: &str, ours: Time, yardstick: (&str, Time), least: Option<f64>) {
    let ratio = yardstick.1.median / ours.median;
    let (wanted, verdict) = match least {
        Some(least) => (format!(">= {least}x less"), if ratio >= least { "ok" } else { "MISSED" }),
        None => (String::from("-"), "reported"),
    };
    let yardstick = format!("{} {}", yardstick.0, show(yardstick.1));
    println!(
        "BENCH | {goal} | {what} | {} | {yardstick} | {ratio:.1}x less | {wanted} | {verdict}",
        show(ours)
    );
}
