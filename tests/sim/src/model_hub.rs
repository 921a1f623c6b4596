//! A small hub's database: what SQLite does for the engine, in memory. It survives crashes, loses what was not synced when
//! the power is cut, can be copied, put back, filled up and damaged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roomtone_schema::BootId;
use roomtone_schema::id::Id as _;
use roomtone_sync::store::{HubStore, LinkState, LocalTrouble, Present};
use roomtone_sync::wire::{Apart, Cursor, Fact, HeardAnswer, Row, Scope, Stamp};
use roomtone_sync::{chain, digest};
use uuid::Uuid;

use crate::defences::Defences;
use crate::model_cloud::Said;
use crate::versions::Age;

/// A row as it was applied, and whether what lies there is still that.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    seq: i64,
    body: Vec<u8>,
    is_damaged: bool,
    is_marked: bool,
    /// Its program knows the kind; of others it notes the version alone.
    is_known: bool,
}

/// Everything in the file.
#[derive(Debug, Clone, Default)]
pub struct File {
    epoch: i64,
    predecessor: Option<Uuid>,
    /// Where the file lay at the last hello.
    noted: u64,
    outbox: BTreeMap<i64, (Fact, [u8; 32])>,
    /// What `sqlite_sequence` remembers.
    sequence: i64,
    last_link: [u8; 32],
    acked: i64,
    cursors: BTreeMap<Scope, Cursor>,
    rows: BTreeMap<(Scope, String, Uuid), Kept>,
    stage: BTreeMap<Scope, (String, BTreeMap<u64, Vec<Row>>)>,
    revisions: BTreeMap<String, u32>,
    dead: BTreeMap<i64, Apart>,
    /// The links of rows that were removed: SQLite's store keeps the newest row for this.
    purged: BTreeMap<i64, [u8; 32]>,
}

#[derive(Debug)]
struct Disk {
    file: File,
    /// What is left when the power is cut, where facts are not synced.
    synced: Option<File>,
    place: u64,
    is_full: bool,
    /// Of the program that uses it.
    age: Age,
    /// What the program did that it need not have done.
    needless: Vec<String>,
}

/// The database. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SimHub {
    disk: Arc<Mutex<Disk>>,
    defences: Defences,
}

type Stored<T> = Result<T, LocalTrouble>;

impl SimHub {
    /// An empty one, under a program of that age.
    pub fn new(defences: Defences, place: u64, age: Age) -> Self {
        let file = File { epoch: 1, noted: place, ..File::default() };
        let disk = Disk { file, synced: None, place, is_full: false, age, needless: vec![] };
        Self { disk: Arc::new(Mutex::new(disk)), defences }
    }

    /// How old the program is that uses it.
    pub fn age(&self) -> Age {
        self.lock().age
    }

    /// From now on a program of that age uses it.
    pub fn run_by(&self, age: Age) {
        self.lock().age = age;
    }

    /// What the program did that it need not have done.
    pub fn needless(&self) -> Vec<String> {
        self.lock().needless.clone()
    }

    /// Up to which revision each kind was taken.
    pub fn revisions(&self) -> BTreeMap<String, u32> {
        self.lock().file.revisions.clone()
    }

    /// All that came down is lost, and has to come again.
    pub fn forget(&self) {
        let file = &mut self.lock().file;
        file.rows.clear();
        file.cursors.clear();
        file.stage.clear();
        file.revisions.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, change: impl FnOnce(&mut File) -> T) -> Stored<T> {
        let mut disk = self.lock();
        if disk.is_full {
            return Err(LocalTrouble("the disk is full".to_owned()));
        }
        Ok(change(&mut disk.file))
    }

    /// The same, for what depends on the program.
    fn write_rows<T>(&self, change: impl FnOnce(&mut File, Age) -> T) -> Stored<T> {
        let age = self.age();
        self.write(|file| change(file, age))
    }

    /// Notes what need not have been done.
    fn complain(&self, what: String) {
        self.lock().needless.push(what);
    }

    /// Writes a fact; `true` where it is confirmed.
    pub fn tell(&self, said: &Said, stamp: Stamp) -> bool {
        let Ok(payload) = serde_json::to_vec(said) else { return false };
        let is_synced = self.defences.full;
        let mut disk = self.lock();
        if disk.is_full {
            return false;
        }
        if !is_synced && disk.synced.is_none() {
            disk.synced = Some(disk.file.clone());
        }
        let file = &mut disk.file;
        let newest = file.outbox.last_key_value().map_or(0, |(seq, _)| *seq);
        let seq = if self.defences.autoincrement { file.sequence.max(newest) + 1 } else { newest + 1 };
        file.sequence = seq;
        let link = chain::link(&file.last_link, &payload);
        file.last_link = link;
        let hlc = stamp.wall_ms.max(0).cast_unsigned() << 16;
        let (boot, mono_ms, wall_ms) = (stamp.boot, stamp.mono_ms, stamp.wall_ms);
        let fact = Fact { kind: "vote_cast".to_owned(), payload, hlc, boot, mono_ms, wall_ms };
        file.outbox.insert(seq, (fact, link));
        true
    }

