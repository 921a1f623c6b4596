//! The store under power cuts, kills, full and failing disks, damage and wear.
//!
//! A vote that was acknowledged is there afterwards: every test here comes down to that sentence. The faults by their
//! letters:
//!
//! - S1 power cut, with a negative control (`power`); S2 kill (`process`, and of the whole hub in `e2e/kills.rs`)
//! - S3 fsync fails, S4 the disk is full, S5 reads fail (`disk`); S6 the file is damaged (`damage`)
//! - S8 a reader that never ends (`wear`); S9 two hubs, S10 a kill in the first migration (`process`; a newer schema is
//!   a unit test of the store); S11 out of memory (`memory`); S12 bytes written to flash (`wear`)
//!
//! S7, a torn song file, is the media folder's and tested there. `ROOMTONE_ROUNDS` multiplies how often the random
//! ones are tried.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod damage;
mod disk;
mod memory;
mod mount;
mod power;
mod process;
#[path = "sample.rs"]
mod sample;
mod victim_process;
mod wear;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use roomtone_hub::store::{FactKind, Opened, Store, outbox};
use roomtone_schema::id::Id;
use roomtone_schema::vote::Vote;
use roomtone_schema::{SystemClock, VoteId};

/// How often a random test is tried.
fn rounds(usual: u64) -> u64 {
    let times = std::env::var("ROOMTONE_ROUNDS").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1)
}

fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir, Arc::new(SystemClock::new())).unwrap()
}

/// Every vote of the log.
fn stored(store: &Store) -> HashSet<VoteId> {
    ids(store, "select id from votes")
}

/// Every vote that a fact tells of.
fn told(store: &Store) -> HashSet<VoteId> {
    let facts = store.read_blocking(|conn| outbox::after(conn, 0, u32::MAX)).unwrap();
    let votes = facts.iter().filter(|fact| fact.kind == FactKind::VoteCast);
    votes.map(|fact| fact.noun::<Vote>().unwrap().id).collect()
}

fn ids(store: &Store, sql: &'static str) -> HashSet<VoteId> {
    store
        .read_blocking(move |conn| {
            conn.prepare(sql)?.query_map([], |row| row.get(0).map(VoteId::from_bytes))?.collect()
        })
        .unwrap()
}

/// Opens the store after a mishap: nothing acknowledged is missing, every vote has its fact, nothing had to be mended.
fn nothing_is_lost(dir: &Path, acknowledged: &HashSet<VoteId>) {
    let (store, opened) = open(dir);
    assert_eq!((opened.restored, opened.unsound_facts), (None, 0), "the file is sound");
    let stored = stored(&store);
    let missing = acknowledged.difference(&stored).count();
    assert_eq!(missing, 0, "of {} acknowledged votes, {missing} are lost", acknowledged.len());
    assert_eq!(stored, told(&store), "every vote has its fact, and every fact its vote");
}
