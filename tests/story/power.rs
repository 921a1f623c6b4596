//! The power of an enrolled hub is cut while guests vote (S1): what was acknowledged to a guest is on its disk and at the
//! cloud, and what the cloud was told stands under its number with its hash, so that nothing is told twice as another.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use roomtone_schema::VoteId;
use roomtone_schema::id::Id as _;
use roomtone_tests::{Line, Voter, skip};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::kills::{RECEIVED, finish, keep_voting, next};
use crate::ledger::{HubLedger, Ledger};
use crate::pair::{Pair, no_limits};
use mount::Mount;

#[expect(dead_code, reason = "disks in memory are for other tests")]
#[path = "../durability/mount.rs"]
mod mount;

/// How often the power is cut in a round.
const CUTS: usize = 6;

/// A disk that keeps its promises loses nothing in so many; one that does not has lost something long before.
const CUTS_OF_THE_CONTROL: usize = 12;

const GUESTS: usize = 4;

/// Votes that are acknowledged before a cut, at least.
const BEFORE_A_CUT: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_enrolled_hub_whose_power_is_cut_loses_nothing_and_tells_nothing_twice_as_another() {
    let test = "an_enrolled_hub_whose_power_is_cut_loses_nothing_and_tells_nothing_twice_as_another";
    let Some((mut pair, disk)) = on_a_disk_of_its_own(test).await else { return };
    let voters = Voter::check_in(&pair.venue, GUESTS).await;
    let watcher = pair.venue.check_in("watcher").await;
    let mut acknowledged = HashSet::new();
    for cut in 0..CUTS * crate::kills::rounds() {
        vote_and_cut(&mut pair, &disk, &voters, BEFORE_A_CUT + 7 * (cut % CUTS), &mut acknowledged).await;
        assert_eq!(amiss(&pair, &acknowledged).await, None, "after cut {cut}");
        pair.venue = pair.venue.open_with_env(no_limits());
    }
    finish(pair, &watcher, &acknowledged).await;
}

/// The negative control: the same cuts under a hub whose disk says that it has written what it has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_disk_that_lies_makes_an_enrolled_hub_lose_what_it_told() {
    let test = "a_disk_that_lies_makes_an_enrolled_hub_lose_what_it_told";
    let lie = match Lie::new() {
        Ok(lie) => lie,
        Err(why) => return skip(test, &why),
    };
    let Some((mut pair, disk)) = on_a_disk_of_its_own(test).await else { return };
    let voters = Voter::check_in(&pair.venue, GUESTS).await;
    pair.venue.close_apart_from(&crate::pair::AFTER_FAULTS);
    let mut acknowledged = HashSet::new();
    for cut in 0..CUTS_OF_THE_CONTROL {
        pair.venue = pair.venue.open_with_env(no_limits().into_iter().chain([lie.told()]));
        vote_and_cut(&mut pair, &disk, &voters, BEFORE_A_CUT, &mut acknowledged).await;
        if let Some(amiss) = amiss(&pair, &acknowledged).await {
            println!("after cut {cut}: {amiss}");
            pair.cloud.stop(&["savepoint", "a hub's standing has changed"]);
            return;
        }
    }
    panic!("{CUTS_OF_THE_CONTROL} power cuts took nothing from a hub whose disk lies");
}

/// An enrolled hub whose data lies on a disk that can be cut off; `None`, and said so, where there is none to be had.
async fn on_a_disk_of_its_own(test: &str) -> Option<(Pair, Mount)> {
    let disk = match Mount::ext4(384 << 20) {
        Ok(disk) => disk,
        Err(why) => {
            skip(test, &why);
            return None;
        }
    };
    let mut pair = Pair::open(test, GUESTS as u32).await?;
    pair.venue.close();
    let (data, there) = (pair.venue.data(), disk.path().join("data"));
    run("cp", &["-a".as_ref(), data.as_path(), &there]).unwrap();
    // What was copied is as old as the disk; only what the hub writes itself is its own to keep.
    run("sync", &["-f".as_ref(), there.as_path()]).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    std::os::unix::fs::symlink(&there, &data).unwrap();
    pair.venue = pair.venue.open_with_env(no_limits());
    pair.enrol().await;
    pair.in_step(&pair.venue.check_in("first").await).await;
    // Every request is on its way for long enough to be hit.
    pair.line.becomes(Line::Slow(Duration::from_millis(5)));
    Some((pair, disk))
}