    /// The system writes what was not synced, as it does now and then.
    pub fn flush(&self) {
        self.lock().synced = None;
    }

    /// The power is cut.
    pub fn power_cut(&self) {
        let mut disk = self.lock();
        if let Some(synced) = disk.synced.take() {
            disk.file = synced;
        }
    }

    /// Removes acknowledged facts, as after 35 days; all of them.
    pub fn purge(&self) {
        let file = &mut self.lock().file;
        let acked = file.acked;
        if let Some((_, link)) = file.outbox.get(&acked) {
            file.purged = BTreeMap::from([(acked, *link)]);
        }
        file.outbox.retain(|seq, _| *seq > acked);
    }

    /// The disk is full, or has room again.
    pub fn fill(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// A copy of the file.
    pub fn copy(&self) -> File {
        self.lock().file.clone()
    }

    /// Puts a file in place, at some place of some disk.
    pub fn put(&self, file: File, place: u64) {
        let disk = &mut self.lock();
        (disk.file, disk.synced, disk.place, disk.is_full) = (file, None, place, false);
    }

    /// A bit of a row flips; `nth` says of which.
    pub fn damage(&self, nth: usize) {
        let file = &mut self.lock().file;
        let many = file.rows.values().filter(|kept| kept.is_known).count().max(1);
        if let Some(kept) = file.rows.values_mut().filter(|kept| kept.is_known).nth(nth % many) {
            kept.body.push(0);
            kept.is_damaged = true;
        }
    }

    /// Its rows of a scope.
    pub fn table(&self, scope: Scope) -> BTreeMap<(String, Uuid), (i64, Vec<u8>)> {
        let disk = self.lock();
        let rows = disk.file.rows.iter().filter(|((of, ..), kept)| *of == scope && kept.is_known);
        rows.map(|((_, kind, pk), kept)| ((kind.clone(), *pk), (kept.seq, kept.body.clone()))).collect()
    }

    /// Facts that are not acknowledged.
    pub fn pending(&self) -> i64 {
        let file = &self.lock().file;
        file.outbox.keys().filter(|seq| **seq > file.acked).count() as i64
    }

    /// The facts that are acknowledged and still there.
    pub fn acknowledged(&self) -> Vec<Uuid> {
        let file = &self.lock().file;
        let facts = file.outbox.range(..=file.acked);
        facts
            .filter_map(|(_, (fact, _))| Some(serde_json::from_slice::<Said>(&fact.payload).ok()?.id))
            .collect()
    }

    /// Whether a fact is in the outbox.
    pub fn has(&self, id: Uuid) -> bool {
        let is_it =
            |fact: &Fact| serde_json::from_slice::<Said>(&fact.payload).is_ok_and(|said| said.id == id);
        self.lock().file.outbox.values().any(|(fact, _)| is_it(fact))
    }

    /// Facts that the cloud keeps apart, as the hub was told.
    pub fn dead(&self) -> usize {
        self.lock().file.dead.len()
    }
}

impl File {
    fn put_row(&mut self, scope: Scope, row: Row, age: Age) {
        let key = (scope, row.kind, row.pk);
        if self.rows.get(&key).is_some_and(|kept| kept.seq > row.seq) {
            return;
        }
        match row.body {
            Some(body) => {
                let (body, is_known) = (age.columns_of(&key.1, &body), age.revision_of(&key.1).is_some());
                let sound = Kept { seq: row.seq, body, is_damaged: false, is_marked: false, is_known };
                self.rows.insert(key, sound);
            }
            None => drop(self.rows.remove(&key)),
        }
    }
}

impl HubStore for SimHub {
    async fn state(&self) -> Stored<LinkState> {
        let disk = self.lock();
        let file = &disk.file;
        let newest = file.outbox.last_key_value().map_or(0, |(seq, _)| *seq);
        let last_seq = if self.defences.autoincrement { file.sequence.max(newest) } else { newest };
        let at_acked = file.outbox.get(&file.acked).map(|(_, link)| *link);
        let at_end = (file.acked == last_seq).then_some(file.last_link);
        Ok(LinkState {
            epoch: file.epoch,
            predecessor: file.predecessor,
            moved: file.noted != disk.place,
            last_seq,
            acked: file.acked,
            oldest: file.outbox.first_key_value().map_or(last_seq + 1, |(seq, _)| *seq),
            acked_chain: if file.acked == 0 {
                Some([0; 32])
            } else {
                at_acked.or(at_end).or(file.purged.get(&file.acked).copied())
            },
            cursors: file.cursors.iter().map(|(scope, cursor)| (*scope, *cursor)).collect(),
            revisions: file.revisions.clone().into_iter().collect(),
        })
    }

    async fn present(&self) -> Stored<Present> {
        let now = Stamp { boot: BootId::from_uuid(Uuid::nil()), mono_ms: 0, wall_ms: 0 };
        Ok(Present {
            now,
            steady_ms: 0,
            software: "sim".to_owned(),
            zones: vec![],
            players: vec![],
            rooms: vec![],
            guests_cut_off: false,
        })
    }

