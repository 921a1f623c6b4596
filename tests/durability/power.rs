//! S1: the power is cut while votes are recorded.

use std::collections::HashSet;

use rustix::process::Signal;

use super::mount::Mount;
use super::victim_process::Victim;
use super::{nothing_is_lost, rounds};

/// Votes are acknowledged before each cut: few, so that many cuts hit the first moments, where most can go wrong.
const BEFORE_A_CUT: usize = 30;

#[test]
fn no_acknowledged_vote_is_lost_when_the_power_is_cut() {
    let disk = match Mount::ext4(96 << 20) {
        Ok(disk) => disk,
        Err(why) => return roomtone_tests::skip("power cuts", &why),
    };
    let mut acknowledged = HashSet::new();
    for round in 0..rounds(12) {
        let victim = cut_power_under(&disk, "votes", BEFORE_A_CUT + 17 * round as usize);
        acknowledged.extend(victim.acknowledged.iter().copied());
        nothing_is_lost(&disk.path(), &acknowledged);
    }
}

/// The negative control: the same cuts under a database that does not wait for the disk. If nothing were lost here, the
/// test above would prove nothing.
#[test]
fn the_power_cut_takes_what_was_not_flushed() {
    let disk = match Mount::ext4(96 << 20) {
        Ok(disk) => disk,
        Err(why) => return roomtone_tests::skip("power cuts, negative control", &why),
    };
    let mut acknowledged = HashSet::new();
    for _ in 0..20 {
        let victim = cut_power_under(&disk, "plain", BEFORE_A_CUT);
        acknowledged.extend(victim.acknowledged.iter().map(ToString::to_string));
        let conn = rusqlite::Connection::open(disk.path().join("plain.db")).unwrap();
        let stored = conn.prepare("select id from votes").and_then(|mut select| {
            select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<HashSet<String>>>()
        });
        if !acknowledged.is_subset(&stored.unwrap_or_default()) {
            return;
        }
    }
    panic!("20 power cuts took nothing from a database that does not wait for the disk");
}

fn cut_power_under(disk: &Mount, what: &str, votes: usize) -> Victim {
    let mut victim = Victim::start(what, &disk.path(), &["4"]);
    assert!(victim.listen_until(|victim| victim.acknowledged.len() >= votes), "{:?}", victim.other);
    victim.signal(Signal::STOP);
    disk.cut_power();
    let victim = victim.kill();
    disk.power_on();
    victim
}
