//! How fast and how right the recommender is, beside its yardsticks, in one run on one machine.
//!
//! Times are CPU time of this thread, the median of many calls; ours and the yardstick take turns, so that both meet
//! the same machine. Every call asks something else. `tests/bench/run recommend` makes a table of what this prints.
#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]

mod evening;
mod exact;
mod library;
mod pick;
mod postgres;
#[path = "../server.rs"]
mod server;
mod speed;
mod sqlite;
mod stopwatch;
mod vibe;

fn main() {
    // `cargo bench` says so; anybody else only wants to know that it runs.
    let is_short = std::env::args().all(|argument| argument != "--bench");
    exact::check(if is_short { 200 } else { 20_000 });
    let sizes: &[usize] = if is_short { &[1_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    for size in sizes {
        speed::measure(*size);
    }
    let size = if is_short { 1_000 } else { 100_000 };
    sqlite::measure(size);
    postgres::measure(size);
    if !is_short {
        postgres::measure_venue();
    }
    pick::measure(size);
    evening::measure(if is_short { 100 } else { 5_000 });
    vibe::measure(if is_short { &[1_000] } else { &[1_000, 10_000] });
}
