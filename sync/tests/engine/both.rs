//! A hub and a cloud without a network: every step is done at once, or fails as it is told to.

use std::collections::BTreeMap;

use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, OrganisationId, UnixMillis};
use roomtone_sync::engine::{Done, Engine, Fault, Lane, Settings, Status, Step};
use roomtone_sync::fencing::{self, Seat};
use roomtone_sync::store::LinkState;
use roomtone_sync::transport::Poke;
use roomtone_sync::wire::{
    Chunk, Cursor, DigestAnswer, Fact, Facts, Head, HeardAnswer, Hello, HelloAnswer, Page, Problem,
    ProblemCode, Push, PushAnswer, Row, RowsAnswer, Scope, Snapshot, Stamp, Standing,
};
use roomtone_sync::{chain, digest};
use serde_bytes::ByteArray;
use uuid::Uuid;

/// How a step fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// The question does not arrive.
    Before,
    /// The answer does not.
    After,
    /// The question arrives twice.
    Twice,
    /// It is done at once, and the engine hears of it so many steps later.
    Late(u8),
    /// The cloud has no time.
    Busy,
    /// The hub's disk is full.
    Local,
}

type Rows = BTreeMap<(String, Uuid), (i64, Vec<u8>)>;

#[derive(Clone, Default)]
pub(crate) struct Hub {
    epoch: i64,
    predecessor: Option<Uuid>,
    facts: Vec<(Fact, [u8; 32])>,
    acked: i64,
    cursor: Cursor,
    pub(crate) rows: Rows,
    staged: Vec<Row>,
    name: String,
    parts: u64,
    revisions: BTreeMap<String, u32>,
    is_damaged: bool,
}

/// What a hub has said, as it may arrive once more.
#[derive(Clone)]
enum Letter {
    Hello(Hello),
    Push(Push),
}

/// Rows in a chunk of a snapshot.
const CHUNK: usize = 9;

#[derive(Clone, Default)]
pub(crate) struct Cloud {
    seat: Option<Seat>,
    hashes: BTreeMap<(i64, i64), [u8; 32]>,
    links: BTreeMap<(i64, i64), [u8; 32]>,
    took: BTreeMap<u64, u32>,
    feed: Vec<(i64, Uuid)>,
    pub(crate) rows: Rows,
    gone: BTreeMap<Uuid, i64>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a test switches off by itself")]
pub(crate) struct Both {
    pub(crate) engine: Engine,
    settings: fn(u128) -> Settings,
    runs: u128,
    pub(crate) now: u64,
    pub(crate) hub: Hub,
    pub(crate) cloud: Cloud,
    hub_backup: Hub,
    cloud_backup: Cloud,
    written: Vec<u64>,
    next: u64,
    pub(crate) refuses_push: bool,
    pub(crate) streams_end: bool,
    pub(crate) has_hole: bool,
    pub(crate) loses_chunks: bool,
    pub(crate) polls: u32,
    pub(crate) opened: u32,
    pub(crate) compared: u32,
    pub(crate) fenced: u32,
    /// Rows that were asked for by their kind, though they had not grown.
    pub(crate) needless: u32,
    letters: Vec<Letter>,
    /// How often the cloud's program was replaced by one that tells more of the only kind there is.
    grown: u32,
    /// What the engine has not heard of yet, and in how many steps it will.
    late: Vec<(Lane, Result<Done, Fault>, u8)>,
    snapshot: Vec<Row>,
    is_listening: bool,
}

const SCOPE: Scope = Scope::Catalogue(OrganisationId(Uuid::from_u128(1)));
const KIND: &str = "song";
/// Up to which revision the hub's program reads that kind.
pub(crate) const KNOWN: u32 = 3;

fn refused(code: ProblemCode) -> Fault {
    Fault::Refused(Problem { code, message: "no".to_owned(), ack: None, retry_after_ms: None })
}

fn number_of(fact: &Fact) -> u64 {
    String::from_utf8_lossy(&fact.payload).parse().expect("a number")
}

impl Both {
    pub(crate) fn new(settings: fn(u128) -> Settings) -> Self {
        let hub = Hub { epoch: 1, ..Hub::default() };
        Self {
            engine: Engine::new(settings(1)),
            settings,
            runs: 1,
            now: 0,
            hub_backup: hub.clone(),
            hub,
            cloud: Cloud::default(),
            cloud_backup: Cloud::default(),
            written: vec![],
            next: 0,
            refuses_push: false,
            streams_end: false,
            has_hole: false,
            loses_chunks: false,
            polls: 0,
            opened: 0,
            compared: 0,
            fenced: 0,
            needless: 0,
            letters: vec![],
            grown: 0,
            late: vec![],
            snapshot: vec![],
            is_listening: false,
        }
    }