    async fn settle_instance(&self, instance: Uuid) -> Stored<()> {
        let place = self.lock().place;
        self.write(|file| (file.predecessor, file.noted) = (Some(instance), place))
    }

    async fn facts_after(&self, seq: i64, most: usize, bytes: usize) -> Stored<([u8; 32], Vec<Fact>)> {
        let file = &self.lock().file;
        let kept = file.outbox.get(&seq).map(|(_, link)| *link);
        let before = kept.or_else(|| file.purged.get(&seq).copied()).unwrap_or_default();
        let next = file.outbox.range(seq + 1..).take(most);
        // Without a gap: what follows one is not after `seq`.
        let next = next.enumerate().take_while(|(place, (at, _))| **at == seq + 1 + *place as i64);
        let mut room = bytes;
        let facts = next.map(|(_, (_, (fact, _)))| fact.clone()).take_while(|fact| {
            let fits = room > 0;
            room = room.saturating_sub(fact.payload.len());
            fits
        });
        let facts = facts.collect();
        Ok((before, facts))
    }

    async fn acknowledge(&self, ack: i64, apart: Vec<(Apart, Fact)>) -> Stored<()> {
        self.write(|file| {
            file.acked = file.acked.max(ack);
            file.dead.extend(apart.into_iter().map(|(apart, _)| (apart.seq, apart)));
        })
    }

    async fn go_on_from(&self, epoch: i64, ack: i64) -> Stored<()> {
        self.write(|file| (file.epoch, file.acked) = (epoch, ack))
    }

    async fn apply(&self, scope: Scope, from: Cursor, to: Cursor, rows: Vec<Row>) -> Stored<()> {
        self.write_rows(|file, age| {
            if file.cursors.get(&scope).copied().unwrap_or_default() != from {
                return;
            }
            for row in rows {
                file.put_row(scope, row, age);
            }
            file.cursors.insert(scope, to);
        })
    }

    async fn stage(&self, scope: Scope, name: String) -> Stored<u64> {
        self.write(|file| {
            let stage = file.stage.entry(scope).or_default();
            if stage.0 != name {
                *stage = (name, BTreeMap::new());
            }
            stage.1.len() as u64
        })
    }

    async fn stage_part(&self, scope: Scope, part: u64, rows: Vec<Row>) -> Stored<()> {
        let before = self.write(|file| file.stage.entry(scope).or_default().1.insert(part, rows))?;
        if before.is_some() {
            self.complain(format!("part {part} of {scope} was fetched though it was there"));
        }
        Ok(())
    }

    async fn unstage(&self, scope: Scope, to: Cursor, whole: bool) -> Stored<()> {
        self.write_rows(|file, age| {
            let Some((_, parts)) = file.stage.remove(&scope) else { return };
            if whole {
                file.rows.retain(|(of, ..), _| *of != scope);
            }
            parts.into_values().flatten().for_each(|row| file.put_row(scope, row, age));
            file.cursors.insert(scope, to);
        })
    }

    async fn digest(&self, scope: Scope) -> Stored<Vec<[u8; 16]>> {
        let disk = self.lock();
        let rows = disk.file.rows.iter().filter(|((of, ..), kept)| *of == scope && !kept.is_marked);
        Ok(digest::of_rows(rows.map(|((_, kind, pk), kept)| (kind.as_str(), *pk, kept.seq))))
    }

    async fn replace(
        &self,
        scope: Scope,
        kinds: Vec<String>,
        buckets: Vec<u8>,
        rows: Vec<Row>,
        to: Option<Cursor>,
    ) -> Stored<()> {
        let revisions = self.revisions();
        let age = self.age();
        for kind in kinds.iter().filter(|kind| {
            let known = age.revision_of(kind);
            known.is_some() && known == revisions.get(*kind).copied()
        }) {
            self.complain(format!("{kind} was fetched again though it has not grown"));
        }
        self.write(|file| {
            file.rows.retain(|(of, kind, pk), _| {
                let is_meant = *of == scope
                    && (kinds.is_empty() || kinds.contains(kind))
                    && (buckets.is_empty() || buckets.contains(&digest::bucket_of(*pk)));
                !is_meant
            });
            for row in rows {
                file.put_row(scope, row, age);
            }
            if let Some(to) = to {
                file.cursors.insert(scope, to);
            }
        })
    }

    async fn note_revision(&self, kind: String, revision: u32) -> Stored<()> {
        self.write(|file| {
            file.revisions.insert(kind, revision);
        })
    }

    async fn scrub(&self, _: u32) -> Stored<u64> {
        self.write(|file| {
            let damaged = file.rows.values_mut().filter(|kept| kept.is_damaged);
            damaged.map(|kept| kept.is_marked = true).count() as u64
        })
    }

    async fn recall(&self, _: HeardAnswer) -> Stored<()> {
        Ok(())
    }
}
