//! S11: memory runs out while votes are recorded.

use std::collections::HashSet;
use std::process::Command;

use tempfile::TempDir;

use super::victim_process::Victim;
use super::{nothing_is_lost, open, rounds, sample};

#[test]
fn no_acknowledged_vote_is_lost_when_memory_runs_out() {
    if Command::new("fiu-run").arg("-h").output().is_err() {
        return roomtone_tests::skip("out of memory", "fiu-run is not installed (apt install fiu-utils)");
    }
    let dir = TempDir::new().unwrap();
    let (store, _) = open(dir.path());
    sample::add_song(&store).unwrap();
    store.close();
    drop(store);
    let mut acknowledged = HashSet::new();
    for _ in 0..rounds(12) {
        let mut starved = Command::new("fiu-run");
        starved.arg("-x").arg("-c").arg("enable_random name=libc/mm/malloc,probability=0.00002");
        let mut victim = Victim::start_under(starved, "votes", dir.path(), &["8", "2000", "10"]);
        // It may end well, or die of it: both are fine.
        victim.finish();
        acknowledged.extend(victim.acknowledged.iter().copied());
        nothing_is_lost(dir.path(), &acknowledged);
    }
    assert!(!acknowledged.is_empty(), "the victim never got as far as a vote");
}
