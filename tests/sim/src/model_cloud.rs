//! A small cloud's database: what Postgres does for hubs, in memory. It survives crashes of the program that uses it, can be
//! put back to an earlier state, and each of its defences can be switched off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roomtone_schema::{HubId, OrganisationId, UnixMillis, VenueId};
use roomtone_sync::fencing::{self, Seat};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    Apart, Cursor, DigestAnswer, Fact, Head, HeardAnswer, HeardAsk, Hello, HelloAnswer, Outcome, Page,
    Problem, ProblemCode, PullAsk, Push, PushAnswer, Row, RowsAnswer, RowsAsk, Scope,
};
use roomtone_sync::{chain, digest};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use uuid::Uuid;

use crate::defences::Defences;
use crate::objects::Kept;
use crate::versions::Age;

/// What a fact of the simulation says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its own id.
    pub id: Uuid,
    /// What becomes of it.
    pub fate: Fate,
}

/// What the cloud will make of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// Apply it.
    Good,
    /// Keep it until what it depends on is there.
    Early,
    /// Keep it for a person.
    Poison,
}

/// A change of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    tag: i64,
    kind: String,
    pk: Uuid,
    /// Whether the transaction that made it has ended. Sealed feeds have no other.
    is_there: bool,
}

/// A row: its version, and its noun while it lives.
type Live = (i64, Option<Vec<u8>>);

/// Everything that a backup holds.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    seats: BTreeMap<HubId, Seat>,
    hashes: BTreeMap<(HubId, i64, i64), [u8; 32]>,
    links: BTreeMap<(HubId, i64, i64), [u8; 32]>,
    applied: BTreeSet<Uuid>,
    apart: BTreeMap<Uuid, Outcome>,
    tally: u64,
    feeds: BTreeMap<Scope, Vec<Change>>,
    rows: BTreeMap<(Scope, String, Uuid), Live>,
    snapshots: BTreeMap<Scope, Kept>,
    /// Changes whose transaction is under way, where feeds are not sealed.
    open: Vec<UnderWay>,
}

/// Of which scope, at which place of its feed, and what the row will be.
type UnderWay = (Scope, usize, String, Uuid, Option<Vec<u8>>);

/// The database. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SimCloud {
    tables: Arc<Mutex<Tables>>,
    hubs: Arc<BTreeMap<HubId, KnownHub>>,
    age: Arc<Mutex<Age>>,
    defences: Defences,
}

fn refusal(code: ProblemCode, message: &str) -> Problem {
    Problem { code, message: message.to_owned(), ack: None, retry_after_ms: None }
}

impl SimCloud {
    /// An empty one that knows some hubs, under a program of that age.
    pub fn new(hubs: Vec<KnownHub>, age: Age, defences: Defences) -> Self {
        let hubs = hubs.into_iter().map(|hub| (hub.id, hub)).collect();
        Self { tables: Arc::default(), hubs: Arc::new(hubs), age: Arc::new(Mutex::new(age)), defences }
    }