    pub(crate) fn write(&mut self, many: u8) {
        for _ in 0..many {
            self.next += 1;
            let payload = self.next.to_string().into_bytes();
            let before = self.hub.facts.last().map_or(chain::BEGINNING, |(_, link)| *link);
            let link = chain::link(&before, &payload);
            let boot = BootId::from_uuid(Uuid::nil());
            let kind = "vote_cast".to_owned();
            self.hub.facts.push((Fact { kind, payload, hlc: 0, boot, mono_ms: 0, wall_ms: 0 }, link));
            self.written.push(self.next);
        }
        self.engine.wake();
    }

    pub(crate) fn change(&mut self, many: u8) {
        for _ in 0..many {
            self.next += 1;
            let pk = Uuid::from_u128(u128::from(self.next * 7 % 50));
            self.cloud.feed.push((self.next as i64, pk));
            let seq = self.cloud.feed.len() as i64;
            let key = (KIND.to_owned(), pk);
            if self.next.is_multiple_of(5) {
                self.cloud.rows.remove(&key);
                self.cloud.gone.insert(pk, seq);
            } else {
                self.cloud.rows.insert(key, (seq, self.next.to_string().into_bytes()));
            }
        }
    }

    pub(crate) fn backup(&mut self) {
        (self.hub_backup, self.cloud_backup) = (self.hub.clone(), self.cloud.clone());
    }

    pub(crate) fn crash(&mut self) {
        self.runs += 1;
        self.engine = Engine::new((self.settings)(self.runs));
        self.late.clear();
        self.is_listening = false;
    }

    pub(crate) fn restore_hub(&mut self) {
        self.hub = self.hub_backup.clone();
        self.crash();
        self.forget();
    }

    pub(crate) fn restore_cloud(&mut self) {
        self.cloud = self.cloud_backup.clone();
        self.forget();
    }

    /// What is on no disk any more cannot be asked for.
    fn forget(&mut self) {
        let (hub, cloud) = (&self.hub, &self.cloud);
        let is_there = |id: &u64| {
            cloud.took.contains_key(id) || hub.facts.iter().any(|(fact, _)| number_of(fact) == *id)
        };
        self.written.retain(is_there);
    }

    pub(crate) fn missing(&self) -> Vec<u64> {
        self.written.iter().copied().filter(|id| !self.cloud.took.contains_key(id)).collect()
    }

    pub(crate) fn counted_twice(&self) -> Vec<u64> {
        self.cloud.took.iter().filter(|(_, times)| **times > 1).map(|(id, _)| *id).collect()
    }

    pub(crate) fn has_a_timer(&self) -> bool {
        self.engine.wake_at(self.now).is_some() || self.is_listening || !self.late.is_empty()
    }

    /// Something that the hub has said arrives once more, behind everything that it has said since.
    pub(crate) fn echo(&mut self, nth: u8) {
        let many = self.letters.len().max(1);
        match self.letters.get(usize::from(nth) % many).cloned() {
            Some(Letter::Hello(hello)) => drop(self.greet(&hello)),
            Some(Letter::Push(push)) => drop(self.receive(push)),
            None => {}
        }
    }

    /// Whoever listens is told of a head that may be right, or old, or of a cloud that is no more.
    pub(crate) fn poke(&mut self, wrong_by: i8) {
        let head = (self.cloud.feed.len() as i64 + i64::from(wrong_by)).max(0);
        self.tell_listener(Ok(Done::Pokes(vec![Poke { scope: SCOPE, head }])));
    }

