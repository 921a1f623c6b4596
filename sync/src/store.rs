//! What the engine asks of the two databases.
//!
//! The hub's side is SQLite, the cloud's is Postgres; the simulation has small ones of its own. What each of these must do
//! is written down as tests that every one of them passes (`tests/sim`).

use std::future::Future;

use roomtone_schema::{HubId, OrganisationId, UnixMillis, VenueId};
use uuid::Uuid;

use crate::wire::{
    Apart, Cursor, DigestAnswer, Fact, Head, HeardAnswer, HeardAsk, Hello, HelloAnswer, Page, PlayerTold,
    Problem, PullAsk, Push, PushAnswer, RoomTold, Row, RowsAnswer, RowsAsk, Scope, Stamp, ZoneTold,
};

/// A hub as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHub {
    /// Which.
    pub id: HubId,
    /// Where it stands.
    pub venue: VenueId,
    /// Whose songs it plays.
    pub organisation: OrganisationId,
    /// Its key, and the one that it is about to change to.
    pub keys: Vec<[u8; 32]>,
}

impl KnownHub {
    /// The scopes it may read: its own venue's and its organisation's, whatever it asks for.
    pub fn scopes(&self) -> [Scope; 2] {
        [Scope::Catalogue(self.organisation), Scope::Venue(self.venue)]
    }
}

/// The cloud's database, for hubs. Every method is one transaction in the hub's own name, or none at all. A hub that was
/// revoked is refused by each.
pub trait CloudStore: Clone + Send + Sync + 'static {
    /// The hub of that id that is enrolled and not revoked.
    fn hub(&self, hub: HubId) -> impl Future<Output = Result<Option<KnownHub>, Problem>> + Send;

    /// Notes that a hub has shown the key that it was about to change to: from now on the one before is void.
    fn turn_key(&self, _hub: &KnownHub, _key: &[u8; 32]) -> impl Future<Output = Result<(), Problem>> + Send {
        std::future::ready(Ok(()))
    }

    /// Notes that a hub is there, and says how it stands: [`crate::fencing`] decides.
    fn hello(
        &self,
        hub: &KnownHub,
        hello: Hello,
        now: UnixMillis,
    ) -> impl Future<Output = Result<HelloAnswer, Problem>> + Send;

    /// Takes facts: all of them, each applied, parked or rejected, durable when this returns; or none.
    fn push(
        &self,
        hub: &KnownHub,
        push: Push,
        now: UnixMillis,
    ) -> impl Future<Output = Result<PushAnswer, Problem>> + Send;

    /// Reads a page of a feed, in one snapshot.
    fn pull(&self, hub: &KnownHub, ask: PullAsk) -> impl Future<Output = Result<Page, Problem>> + Send;

    /// Digests of a scope, with the place of the feed at which they hold.
    fn digest(
        &self,
        hub: &KnownHub,
        scope: Scope,
    ) -> impl Future<Output = Result<DigestAnswer, Problem>> + Send;

    /// Live rows by where they are kept.
    fn rows(&self, hub: &KnownHub, ask: RowsAsk) -> impl Future<Output = Result<RowsAnswer, Problem>> + Send;

    /// When the venue's zones last heard its songs.
    fn heard(
        &self,
        hub: &KnownHub,
        ask: HeardAsk,
    ) -> impl Future<Output = Result<HeardAnswer, Problem>> + Send;

    /// The heads of all scopes that moved since some earlier answer of this (0: all), and what to ask with next. One
    /// question for all hubs together.
    fn heads_since(&self, since: i64) -> impl Future<Output = Result<(Vec<Head>, i64), Problem>> + Send;
}

/// What a hub's database knows of its standing with the cloud, read in one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkState {
    /// The life of this database.
    pub epoch: i64,
    /// The run of the program before this one.
    pub predecessor: Option<Uuid>,
    /// Whether the database lies elsewhere than at its last hello.
    pub moved: bool,
    /// The newest fact's number.
    pub last_seq: i64,
    /// Up to which number the cloud has everything.
    pub acked: i64,
    /// The oldest fact that is still there; `last_seq + 1` where none is.
    pub oldest: i64,
    /// The chain's link at `acked`, where that row is still there, or zeros where `acked` is 0.
    pub acked_chain: Option<[u8; 32]>,
    /// Where each scope stands; a scope that is not in it was never pulled.
    pub cursors: Vec<(Scope, Cursor)>,
    /// The revision up to which each kind was taken.
    pub revisions: Vec<(String, u32)>,
}