    /// How old the program is that uses it.
    pub fn age(&self) -> Age {
        *self.age.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a program of today uses it.
    pub fn upgrade(&self) {
        *self.age.lock().unwrap_or_else(PoisonError::into_inner) = Age::New;
    }

    /// Up to which revision that program tells the kind that grows.
    pub fn revision(&self) -> u32 {
        self.age().revision_of(crate::versions::GROWN.word()).unwrap_or(0)
    }

    /// The snapshot of a scope.
    pub fn snapshot(&self, scope: Scope) -> Option<Kept> {
        self.lock().snapshots.get(&scope).cloned()
    }

    /// Keeps a snapshot in the place of the one before, which is returned.
    pub fn keep_snapshot(&self, scope: Scope, kept: Kept) -> Option<Kept> {
        self.lock().snapshots.insert(scope, kept)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A backup.
    pub fn backup(&self) -> Tables {
        let mut tables = self.lock().clone();
        tables.abort();
        tables
    }

    /// Puts a backup back.
    pub fn restore(&self, backup: Tables) {
        *self.lock() = backup;
    }

    /// Changes a row, or removes it. Where feeds are not sealed, the transaction is under way until [`SimCloud::commit`].
    pub fn change(&self, scope: Scope, kind: &str, pk: Uuid, body: Option<Vec<u8>>, tag: i64) {
        let is_sealed = self.defences.seal;
        let mut tables = self.lock();
        let feed = tables.feeds.entry(scope).or_default();
        feed.push(Change { tag, kind: kind.to_owned(), pk, is_there: is_sealed });
        let place = feed.len() - 1;
        if is_sealed {
            tables.rows.insert((scope, kind.to_owned(), pk), (place as i64 + 1, body));
        } else {
            tables.open.push((scope, place, kind.to_owned(), pk, body));
        }
    }

    /// Ends the transactions that are under way, the newest first.
    pub fn commit(&self, most: usize) {
        let mut tables = self.lock();
        for _ in 0..most {
            let Some((scope, place, kind, pk, body)) = tables.open.pop() else { return };
            tables.feeds.entry(scope).or_default()[place].is_there = true;
            let version = place as i64 + 1;
            let row = tables.rows.entry((scope, kind, pk)).or_default();
            if row.0 < version {
                *row = (version, body);
            }
        }
    }

    /// The rows of a scope as they should be in a hub whose program is of that age.
    pub fn projection(&self, scope: Scope, age: Age) -> BTreeMap<(String, Uuid), (i64, Vec<u8>)> {
        let tables = self.lock();
        let live = tables.live(scope, self.age()).filter(|row| age.revision_of(&row.kind).is_some());
        live.filter_map(|row| {
            let body = age.columns_of(&row.kind, row.body.as_ref()?);
            Some(((row.kind, row.pk), (row.seq, body)))
        })
        .collect()
    }

    /// Whether a fact is here, applied or kept apart.
    pub fn has(&self, id: Uuid) -> bool {
        let tables = self.lock();
        tables.applied.contains(&id) || tables.apart.contains_key(&id)
    }

    /// How many facts were counted, and how many different ones there are.
    pub fn counted(&self) -> (u64, u64) {
        let tables = self.lock();
        (tables.tally, (tables.applied.len() + tables.apart.len()) as u64)
    }
}

impl Tables {
    /// What was under way when the program died.
    fn abort(&mut self) {
        self.open.clear();
    }

    fn head(&self, scope: Scope) -> i64 {
        let feed = self.feeds.get(&scope).map_or(&[][..], Vec::as_slice);
        feed.iter().rposition(|change| change.is_there).map_or(0, |place| place as i64 + 1)
    }

    fn tag(&self, scope: Scope, seq: i64) -> i64 {
        let place = usize::try_from(seq - 1).ok();
        place.and_then(|place| self.feeds.get(&scope)?.get(place)).map_or(0, |change| change.tag)
    }

    fn at(&self, scope: Scope) -> Cursor {
        let seq = self.head(scope);
        Cursor { seq, tag: self.tag(scope, seq) }
    }

    fn row(&self, scope: Scope, kind: &str, pk: Uuid, age: Age) -> Row {
        let (seq, body) = self.rows.get(&(scope, kind.to_owned(), pk)).cloned().unwrap_or_default();
        let body = body.map(|body| age.columns_of(kind, &body));
        Row { seq, kind: kind.to_owned(), pk, body }
    }

    fn live(&self, scope: Scope, age: Age) -> impl Iterator<Item = Row> {
        let of_scope = self.rows.iter().filter(move |((of, ..), (_, body))| *of == scope && body.is_some());
        of_scope.map(move |((_, kind, pk), (seq, body))| Row {
            seq: *seq,
            kind: kind.clone(),
            pk: *pk,
            body: body.as_ref().map(|body| age.columns_of(kind, body)),
        })
    }

    /// Takes a fact; what it says is counted once, whatever number it comes under.
    fn take(&mut self, seq: i64, fact: &Fact, apart: &mut Vec<Apart>) {
        let Ok(said) = serde_json::from_slice::<Said>(&fact.payload) else { return };
        if self.applied.contains(&said.id) {
            return;
        }
        let outcome = match said.fate {
            Fate::Good => {
                self.applied.insert(said.id);
                self.tally += 1;
                return;
            }
            Fate::Early => Outcome::Parked,
            Fate::Poison => Outcome::Rejected,
        };
        if self.apart.insert(said.id, outcome).is_none() {
            self.tally += 1;
        }
        apart.push(Apart { seq, outcome, reason: "the simulation says so".to_owned() });
    }
}

impl CloudStore for SimCloud {
    async fn hub(&self, hub: HubId) -> Result<Option<KnownHub>, Problem> {
        Ok(self.hubs.get(&hub).cloned())
    }

    async fn hello(&self, hub: &KnownHub, hello: Hello, now: UnixMillis) -> Result<HelloAnswer, Problem> {
        let mut tables = self.lock();
        let seat = tables.seats.get(&hub.id).cloned();
        let epoch = seat.as_ref().map_or(hello.epoch, |seat| seat.epoch);
        let known = tables.links.get(&(hub.id, epoch, hello.acked)).copied().filter(|_| self.defences.hash);
        let mut decided = fencing::decide(seat.as_ref(), &hello, known, now);
        if !self.defences.hash {
            // Who trusts numbers alone goes on behind what it has.
            decided.ack = decided.seat.ack;
        }
        let seat = decided.seat;
        if let Some(chain) = seat.chain {
            tables.links.insert((hub.id, seat.epoch, seat.ack), chain);
        }
        let heads = hub.scopes().map(|scope| Head { scope, seq: tables.head(scope) }).to_vec();
        let (epoch, standing) = (seat.epoch, decided.standing);
        tables.seats.insert(hub.id, seat);
        Ok(HelloAnswer {
            standing,
            now,
            epoch,
            ack: decided.ack,
            lease_ms: fencing::LEASE.as_millis() as u64,
            heads,
            revisions: self
                .age()
                .reads()
                .iter()
                .map(|(kind, up_to)| (kind.word().to_owned(), *up_to))
                .collect(),
            ticket_keys: vec![],
            venue_name: "the venue".to_owned(),
            hub_name: "the hub".to_owned(),
            news_every_ms: 0,
        })
    }

    async fn push(&self, hub: &KnownHub, push: Push, now: UnixMillis) -> Result<PushAnswer, Problem> {
        let mut tables = self.lock();
        let before = (hub.id, push.epoch, push.first_seq - 1);
        let link_before = tables.links.get(&before).copied();
        let mut seat = tables.seats.get(&hub.id).cloned();
        if !self.defences.hash
            && let Some(seat) = &mut seat
        {
            seat.chain = None;
        }
        fencing::admit(seat.as_ref(), &push, link_before.filter(|_| self.defences.hash))?;
        let seat = seat.ok_or_else(|| refusal(ProblemCode::Epoch, "no hello"))?;
        let facts =
            push.facts.into_facts().map_err(|error| refusal(ProblemCode::Malformed, &error.to_string()))?;
        let numbered = |place: usize| (hub.id, push.epoch, push.first_seq + place as i64);
        for (place, fact) in facts.iter().enumerate() {
            let hash = chain::payload_hash(&fact.payload);
            if self.defences.hash && tables.hashes.get(&numbered(place)).is_some_and(|known| *known != hash) {
                return Err(fencing::fork("a number that was taken by another fact"));
            }
        }
        let mut apart = Vec::new();
        for (place, fact) in facts.iter().enumerate() {
            let hash = chain::payload_hash(&fact.payload);
            if tables.hashes.contains_key(&numbered(place)) {
                continue;
            }
            tables.hashes.insert(numbered(place), hash);
            tables.take(push.first_seq + place as i64, fact, &mut apart);
        }
        let last = push.first_seq + facts.len() as i64 - 1;
        let link = chain::link_behind(&push.before, &facts);
        tables.links.insert((hub.id, push.epoch, last), link);
        let ack = seat.ack.max(last);
        if let Some(seat) = tables.seats.get_mut(&hub.id)
            && last >= seat.ack
        {
            (seat.ack, seat.chain) = (last, Some(link));
        }
        Ok(PushAnswer { ack, apart, now })
    }

    async fn pull(&self, _: &KnownHub, ask: PullAsk) -> Result<Page, Problem> {
        let tables = self.lock();
        let (scope, from, head) = (ask.scope, ask.from, tables.head(ask.scope));
        let is_another = self.defences.tag && tables.tag(scope, from.seq) != from.tag;
        if from.seq > head || (from.seq > 0 && is_another) {
            return Err(refusal(ProblemCode::Diverged, "this cursor is none of this feed's"));
        }
        let to = head.min(from.seq + i64::from(ask.limit));
        let feed = tables.feeds.get(&scope).map_or(&[][..], Vec::as_slice);
        let changes = &feed[from.seq as usize..to as usize];
        let there = changes.iter().filter(|change| change.is_there);
        let named: BTreeSet<(String, Uuid)> = there.map(|change| (change.kind.clone(), change.pk)).collect();
        // What has changed again behind this page comes with that change: see the cloud's own store.
        let rows = named.into_iter().map(|(kind, pk)| tables.row(scope, &kind, pk, self.age()));
        let rows = rows.filter(|row| row.seq <= to).collect();
        let to = Cursor { seq: to, tag: tables.tag(scope, to) };
        Ok(Page { scope, from, to, head, changes: to.seq - from.seq, rows })
    }

    async fn digest(&self, _: &KnownHub, scope: Scope) -> Result<DigestAnswer, Problem> {
        let tables = self.lock();
        let rows: Vec<Row> = tables.live(scope, self.age()).collect();
        let sums = digest::of_rows(rows.iter().map(|row| (row.kind.as_str(), row.pk, row.seq)));
        let buckets = sums.into_iter().map(ByteArray::new).collect();
        Ok(DigestAnswer { scope, at: tables.at(scope), buckets })
    }

    async fn rows(&self, _: &KnownHub, ask: RowsAsk) -> Result<RowsAnswer, Problem> {
        let tables = self.lock();
        let is_asked = |row: &Row| {
            (ask.kinds.is_empty() || ask.kinds.contains(&row.kind))
                && (ask.buckets.is_empty() || ask.buckets.contains(&digest::bucket_of(row.pk)))
                && ask.after.as_ref().is_none_or(|after| (&row.kind, row.pk) > (&after.0, after.1))
        };
        let mut rows: Vec<Row> = tables.live(ask.scope, self.age()).filter(is_asked).collect();
        let more = rows.len() > ask.limit as usize;
        rows.truncate(ask.limit as usize);
        Ok(RowsAnswer { scope: ask.scope, at: tables.at(ask.scope), rows, more })
    }

    async fn heard(&self, _: &KnownHub, _: HeardAsk) -> Result<HeardAnswer, Problem> {
        Ok(HeardAnswer { heard: vec![] })
    }

    async fn heads_since(&self, _: i64) -> Result<(Vec<Head>, i64), Problem> {
        let tables = self.lock();
        let heads =
            tables.feeds.keys().map(|scope| Head { scope: *scope, seq: tables.head(*scope) }).collect();
        Ok((heads, 1))
    }
}

/// A hub as the cloud knows it.
pub fn known_hub(id: HubId, venue: VenueId, organisation: OrganisationId, key: [u8; 32]) -> KnownHub {
    KnownHub { id, venue, organisation, keys: vec![key] }
}
