//! The process is killed (S2), started twice (S9), killed in a migration (S10).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use roomtone_hub::store::{OpenError, Store};
use roomtone_schema::SystemClock;
use tempfile::TempDir;

use super::victim_process::Victim;
use super::{nothing_is_lost, open, rounds, stored};

#[test]
fn no_acknowledged_vote_is_lost_when_the_process_is_killed() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = HashSet::new();
    for round in 0..rounds(25) {
        let mut victim = Victim::start("votes", dir.path(), &["8"]);
        // From the very first vote to well into the run, another moment each time.
        let votes = (round as usize * 37) % 400 + 1;
        assert!(victim.listen_until(|victim| victim.acknowledged.len() >= votes), "{:?}", victim.other);
        acknowledged.extend(victim.kill().acknowledged.iter().copied());
        nothing_is_lost(dir.path(), &acknowledged);
    }
}

#[test]
fn a_kill_at_any_moment_of_the_first_start_leaves_a_folder_that_opens() {
    for round in 0..rounds(30) {
        let dir = TempDir::new().unwrap();
        let victim = Victim::start("open", dir.path(), &[]);
        std::thread::sleep(Duration::from_micros(700 * round));
        victim.kill();
        let (store, opened) = open(dir.path());
        assert_eq!(opened.restored, None, "round {round}");
        assert!(stored(&store).is_empty());
    }
}

#[test]
fn a_second_process_is_refused_by_the_number_of_the_first() {
    let dir = TempDir::new().unwrap();
    let mut first = Victim::start("votes", dir.path(), &["1"]);
    assert!(first.listen_until(Victim::is_ready));
    let refused = Store::open(dir.path(), Arc::new(SystemClock::new())).unwrap_err();
    let OpenError::Locked { pid, .. } = refused else { panic!("{refused}") };
    assert_eq!(pid, Some(first.id()));
    let first = first.kill();
    nothing_is_lost(dir.path(), &first.acknowledged);
}