    /// The stream ends.
    pub(crate) fn end_stream(&mut self) {
        self.tell_listener(Err(Fault::Line("the stream has ended".to_owned())));
    }

    fn tell_listener(&mut self, told: Result<Done, Fault>) {
        if std::mem::take(&mut self.is_listening) {
            self.engine.done(Lane::Live, told, self.now);
        }
    }

    /// A bit of a row flips.
    pub(crate) fn damage(&mut self) {
        if let Some((seq, body)) = self.hub.rows.values_mut().next() {
            (*seq, self.hub.is_damaged) = (-1, true);
            body.push(0);
        }
    }

    /// The cloud tells more of its rows than it did.
    pub(crate) fn grow(&mut self) {
        self.grown += 1;
    }

    /// Whether the hub has taken all that it is told of its rows.
    pub(crate) fn has_taken_all(&self) -> bool {
        self.hub.revisions.get(KIND) == Some(&self.told_revision())
    }

    fn told_revision(&self) -> u32 {
        // This program reads no more than that.
        (self.grown + 1).min(KNOWN)
    }

    /// Does one step; where none is due, lets time pass until one is.
    pub(crate) fn step(&mut self, cut: Option<Cut>) {
        self.hear_what_is_due(1);
        let Some((lane, step)) = self.engine.next(self.now) else {
            if !self.late.is_empty() {
                return self.hear_what_is_due(u8::MAX);
            }
            let most = self.now + 60_000;
            let next = self.engine.wake_at(self.now).unwrap_or(most).clamp(self.now + 1, most);
            self.now = next;
            return;
        };
        // A step that waits for news gets it when there is some.
        if step == Step::Listen && cut.is_none() && !self.streams_end {
            self.is_listening = true;
            return;
        }
        let result = match cut {
            Some(Cut::Before) => Err(Fault::Line("cut".to_owned())),
            Some(Cut::Busy) => Err(refused(ProblemCode::Busy)),
            Some(Cut::Local) => Err(Fault::Local("full".to_owned())),
            Some(Cut::After) => self.take(step).and(Err(Fault::Line("cut".to_owned()))),
            Some(Cut::Late(steps)) => {
                let result = self.take(step);
                self.late.push((lane, result, steps));
                return;
            }
            Some(Cut::Twice) => {
                drop(self.take(step.clone()));
                self.take(step)
            }
            None => self.take(step),
        };
        self.engine.done(lane, result, self.now);
    }

    fn hear_what_is_due(&mut self, steps: u8) {
        for (lane, result, left) in std::mem::take(&mut self.late) {
            match left.saturating_sub(steps) {
                0 => self.engine.done(lane, result, self.now),
                left => self.late.push((lane, result, left)),
            }
        }
    }

