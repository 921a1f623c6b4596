//! The disk fails (S3, S5) or is full (S4).

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use roomtone_hub::store::{Health, Store, StoreError, songs, votes};
use roomtone_tests::eventually;
use tempfile::TempDir;

use super::mount::Mount;
use super::victim_process::Victim;
use super::{nothing_is_lost, open, sample};

/// Thrice within a minute for certain, and yet the dozen syncs of a start come through at one of its attempts.
const KEEPS_FAILING: &str = "0.1";

/// Long enough for a disk that failed thrice to be tried again.
const SECONDS: &str = "12";

/// `fiu-run` with one fault for each name; `None` where it is not installed.
fn failing(names: &[&str], probability: &str, more: &str) -> Option<Command> {
    Command::new("fiu-run").arg("-h").output().ok()?;
    let mut command = Command::new("fiu-run");
    command.arg("-x");
    for name in names {
        command.arg("-c").arg(format!("enable_random name={name},probability={probability}{more}"));
    }
    Some(command)
}

#[test]
fn a_vote_that_the_disk_did_not_take_is_not_acknowledged() {
    let syncs = ["posix/io/sync/fsync", "posix/io/sync/fdatasync"];
    let Some(under) = failing(&syncs, "0.03", "") else {
        return roomtone_tests::skip("fsync fails", "fiu-run is not installed (apt install fiu-utils)");
    };
    let dir = TempDir::new().unwrap();
    let mut victim = prepared_victim(under, &dir);
    victim.finish();
    assert!(victim.refused.iter().any(|why| why == "io"), "no fsync failed: the test shows nothing");
    assert!(!victim.acknowledged.is_empty(), "{:?}", victim.other);
    nothing_is_lost(dir.path(), &victim.acknowledged);
}

#[test]
fn a_disk_that_keeps_failing_is_left_alone_and_tried_again() {
    let Some(under) = failing(&["posix/io/sync/fdatasync", "posix/io/sync/fsync"], KEEPS_FAILING, "") else {
        return roomtone_tests::skip(
            "fsync keeps failing",
            "fiu-run is not installed (apt install fiu-utils)",
        );
    };
    let dir = TempDir::new().unwrap();
    let mut victim = prepared_victim(under, &dir);
    victim.finish();
    assert!(victim.refused.iter().any(|why| why == "read-only"), "{:?}", victim.refused.first());
    assert!(!victim.acknowledged.is_empty(), "never a vote: {:?}", victim.other);
    nothing_is_lost(dir.path(), &victim.acknowledged);
}

#[test]
fn a_read_error_is_not_taken_for_damage() {
    let reads = ["posix/io/rw/pread", "posix/io/rw/pread64"];
    let Some(under) = failing(&reads, "0.003", ",failinfo=5") else {
        return roomtone_tests::skip("reads fail", "fiu-run is not installed (apt install fiu-utils)");
    };
    let dir = TempDir::new().unwrap();
    let mut victim = prepared_victim(under, &dir);
    victim.finish();
    assert!(!victim.other.iter().any(|line| line.starts_with("restored")), "{:?}", victim.other);
    nothing_is_lost(dir.path(), &victim.acknowledged);
}

/// The store is made on a sound disk: what fails here is the work, not the unpacking.
fn prepared_victim(under: Command, dir: &TempDir) -> Victim {
    let (store, _) = open(dir.path());
    sample::add_song(&store).unwrap();
    store.close();
    Victim::start_under(under, "votes", dir.path(), &["8", "100000000", SECONDS])
}

#[test]
fn a_full_disk_refuses_votes_reads_on_and_mends_itself() {
    let disk = match Mount::in_memory("24m") {
        Ok(disk) => disk,
        Err(why) => return roomtone_tests::skip("the disk is full", &why),
    };
    let (store, _) = open(&disk.path());
    sample::add_song(&store).unwrap();
    let filler = fill(&disk.path(), 1 << 20);
    let mut acknowledged = Vec::new();
    let refused = vote_until_refused(&store, &mut acknowledged);
    assert!(matches!(refused, StoreError::DiskFull), "{refused}");
    assert_eq!(store.stats().health, Health::DiskFull);
    let counted = store.read_blocking(votes::count).unwrap();
    assert_eq!(counted, acknowledged.len() as u64, "reads go on, and nothing was acknowledged falsely");
    std::fs::remove_file(filler).unwrap();
    let (id, work) = sample::vote();
    store.write_blocking(work).unwrap();
    acknowledged.push(id);
    assert_eq!(store.stats().health, Health::Good);
    store.close();
    drop(store);
    nothing_is_lost(&disk.path(), &acknowledged.into_iter().collect());
}

#[tokio::test]
async fn the_ballast_keeps_votes_going_when_the_disk_is_full_and_returns_with_the_room() {
    let disk = match Mount::in_memory("112m") {
        Ok(disk) => disk,
        Err(why) => return roomtone_tests::skip("the ballast", &why),
    };
    let ballast = disk.path().join("hub.ballast");
    let (store, _) = open(&disk.path());
    store.write(|tx| songs::insert(tx, sample::fresh(), &sample::song())).await.unwrap();
    eventually("the ballast is laid", async || ballast.exists()).await;
    let filler = fill(&disk.path(), 0);
    let mut votes = 0;
    while ballast.exists() {
        store.write(sample::vote().1).await.unwrap();
        votes += 1;
    }
    std::fs::remove_file(filler).unwrap();
    store.write(sample::vote().1).await.unwrap();
    eventually("the ballast is laid again", async || ballast.exists()).await;
    assert_eq!(store.read(votes::count).await.unwrap(), votes + 1);
}

/// Fills a disk but for `spare` bytes.
fn fill(dir: &Path, spare: u64) -> std::path::PathBuf {
    let path = dir.join("filler");
    let mut file = File::create(&path).unwrap();
    let block = vec![1; 64 << 10];
    while file.write_all(&block).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(spare)).unwrap();
    path
}

fn vote_until_refused(store: &Store, acknowledged: &mut Vec<roomtone_schema::VoteId>) -> StoreError {
    for _ in 0..1_000_000 {
        let (id, work) = sample::vote();
        match store.write_blocking(work) {
            Ok(()) => acknowledged.push(id),
            Err(error) => return error,
        }
    }
    panic!("a disk of a megabyte took a million votes");
}