/// A hub's latest state, told with every hello.
#[derive(Debug, Clone, PartialEq)]
pub struct Present {
    /// The machine's clocks.
    pub now: Stamp,
    /// The hub's steady time.
    pub steady_ms: i64,
    /// Program and version.
    pub software: String,
    /// Its zones.
    pub zones: Vec<ZoneTold>,
    /// Its players.
    pub players: Vec<PlayerTold>,
    /// What its zones show.
    pub rooms: Vec<RoomTold>,
    /// Whether guests seem not to reach it.
    pub guests_cut_off: bool,
}

/// The hub's database did not do what it was asked. Whatever it is, it is not the cloud's verdict on a fact: the engine
/// tries again, and drops nothing.
#[derive(Debug, thiserror::Error)]
#[error("the hub's own database: {0}")]
pub struct LocalTrouble(pub String);

/// The hub's database, for the engine. Every method is one transaction.
pub trait HubStore: Send + Sync + 'static {
    /// How the hub stands.
    fn state(&self) -> impl Future<Output = Result<LinkState, LocalTrouble>> + Send;

    /// What to tell of the present.
    fn present(&self) -> impl Future<Output = Result<Present, LocalTrouble>> + Send;

    /// Which run this is, before it first says hello: `drawn`; or the one before it, where that may have said hello and was
    /// never noted as welcomed. It has ended for sure, and the cloud may take this one for a copy of it.
    fn begin(&self, drawn: Uuid) -> impl Future<Output = Result<Uuid, LocalTrouble>> + Send {
        std::future::ready(Ok(drawn))
    }

    /// Notes that this run has been welcomed: it is the predecessor of the next, and the database lies where it lies.
    fn settle_instance(&self, instance: Uuid) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Facts after `seq`, oldest first, without a gap: at most `most`, and not much more than `bytes` of payloads. With the
    /// link of the chain before the first.
    fn facts_after(
        &self,
        seq: i64,
        most: usize,
        bytes: usize,
    ) -> impl Future<Output = Result<([u8; 32], Vec<Fact>), LocalTrouble>> + Send;

    /// Notes that the cloud has everything up to `ack`, and keeps what it keeps apart where people see it.
    fn acknowledge(
        &self,
        ack: i64,
        apart: Vec<(Apart, Fact)>,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Goes on in another epoch: facts after `ack` are of it; they keep their numbers. Also goes back, where a restored
    /// cloud has less.
    fn go_on_from(&self, epoch: i64, ack: i64) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Applies a page and moves the scope's cursor from `from` to `to`, in one transaction; does nothing where the cursor is
    /// not at `from` (any more). Kinds that are not known are counted and skipped.
    fn apply(
        &self,
        scope: Scope,
        from: Cursor,
        to: Cursor,
        rows: Vec<Row>,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Begins to collect rows aside. What was collected before under another name is dropped; under the same, it is kept,
    /// and its number of parts is told.
    fn stage(&self, scope: Scope, name: String) -> impl Future<Output = Result<u64, LocalTrouble>> + Send;

    /// Collects a part.
    fn stage_part(
        &self,
        scope: Scope,
        part: u64,
        rows: Vec<Row>,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Puts what was collected in place and moves the cursor, in one transaction as far as readers can tell. With `whole`,
    /// rows of the scope that were not collected are gone; without, they stay.
    fn unstage(
        &self,
        scope: Scope,
        to: Cursor,
        whole: bool,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// What the scope's rows add up to here; see [`crate::digest`].
    fn digest(&self, scope: Scope) -> impl Future<Output = Result<Vec<[u8; 16]>, LocalTrouble>> + Send;

    /// Puts rows in the place of those that lie in some buckets (none: in all) and are of some kinds (none: of all), and
    /// moves the cursor.
    fn replace(
        &self,
        scope: Scope,
        kinds: Vec<String>,
        buckets: Vec<u8>,
        rows: Vec<Row>,
        to: Option<Cursor>,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Notes up to which revision a kind was taken.
    fn note_revision(
        &self,
        kind: String,
        revision: u32,
    ) -> impl Future<Output = Result<(), LocalTrouble>> + Send;

    /// Rows whose content is not what was applied, found by reading `most` rows after where the last look ended. They are
    /// marked, so that [`HubStore::digest`] differs until they are fetched again. How many.
    fn scrub(&self, most: u32) -> impl Future<Output = Result<u64, LocalTrouble>> + Send;

    /// When songs were heard, as the cloud remembers it: what is later wins.
    fn recall(&self, heard: HeardAnswer) -> impl Future<Output = Result<(), LocalTrouble>> + Send;
}