    /// Goes on without faults until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20_000 {
            let is_same = self.hub.rows == self.cloud.rows && self.missing().is_empty();
            if self.engine.status() == Status::Synced
                && is_same
                && self.has_taken_all()
                && self.hub.acked == self.hub.facts.len() as i64
            {
                return;
            }
            self.step(None);
        }
    }

    fn take(&mut self, step: Step) -> Result<Done, Fault> {
        match step {
            Step::Hello { instance, forked } => return Ok(self.hello(instance, forked)),
            Step::Push { epoch, instance, after, most } => return self.push(epoch, instance, after, most),
            Step::GoOnFrom { epoch, ack } => (self.hub.epoch, self.hub.acked) = (epoch, ack),
            Step::Settle { instance } => self.hub.predecessor = Some(instance),
            Step::Acknowledge { ack, .. } => self.hub.acked = self.hub.acked.max(ack),
            Step::NoteRevision { kind, revision } => drop(self.hub.revisions.insert(kind, revision)),
            Step::Recall(_) => {}
            Step::Heard(_) => return Ok(Done::Heard(HeardAnswer { heard: vec![] })),
            Step::Scrub(_) => {
                return Ok(Done::Scrubbed(u64::from(std::mem::take(&mut self.hub.is_damaged))));
            }
            Step::Open(_) => {
                self.opened += 1;
                return Ok(Done::Opened);
            }
            Step::Listen => return Err(Fault::Line("the stream has ended".to_owned())),
            Step::Poll(_) => {
                self.polls += 1;
                self.now += 50_000;
                return Ok(Done::Pokes(vec![Poke { scope: SCOPE, head: self.cloud.feed.len() as i64 }]));
            }
            step => return self.rows(step),
        }
        Ok(Done::Stored)
    }

    /// Steps of the pulling lane.
    fn rows(&mut self, step: Step) -> Result<Done, Fault> {
        match step {
            Step::Pull(ask) => return self.page(ask.from, ask.limit),
            Step::Apply { from, to, rows, .. } if self.hub.cursor == from => {
                for row in rows {
                    self.put(row);
                }
                self.hub.cursor = to;
            }
            Step::Stage { name, .. } => {
                if self.hub.name != name {
                    (self.hub.name, self.hub.parts, self.hub.staged) = (name, 0, vec![]);
                }
                return Ok(Done::Staged(self.hub.parts));
            }
            Step::StagePart { part, rows, .. } if part == self.hub.parts => {
                self.hub.parts += 1;
                self.hub.staged.extend(rows);
            }
            Step::Unstage { to, whole, .. } => {
                if whole {
                    self.hub.rows.clear();
                }
                for row in std::mem::take(&mut self.hub.staged) {
                    self.put(row);
                }
                (self.hub.cursor, self.hub.name) = (to, String::new());
            }
            Step::Snapshot(scope) => {
                self.snapshot = self.live();
                let at = self.at();
                let chunk = |(number, rows): (usize, &[Row])| Chunk {
                    sha256: ByteArray::new(sum_of(at, number)),
                    bytes: 1,
                    rows: rows.len() as u32,
                    url: number.to_string(),
                };
                let chunks = self.snapshot.chunks(CHUNK).enumerate().map(chunk).collect();
                return Ok(Done::Snapshot(Snapshot { scope, at, chunks }));
            }
            Step::Chunk(chunk) => {
                let number = chunk.url.parse().expect("a number");
                return match self.snapshot.chunks(CHUNK).nth(number) {
                    Some(rows) if !self.loses_chunks && *chunk.sha256 == sum_of(self.at(), number) => {
                        Ok(Done::Chunk(rows.to_vec()))
                    }
                    // Another one was made meanwhile.
                    _ => Err(refused(ProblemCode::NotFound)),
                };
            }
            Step::Digest(scope) => {
                self.compared += 1;
                let buckets = sums(&self.cloud.rows).into_iter().map(ByteArray::new).collect();
                let theirs = DigestAnswer { scope, at: self.at(), buckets };
                return Ok(Done::Digests(theirs, sums(&self.hub.rows)));
            }
            Step::Rows(ask) => {
                let is_asked =
                    |row: &Row| ask.buckets.contains(&digest::bucket_of(row.pk)) || ask.buckets.is_empty();
                let rows = self.live().into_iter().filter(is_asked).collect();
                return Ok(Done::Rows(RowsAnswer { scope: ask.scope, at: self.at(), rows, more: false }));
            }
            Step::Replace { kinds, buckets, rows, to, .. } => {
                let is_taken = self.hub.revisions.get(KIND) == Some(&self.told_revision());
                self.needless += u32::from(!kinds.is_empty() && is_taken);
                let is_kept = |pk: Uuid| !buckets.is_empty() && !buckets.contains(&digest::bucket_of(pk));
                self.hub.rows.retain(|(_, pk), _| is_kept(*pk));
                for row in rows {
                    self.put(row);
                }
                self.hub.cursor = to.unwrap_or(self.hub.cursor);
            }
            _ => {}
        }
        Ok(Done::Stored)
    }

    fn put(&mut self, row: Row) {
        let key = (row.kind, row.pk);
        if self.hub.rows.get(&key).is_some_and(|(seq, _)| *seq > row.seq) {
            return;
        }
        match row.body {
            Some(body) => drop(self.hub.rows.insert(key, (row.seq, body))),
            None => drop(self.hub.rows.remove(&key)),
        }
    }

    fn live(&self) -> Vec<Row> {
        let rows = self.cloud.rows.iter();
        rows.map(|((kind, pk), (seq, body))| Row {
            seq: *seq,
            kind: kind.clone(),
            pk: *pk,
            body: Some(body.clone()),
        })
        .collect()
    }

    fn tag(&self, seq: i64) -> i64 {
        usize::try_from(seq - 1).ok().and_then(|place| self.cloud.feed.get(place)).map_or(0, |(tag, _)| *tag)
    }

    fn at(&self) -> Cursor {
        let seq = self.cloud.feed.len() as i64;
        Cursor { seq, tag: self.tag(seq) }
    }

    fn page(&mut self, from: Cursor, limit: u32) -> Result<Done, Fault> {
        let head = self.cloud.feed.len() as i64;
        if from.seq > head || self.tag(from.seq) != from.tag {
            return Err(refused(ProblemCode::Diverged));
        }
        let to = head.min(from.seq + i64::from(limit));
        let mut pks: Vec<Uuid> =
            self.cloud.feed[from.seq as usize..to as usize].iter().map(|(_, pk)| *pk).collect();
        pks.sort_unstable();
        pks.dedup();
        let row = |pk: Uuid| match self.cloud.rows.get(&(KIND.to_owned(), pk)) {
            Some((seq, body)) => Row { seq: *seq, kind: KIND.to_owned(), pk, body: Some(body.clone()) },
            None => Row { seq: self.cloud.gone[&pk], kind: KIND.to_owned(), pk, body: None },
        };
        let mut rows: Vec<Row> = pks.into_iter().map(row).collect();
        let mut changes = to - from.seq;
        if self.has_hole {
            rows.pop();
            changes -= 1;
        }
        let to = Cursor { seq: to, tag: self.tag(to) };
        Ok(Done::Page(Page { scope: SCOPE, from, to, head, changes, rows }))
    }

    fn hello(&mut self, instance: Uuid, forked: bool) -> Done {
        let link_at = |hub: &Hub, seq: i64| match seq {
            0 => Some(chain::BEGINNING),
            seq => hub.facts.get(seq as usize - 1).map(|(_, link)| *link),
        };
        let hub = &self.hub;
        let state = LinkState {
            epoch: hub.epoch,
            predecessor: hub.predecessor,
            moved: false,
            last_seq: hub.facts.len() as i64,
            acked: hub.acked,
            oldest: 1,
            acked_chain: link_at(hub, hub.acked),
            cursors: vec![(SCOPE, hub.cursor)],
            revisions: hub.revisions.clone().into_iter().collect(),
        };
        let hello = Hello {
            epoch: state.epoch,
            instance,
            predecessor: state.predecessor,
            moved: false,
            last_seq: state.last_seq,
            acked: state.acked,
            oldest: 1,
            acked_chain: state.acked_chain.map(ByteArray::new),
            forked,
            now: Stamp { boot: BootId::from_uuid(Uuid::nil()), mono_ms: 0, wall_ms: 0 },
            steady_ms: 0,
            software: String::new(),
            pending: 0,
            zones: vec![],
            players: vec![],
            rooms: vec![],
            guests_cut_off: false,
        };
        let answer = self.greet(&hello);
        self.letters.push(Letter::Hello(hello));
        Done::Greeted(Box::new((state, answer)))
    }

    /// The cloud's side of a hello.
    fn greet(&mut self, hello: &Hello) -> HelloAnswer {
        let now = UnixMillis(self.now as i64);
        let epoch = self.cloud.seat.as_ref().map_or(hello.epoch, |seat| seat.epoch);
        let known = self.cloud.links.get(&(epoch, hello.acked)).copied();
        let decided = fencing::decide(self.cloud.seat.as_ref(), hello, known, now);
        self.fenced += u32::from(decided.standing == Standing::Fenced);
        let answer = HelloAnswer {
            standing: decided.standing,
            now,
            epoch: decided.seat.epoch,
            ack: decided.ack,
            lease_ms: 90_000,
            heads: vec![Head { scope: SCOPE, seq: self.cloud.feed.len() as i64 }],
            revisions: vec![(KIND.to_owned(), self.told_revision())],
            ticket_keys: vec![],
            venue_name: String::new(),
            hub_name: String::new(),
            news_every_ms: 5_000,
        };
        self.cloud.seat = Some(decided.seat);
        answer
    }

    fn push(&mut self, epoch: i64, instance: Uuid, after: i64, most: usize) -> Result<Done, Fault> {
        if self.refuses_push {
            return Err(refused(ProblemCode::Failed));
        }
        let facts: Vec<Fact> = self
            .hub
            .facts
            .iter()
            .skip(after as usize)
            .take(most.min(7))
            .map(|(fact, _)| fact.clone())
            .collect();
        if facts.is_empty() {
            return Ok(Done::NothingToPush);
        }
        let before = match after {
            0 => chain::BEGINNING,
            after => self.hub.facts[after as usize - 1].1,
        };
        let columns = Facts::of(&facts).expect("facts fit together");
        let push =
            Push { epoch, instance, first_seq: after + 1, before: ByteArray::new(before), facts: columns };
        self.letters.push(Letter::Push(push.clone()));
        let answer = self.receive(push)?;
        Ok(Done::Pushed(facts, answer))
    }

    /// The cloud's side of a push.
    fn receive(&mut self, push: Push) -> Result<PushAnswer, Fault> {
        let (epoch, after, before) = (push.epoch, push.first_seq - 1, *push.before);
        let known = self.cloud.links.get(&(epoch, after)).copied();
        fencing::admit(self.cloud.seat.as_ref(), &push, known).map_err(Fault::Refused)?;
        let facts = push.facts.into_facts().expect("facts fit together");
        for (seq, fact) in (after + 1..).zip(&facts) {
            let hash = chain::payload_hash(&fact.payload);
            if self.cloud.hashes.get(&(epoch, seq)).is_some_and(|known| *known != hash) {
                return Err(refused(ProblemCode::Fork));
            }
        }
        let mut link = before;
        for (seq, fact) in (after + 1..).zip(&facts) {
            link = chain::link(&link, &fact.payload);
            if self.cloud.hashes.insert((epoch, seq), chain::payload_hash(&fact.payload)).is_none() {
                // Told again in another epoch, it is the same fact.
                self.cloud.took.entry(number_of(fact)).or_insert(1);
            }
        }
        let last = after + facts.len() as i64;
        self.cloud.links.insert((epoch, last), link);
        let now = UnixMillis(self.now as i64);
        let seat = self.cloud.seat.as_mut().expect("admitted");
        if last >= seat.ack {
            (seat.ack, seat.chain) = (last, Some(link));
        }
        Ok(PushAnswer { ack: seat.ack, apart: vec![], now })
    }
}

impl Cloud {
    /// Another box holds the hub's lease.
    pub(crate) fn rival(&mut self, now: u64, for_ms: u64) {
        if let Some(seat) = &mut self.seat {
            seat.instance = Uuid::from_u128(98);
            seat.lease_until = UnixMillis((now + for_ms) as i64);
        }
    }

    /// Another box speaks as this hub.
    pub(crate) fn somebody_else(&mut self, now: u64, for_ms: u64) {
        self.seat = Some(Seat {
            epoch: 1,
            instance: Uuid::from_u128(99),
            lease_until: UnixMillis((now + for_ms) as i64),
            ack: 0,
            chain: Some(chain::BEGINNING),
        });
    }
}

fn sum_of(at: Cursor, number: usize) -> [u8; 32] {
    chain::link(&chain::BEGINNING, format!("{at:?} {number}").as_bytes())
}

fn sums(rows: &Rows) -> Vec<digest::Sum> {
    digest::of_rows(rows.iter().map(|((kind, pk), (seq, _))| (kind.as_str(), *pk, *seq)))
}
