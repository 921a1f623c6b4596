//! What an acknowledged vote costs: beside the disk's own flush, and beside the same code without group commit.
//!
//! Everything runs on one folder in one run, taking turns, so that a busy machine is busy for both sides. The vote is
//! the whole of what the hub writes for one (`durability/sample.rs`), with `synchronous = full`.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::print_stdout, reason = "its table is what a benchmark is for")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use roomtone_hub::store::{Store, StoreError};
use roomtone_schema::SystemClock;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

#[path = "../durability/sample.rs"]
mod sample;
#[path = "server.rs"]
mod server;

/// A vote as a database server would take it: the log, the vote that counts, the taste, the outbox, the answer kept.
const PGBENCH_TABLES: &str = include_str!("votes.tables.sql");
const PGBENCH_VOTE: &str = include_str!("votes.pgbench.sql");

/// Clients of goal 8.
const FEW_CLIENTS: usize = 64;

/// How often the sides take turns; figures are the medians of the turns.
const TURNS: usize = 3;

/// Flushes, and votes of a single client, in a turn.
const SAMPLES: usize = 200;

/// For how long the many clients vote in a turn.
const RUSH: Duration = Duration::from_secs(2);

const CLIENTS: usize = 1000;

/// What is appended before a flush.
const BLOCK: [u8; 4096] = [1; 4096];

/// One number of each turn.
#[derive(Default)]
struct Turns {
    flush: Vec<f64>,
    vote: Vec<f64>,
    flush_rate: Vec<f64>,
    grouped: Vec<f64>,
    ungrouped: Vec<f64>,
    few: Vec<f64>,
    postgres: Vec<f64>,
    /// Seconds that the writer's thread computed for a vote of the many clients.
    effort: Vec<f64>,
}

fn main() {
    // Beside the build, not in the system's temporary folder: that may be memory.
    let beside = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let beside = beside.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = TempDir::new_in(beside).unwrap();
    let runtime = Runtime::new().unwrap();
    let open = |name, batch| {
        let store = Store::open_with(&dir.path().join(name), Arc::new(SystemClock::new()), batch).unwrap().0;
        sample::add_song(&store).unwrap();
        store
    };
    let (grouped, ungrouped) = (open("grouped", 1024), open("ungrouped", 1));
    let server = server::start();
    if let Some(server) = &server {
        prepare(server, dir.path());
    }
    let mut turns = Turns::default();
    for _ in 0..TURNS {
        take_a_turn(&mut turns, &dir.path().join("appended"), &runtime, &grouped, &ungrouped);
        if let Some(server) = &server {
            turns.few.push(runtime.block_on(many_clients(&grouped, FEW_CLIENTS)));
            turns.postgres.push(pgbench(server, dir.path()));
        }
    }
    report(turns);
}

fn take_a_turn(turns: &mut Turns, file: &Path, runtime: &Runtime, grouped: &Store, ungrouped: &Store) {
    let flush = median(flushes(file));
    turns.flush.push(flush);
    turns.vote.push(median(runtime.block_on(one_client(grouped))));
    turns.flush_rate.push(1.0 / flush);
    let (busy, votes) = (writers_seconds(), grouped.stats().writes);
    turns.grouped.push(runtime.block_on(many_clients(grouped, CLIENTS)));
    let votes = (grouped.stats().writes - votes) as f64;
    turns.effort.push((writers_seconds() - busy) / votes);
    turns.ungrouped.push(runtime.block_on(many_clients(ungrouped, CLIENTS)));
}

/// Seconds of each append with its `fdatasync`.
fn flushes(path: &Path) -> Vec<f64> {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    let mut flush = || {
        let began = Instant::now();
        file.write_all(&BLOCK).unwrap();
        file.sync_data().unwrap();
        began.elapsed().as_secs_f64()
    };
    (0..SAMPLES).map(|_| flush()).collect()
}

/// Seconds of each vote from asking to the durable answer.
async fn one_client(store: &Store) -> Vec<f64> {
    let mut seconds = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let (_, work) = sample::vote();
        let began = Instant::now();
        store.write(work).await.unwrap();
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds
}

/// Acknowledged votes per second of many clients, each of whom votes again when answered.
async fn many_clients(store: &Store, count: usize) -> f64 {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let store = store.clone();
        clients.spawn(async move {
            let mut votes = 0_u64;
            while began.elapsed() < RUSH {
                match store.write(sample::vote().1).await {
                    Ok(()) => votes += 1,
                    Err(StoreError::Busy) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
            votes
        });
    }
    let votes: u64 = clients.join_all().await.into_iter().sum();
    votes as f64 / began.elapsed().as_secs_f64()
}

fn prepare(server: &server::Server, folder: &Path) {
    std::fs::write(folder.join("vote.sql"), PGBENCH_VOTE).unwrap();
    let mut psql = server.program("psql");
    psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-c", PGBENCH_TABLES]).arg(server.url("postgres"));
    assert!(psql.status().unwrap().success());
}

/// Transactions per second of as many clients, as Postgres' own benchmark counts them.
fn pgbench(server: &server::Server, folder: &Path) -> f64 {
    let (clients, seconds) = (FEW_CLIENTS.to_string(), (2 * RUSH.as_secs()).to_string());
    let out = server
        .program("pgbench")
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients, "-T", &seconds, "-f"])
        .arg(folder.join("vote.sql"))
        .arg(server.url("postgres"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&out.stderr)))
}

/// Seconds that the stores' writers have computed so far: user and system time, without waiting for the disk.
fn writers_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    threads
        .filter(|thread| {
            std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name == "store-writer\n")
        })
        .filter_map(|thread| std::fs::read_to_string(thread.join("schedstat")).ok())
        .filter_map(|times| times.split(' ').next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}

fn report(turns: Turns) {
    println!("1000 clients: the writer computes {:.1} us for a vote", median(turns.effort) * 1e6);
    let [flush, vote] = [turns.flush, turns.vote].map(|turn| median(turn) * 1e6);
    let [flush_rate, grouped, ungrouped] = [turns.flush_rate, turns.grouped, turns.ungrouped].map(median);
    line(
        "6",
        "1 client: vote ack p50 / append+fdatasync p50",
        vote,
        flush,
        "us",
        vote / flush,
        "<= 1.5",
        |r| r <= 1.5,
    );
    let many = "1000 clients: votes acked / appends+fdatasync";
    line("7", many, grouped, flush_rate, "/s", grouped / flush_rate, ">= 10", |ratio| ratio >= 10.0);
    if !turns.postgres.is_empty() {
        let [few, postgres] = [turns.few, turns.postgres].map(median);
        let what = "64 clients: votes acked / Postgres, the same transaction by pgbench";
        line("8", what, few, postgres, "/s", few / postgres, ">= 3", |ratio| ratio >= 3.0);
    }
    let commits = "1000 clients: votes acked / without group commit";
    line("7", commits, grouped, ungrouped, "/s", grouped / ungrouped, ">= 15", |ratio| ratio >= 15.0);
}

#[expect(clippy::too_many_arguments, reason = "the columns of a table")]
fn line(
    number: &str,
    what: &str,
    ours: f64,
    yardstick: f64,
    unit: &str,
    ratio: f64,
    goal: &str,
    reached: impl Fn(f64) -> bool,
) {
    let verdict = if reached(ratio) { "ok" } else { "MISSED" };
    println!(
        "BENCH | {number} | {what} | {ours:.0} {unit} | {yardstick:.0} {unit} | {ratio:.2} | {goal} | {verdict}"
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
