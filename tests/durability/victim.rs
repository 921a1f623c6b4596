//! A program to be killed, starved and cut off while it records votes.
//!
//! It prints `ready` once the store is open, `ack <vote id>` after each vote that the store said is recorded, and
//! `refused <why>` after each that was not. A tester compares what was acknowledged with what is there afterwards.

#![expect(clippy::unwrap_used, reason = "a victim dies where it fails; that is what it is for")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use roomtone_hub::store::{Store, StoreError, votes};
use roomtone_schema::SystemClock;

#[path = "sample.rs"]
mod sample;

/// How often a store that does not open is tried again.
const ATTEMPTS: u32 = 50;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("votes|open|plain DIR [THREADS [VOTES [SECONDS]]]");
    let (what, dir) = (next(), PathBuf::from(next()));
    let mut number = |otherwise| arguments.next().map_or(otherwise, |text| text.parse().unwrap());
    let (threads, most, seconds) = (number(8), number(u64::MAX), number(3_600));
    match what.as_str() {
        "votes" => cast_votes(&dir, threads, most, Duration::from_secs(seconds)),
        "open" => open(&dir).map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS),
        "plain" => write_plainly(&dir),
        other => panic!("no such thing as {other}"),
    }
}

fn open(dir: &Path) -> Option<Store> {
    match Store::open(dir, Arc::new(SystemClock::new())) {
        Ok((store, opened)) => {
            if let Some(restored) = opened.restored {
                say(&format!("restored {restored:?}"));
            }
            Some(store)
        }
        Err(error) => {
            say(&format!("not opened: {error}"));
            None
        }
    }
}

fn cast_votes(dir: &Path, threads: u64, most: u64, time: Duration) -> ExitCode {
    // As the system's supervisor would: a failing disk may let nobody in the first time.
    let Some(store) = (0..ATTEMPTS).find_map(|_| open(dir)) else { return ExitCode::FAILURE };
    while let Err(error) = sample::add_song(&store) {
        say(&format!("refused {}", word(&error)));
    }
    say("ready");
    let wrote = bytes_written();
    let (cast, over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) && cast.fetch_add(1, Ordering::Relaxed) < most {
                    cast_one(&store);
                }
            });
        }
        scope.spawn(|| {
            let began = Instant::now();
            while began.elapsed() < time && cast.load(Ordering::Relaxed) < most {
                let _counted = store.read_blocking(votes::count);
                std::thread::sleep(Duration::from_millis(20));
            }
            over.store(true, Ordering::Relaxed);
        });
    });
    store.close();
    say(&format!("wrote {}", bytes_written() - wrote));
    ExitCode::SUCCESS
}

fn cast_one(store: &Store) {
    let (id, work) = sample::vote();
    match store.write_blocking(work) {
        Ok(()) => say(&format!("ack {id}")),
        Err(error) => {
            say(&format!("refused {}", word(&error)));
            // A refusal is instant; without a pause it would drown everything else.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn word(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy => "busy",
        StoreError::DiskFull => "disk-full",
        StoreError::Io(_) => "io",
        StoreError::ReadOnly => "read-only",
        StoreError::Damaged => "damaged",
        _ => "otherwise",
    }
}

/// What many programs do: WAL with `synchronous = normal`. Shows that the power cut really cuts.
fn write_plainly(dir: &Path) -> ExitCode {
    let conn = rusqlite::Connection::open(dir.join("plain.db")).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    conn.pragma_update(None, "synchronous", "normal").unwrap();
    conn.execute_batch("create table if not exists votes (id text primary key)").unwrap();
    say("ready");
    loop {
        let id: roomtone_schema::VoteId = sample::fresh();
        conn.execute("insert into votes values (?1)", [id.to_string()]).unwrap();
        say(&format!("ack {id}"));
    }
}

/// Whole lines in one write, so that a kill leaves no half of one.
fn say(line: &str) {
    let _reader_gone = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// What this process had the system write to the disk.
fn bytes_written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.map_or(0, |bytes| bytes.trim().parse().unwrap())
}
