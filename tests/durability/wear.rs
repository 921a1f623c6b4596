//! What the store costs: bytes written to flash (S12), and a log that stays small while somebody reads (S8).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use roomtone_hub::store::{StoreError, hub_state};
use tempfile::TempDir;

use super::open;
use super::victim_process::Victim;

/// 50 MB a day at 2,000 votes.
const BYTES_PER_VOTE: u64 = 25_000;

const VOTES: u64 = 300;

#[test]
fn a_vote_that_comes_alone_writes_little() {
    // Not the system's temporary folder: that may be memory, which wears out nothing.
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut victim = Victim::start("votes", dir.path(), &["1", &VOTES.to_string()]);
    assert!(victim.finish(), "{:?}", victim.other);
    let wrote = victim.other.iter().find_map(|line| line.strip_prefix("wrote ")).unwrap();
    let per_vote = wrote.parse::<u64>().unwrap() / VOTES;
    if per_vote == 0 {
        return roomtone_tests::skip(
            "bytes written per vote",
            "this system does not count writes to the disk here",
        );
    }
    println!("{per_vote} bytes written per vote");
    assert!(per_vote <= BYTES_PER_VOTE, "{per_vote} bytes per vote");
}

/// What is written meanwhile: thrice what the log may hold.
const SHEETS: u16 = 768;
const SHEET: usize = 128 << 10;

/// The log may grow to this while a reader holds on to a snapshot.
const LARGEST_LOG: u64 = 32 << 20;

#[test]
fn a_reader_that_never_ends_does_not_let_the_log_grow() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(dir.path());
    let over = AtomicBool::new(false);
    let mut largest = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let endless =
                "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n, hub_state";
            while !over.load(Ordering::Relaxed) {
                let answer = store.read_blocking(|conn| conn.query_row(endless, [], |row| row.get::<_, i64>(0)));
                assert!(matches!(answer, Err(StoreError::TooSlow)), "{answer:?}");
            }
        });
        let log = PathBuf::from(format!("{}-wal", store.path().display()));
        for number in 0..SHEETS {
            let written =
                store.write_blocking(move |tx| hub_state::put(tx, "sheet", vec![number as u8; SHEET]));
            written.unwrap();
            largest = largest.max(std::fs::metadata(&log).map_or(0, |log| log.len()));
        }
        over.store(true, Ordering::Relaxed);
    });
    println!("the log grew to {} KiB", largest >> 10);
    assert!(largest <= LARGEST_LOG, "the log grew to {largest} bytes");
}
