//! S6: the file is damaged, in many ways. Never a panic, never a silent empty start.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roomtone_hub::store::{FILE_NAME, Opened, Store};
use roomtone_schema::{SystemClock, VoteId};
use tempfile::TempDir;

use super::{open, rounds, sample, stored};

const BEFORE_THE_BACKUP: usize = 150;
const AFTER_THE_BACKUP: usize = 150;

/// The page size of the database.
const PAGE: usize = 1024;

/// A data folder with votes, a backup halfway, and everything written into the database itself.
struct Folder {
    dir: TempDir,
    votes: HashSet<VoteId>,
}

impl Folder {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (store, _) = open(dir.path());
        sample::add_song(&store).unwrap();
        let mut votes = HashSet::new();
        cast(&store, BEFORE_THE_BACKUP, &mut votes);
        store.back_up().unwrap().unwrap();
        cast(&store, AFTER_THE_BACKUP, &mut votes);
        store.close();
        Self { dir, votes }
    }

    fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        std::fs::create_dir(copy.path().join("backups")).unwrap();
        for name in files(self.dir.path()) {
            std::fs::copy(self.dir.path().join(&name), copy.path().join(&name)).unwrap();
        }
        copy
    }
}

fn cast(store: &Store, how_many: usize, votes: &mut HashSet<VoteId>) {
    for _ in 0..how_many {
        let (id, work) = sample::vote();
        store.write_blocking(work).unwrap();
        votes.insert(id);
    }
}

/// The database and its backups, relative to the folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let backups = std::fs::read_dir(dir.join("backups")).unwrap();
    let backups = backups.map(|entry| Path::new("backups").join(entry.unwrap().file_name()));
    backups.chain([PathBuf::from(FILE_NAME)]).collect()
}

/// Spreads a seed over 64 bits (the generator `SplitMix64`), so that each failing case can be named and repeated.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Damages a file as the seed says: a page of noise, a page of zeros, a single bit, a cut.
fn damage(path: &Path, seed: u64) -> &'static str {
    let mut state = seed;
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let page = random(&mut state) % (length / PAGE as u64);
    match seed % 4 {
        0 => {
            let noise: Vec<u8> = (0..PAGE).map(|_| random(&mut state) as u8).collect();
            file.write_all_at(&noise, page * PAGE as u64).unwrap();
            "a page of noise"
        }
        1 => {
            file.write_all_at(&[0; PAGE], page * PAGE as u64).unwrap();
            "a page of zeros"
        }
        2 => {
            let at = random(&mut state) % length;
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1 << (random(&mut state) % 8)], at).unwrap();
            "a flipped bit"
        }
        _ => {
            file.set_len((page + 1) * PAGE as u64).unwrap();
            "a cut file"
        }
    }
}

fn try_open(dir: &Path) -> Result<(Store, Opened), String> {
    Store::open(dir, Arc::new(SystemClock::new())).map_err(|error| error.to_string())
}

#[test]
fn damage_is_mended_or_told_and_never_silent() {
    let folder = Folder::new();
    let seeds: Vec<u64> = (0..rounds(64)).collect();
    let tally = std::sync::Mutex::new([0_u32; 4]);
    std::thread::scope(|scope| {
        for seeds in seeds.chunks(seeds.len().div_ceil(16)) {
            scope.spawn(|| seeds.iter().for_each(|&seed| try_seed(&folder, seed, &tally)));
        }
    });
    let [unharmed, told, mended, refused] = tally.into_inner().unwrap();
    println!("{unharmed} unharmed, {told} told, {mended} mended, {refused} refused in words");
    assert!(0 < mended, "the damage damaged nothing");
}

fn try_seed(folder: &Folder, seed: u64, tally: &std::sync::Mutex<[u32; 4]>) {
    let copy = folder.copy();
    let what = damage(&copy.path().join(FILE_NAME), seed);
    let count = |outcome: usize| tally.lock().unwrap()[outcome] += 1;
    let (store, opened) = match try_open(copy.path()) {
        Ok(opened) => opened,
        // A database that names another owner or version is left alone, in words.
        Err(error) => {
            assert!(error.len() > 20, "seed {seed}, {what}: {error}");
            return count(3);
        }
    };
    let votes = stored(&store);
    match opened.restored {
        Some(restored) => {
            let lost = restored.lost.unwrap_or(AFTER_THE_BACKUP as u64) as usize;
            assert!(restored.from_backup.is_some(), "seed {seed}, {what}: there was a sound backup");
            assert!(restored.kept_at.unwrap().join(FILE_NAME).exists(), "seed {seed}, {what}: kept");
            assert!(votes.is_subset(&folder.votes), "seed {seed}, {what}: nothing was made up");
            assert!(votes.len() >= BEFORE_THE_BACKUP, "seed {seed}, {what}: {} votes", votes.len());
            assert!(votes.len() + lost >= folder.votes.len(), "seed {seed}, {what}: {lost} said to be lost");
            count(2);
        }
        None if opened.unsound_facts > 0 => count(1),
        None => {
            assert_eq!(votes.len(), folder.votes.len(), "seed {seed}, {what}: a silent loss");
            count(0);
        }
    }
    // Whatever happened, from here on it works.
    store.write_blocking(sample::vote().1).unwrap();
}

#[test]
fn without_a_backup_what_proves_itself_is_saved() {
    let folder = Folder::new();
    let copy = folder.copy();
    std::fs::remove_dir_all(copy.path().join("backups")).unwrap();
    let path = copy.path().join(FILE_NAME);
    let votes_root: u64 = {
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.query_row("select rootpage from sqlite_schema where name = 'votes'", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
        .cast_unsigned()
    };
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; PAGE], (votes_root - 1) * PAGE as u64).unwrap();
    let (store, opened) = try_open(copy.path()).unwrap();
    let restored = opened.restored.unwrap();
    assert_eq!((restored.from_backup, restored.lost), (None, Some(0)));
    assert_eq!(restored.salvaged, 1 + folder.votes.len() as u64, "a song and every vote");
    assert_eq!(stored(&store), folder.votes, "the outbox still knew all of them");
}

#[test]
fn a_lost_index_a_cut_log_and_an_older_file_are_no_damage() {
    let folder = Folder::new();
    // As after a kill: the log is there, the file was not closed.
    let (store, _) = open(folder.dir.path());
    let mut later = HashSet::new();
    cast(&store, 20, &mut later);
    let copy = folder.copy();
    for ending in ["-wal", "-shm"] {
        let name = format!("{FILE_NAME}{ending}");
        std::fs::copy(folder.dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    std::fs::remove_file(copy.path().join(format!("{FILE_NAME}-shm"))).unwrap();
    let log = OpenOptions::new().write(true).open(copy.path().join(format!("{FILE_NAME}-wal"))).unwrap();
    log.set_len(log.metadata().unwrap().len() / 2 + 100).unwrap();
    let (cut, opened) = try_open(copy.path()).unwrap();
    assert!(opened.unclean && opened.restored.is_none() && opened.unsound_facts == 0, "{opened:?}");
    let votes = stored(&cut);
    assert!(folder.votes.is_subset(&votes), "what the file itself holds is there");
}
