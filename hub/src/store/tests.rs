//! The store as its callers see it.

use std::path::Path;
use std::sync::Arc;

use roomtone_schema::id::Id;
use roomtone_schema::vote::{Vote, VoteValue};
use roomtone_schema::{FactId, ListenerId, ManualClock, SessionId, SongId, UnixMillis, VoteId};
use tempfile::TempDir;

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir, Arc::new(ManualClock::at(NOW))).unwrap()
}

fn mint<T: Id>(number: u64) -> T {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    T::mint(NOW, random)
}

#[test]
fn a_new_store_is_empty_and_the_same_store_is_found_again() {
    let dir = TempDir::new().unwrap();
    let (store, opened) = open(dir.path());
    assert!(opened.created && !opened.unclean);
    store.write_blocking(|tx| hub_state::put(tx, hub_state::LAST_MS, 7)).unwrap();
    store.close();
    drop(store);
    let (store, opened) = open(dir.path());
    assert_eq!(opened, Opened::default());
    let time = store.read_blocking(hub_state::last_time).unwrap();
    assert_eq!(time, UnixMillis(7));
}