/// Guests vote until so many votes are acknowledged and the cloud was told of some; then nothing reaches the disk any more.
async fn vote_and_cut(
    pair: &mut Pair,
    disk: &Mount,
    voters: &[Voter],
    least: usize,
    acknowledged: &mut HashSet<VoteId>,
) {
    let mut ledger = Ledger::of(&pair.cloud).await;
    let before = ledger.count(RECEIVED).await;
    let (mut guests, mut told) = keep_voting(voters, Duration::ZERO);
    for vote in 0.. {
        acknowledged.insert(next(&mut told).await);
        if vote > least && before < ledger.count(RECEIVED).await {
            break;
        }
    }
    let hub = Pid::from_raw(pair.venue.hub().id().cast_signed()).unwrap();
    kill_process(hub, Signal::STOP).unwrap();
    disk.cut_power();
    pair.venue.power_cut();
    disk.power_on();
    while let Some(vote) = told.recv().await {
        acknowledged.insert(vote);
    }
    while guests.join_next().await.is_some() {}
}

/// What is not as it must be on the hub's disk, before the hub has started again and could mend anything.
async fn amiss(pair: &Pair, acknowledged: &HashSet<VoteId>) -> Option<String> {
    let told = Ledger::of(&pair.cloud).await.told().await;
    let (facts, marked) = match written(&pair.venue.data()) {
        Ok(written) => written,
        Err(error) => return Some(format!("the hub's database cannot be read: {error}")),
    };
    let another = told.iter().find(|(seq, hash)| facts.get(seq) != Some(hash));
    if let Some((seq, _)) = another {
        let there = if facts.contains_key(seq) { "another fact" } else { "nothing" };
        return Some(format!("the cloud was told fact {seq}, and under that number stands {there}"));
    }
    let newest = told.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
    if marked > newest {
        return Some(format!("the hub takes {marked} for acknowledged, and the cloud has {newest}"));
    }
    let votes = HubLedger::of(&pair.venue).votes();
    let lost = acknowledged.iter().filter(|vote| !votes.contains_key(&vote.uuid())).count();
    (lost > 0).then(|| format!("of {} acknowledged votes, {lost} are lost", acknowledged.len()))
}

/// The hub's facts by number with their hashes, and up to which one it takes for acknowledged.
fn written(data: &Path) -> rusqlite::Result<(BTreeMap<i64, Vec<u8>>, i64)> {
    let conn = rusqlite::Connection::open(data.join(roomtone_hub::store::FILE_NAME))?;
    let mut select = conn.prepare("select seq, payload_hash from outbox")?;
    let facts = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let marked = "select coalesce(max(value), 0) from hub_state where key = 'acknowledged'";
    Ok((facts, conn.query_row(marked, [], |row| row.get(0))?))
}

/// A library in front of the system's, by which nothing that is synced waits for the disk.
struct Lie(TempDir);

impl Lie {
    fn new() -> Result<Self, String> {
        let dir = TempDir::new().unwrap();
        let source = dir.path().join("lie.c");
        let words =
            "int fsync(int file) { return 0; }\nint fdatasync(int file) { return 0; }\nvoid sync(void) {}\n";
        std::fs::write(&source, words).unwrap();
        let lie = Self(dir);
        run("cc", &["-shared".as_ref(), "-fPIC".as_ref(), "-o".as_ref(), &lie.library(), &source])?;
        Ok(lie)
    }

    fn library(&self) -> std::path::PathBuf {
        self.0.path().join("lie.so")
    }

    fn told(&self) -> (&'static str, String) {
        ("LD_PRELOAD", self.library().to_str().unwrap().to_owned())
    }
}

fn run(program: &str, arguments: &[&Path]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or_else(|| format!("{program}: {}", said.trim()))
}
