//! How each step is done.

use std::sync::Arc;

use serde_bytes::ByteArray;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::engine::{Done, Fault, Step};
use crate::store::HubStore;
use crate::transport::{Client, Connect, Live, NoAnswer};
use crate::wire::{
    self, Chunk, DigestAsk, Facts, Hash, Hello, HelloAnswer, MOST_FACT_BYTES, Push, PushAnswer, Row, Scope,
};

/// Where the cloud is asked.
const BASE: &str = "/v1/sync";

/// What steps are done with.
pub(super) struct Hands<S, C> {
    store: Arc<S>,
    client: Client<C>,
    live: Mutex<Option<Live>>,
    /// The rows of a chunk that was fetched before it was asked for.
    ahead: Mutex<Option<(Hash, Vec<Row>)>>,
}

impl<S: HubStore, C: Connect> Hands<S, C> {
    pub(super) fn new(store: Arc<S>, client: Client<C>) -> Self {
        Self { store, client, live: Mutex::new(None), ahead: Mutex::new(None) }
    }

    pub(super) fn client(&self) -> &Client<C> {
        &self.client
    }

    /// Does a step.
    pub(super) async fn take(&self, step: Step) -> Result<Done, Fault> {
        match step {
            Step::Hello { instance, forked } => self.hello(instance, forked).await,
            Step::Push { epoch, instance, after, most } => self.push(epoch, instance, after, most).await,
            Step::Pull(ask) => Ok(Done::Page(self.ask("pull", &ask).await?)),
            Step::Snapshot(scope) => Ok(Done::Snapshot(self.ask("snapshot", &DigestAsk { scope }).await?)),
            Step::Chunk(chunk) => self.chunk(&chunk).await,
            Step::StagePart { scope, part, rows, next } => self.stage_part(scope, part, rows, next).await,
            Step::Digest(scope) => self.digests(scope).await,
            Step::Rows(ask) => Ok(Done::Rows(self.ask("rows", &ask).await?)),
            Step::Heard(ask) => Ok(Done::Heard(self.ask("heard", &ask).await?)),
            Step::Open(heads) => self.open(&heads).await,
            Step::Listen => self.listen().await,
            Step::Poll(heads) => self.poll(&heads).await,
            step => self.store(step).await,
        }
    }

    /// The steps that are one transaction.
    async fn store(&self, step: Step) -> Result<Done, Fault> {
        let store = &self.store;
        match step {
            Step::GoOnFrom { epoch, ack } => store.go_on_from(epoch, ack).await?,
            Step::Settle { instance } => store.settle_instance(instance).await?,
            Step::Acknowledge { ack, apart } => store.acknowledge(ack, apart).await?,
            Step::Apply { scope, from, to, rows } => store.apply(scope, from, to, rows).await?,
            Step::Stage { scope, name } => return Ok(Done::Staged(store.stage(scope, name).await?)),
            Step::Unstage { scope, to, whole } => store.unstage(scope, to, whole).await?,
            Step::Replace { scope, kinds, buckets, rows, to } => {
                store.replace(scope, kinds, buckets, rows, to).await?;
            }
            Step::NoteRevision { kind, revision } => store.note_revision(kind, revision).await?,
            Step::Recall(heard) => store.recall(heard).await?,
            Step::Scrub(most) => return Ok(Done::Scrubbed(store.scrub(most).await?)),
            _ => return Err(Fault::Local("a step that the store has no part in".to_owned())),
        }
        Ok(Done::Stored)
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        question: &impl serde::Serialize,
    ) -> Result<T, NoAnswer> {
        self.client.ask(&format!("{BASE}/{what}"), question).await
    }

    async fn hello(&self, instance: Uuid, forked: bool) -> Result<Done, Fault> {
        let state = self.store.state().await?;
        let present = self.store.present().await?;
        let hello = Hello {
            epoch: state.epoch,
            instance,
            predecessor: state.predecessor,
            moved: state.moved,
            last_seq: state.last_seq,
            acked: state.acked,
            oldest: state.oldest,
            acked_chain: state.acked_chain.map(ByteArray::new),
            forked,
            now: present.now,
            steady_ms: present.steady_ms,
            software: present.software,
            pending: state.last_seq.saturating_sub(state.acked).max(0).cast_unsigned(),
            zones: present.zones,
            players: present.players,
            rooms: present.rooms,
            guests_cut_off: present.guests_cut_off,
        };
        let answer: HelloAnswer = self.ask("hello", &hello).await?;
        Ok(Done::Greeted(Box::new((state, answer))))
    }

    async fn push(&self, epoch: i64, instance: Uuid, after: i64, most: usize) -> Result<Done, Fault> {
        let (before, facts) = self.store.facts_after(after, most, MOST_FACT_BYTES).await?;
        if facts.is_empty() {
            return Ok(Done::NothingToPush);
        }
        let columns = Facts::of(&facts).map_err(|ragged| Fault::Local(ragged.to_string()))?;
        let before = ByteArray::new(before);
        let push = Push { epoch, instance, first_seq: after + 1, before, facts: columns };
        let answer: PushAnswer = self.ask("push", &push).await?;
        Ok(Done::Pushed(facts, answer))
    }

    /// A part is put away while the next one is fetched: the disk and the line do not wait for each other.
    async fn stage_part(
        &self,
        scope: Scope,
        part: u64,
        rows: Vec<Row>,
        next: Option<Chunk>,
    ) -> Result<Done, Fault> {
        let fetched = async {
            let next = next?;
            // Where it fails, it fails again when it is asked for, and is heard then. What came of it is kept.
            self.fetched(&next).await.ok().map(|rows| (*next.sha256, rows))
        };
        let (staged, ahead) = tokio::join!(self.store.stage_part(scope, part, rows), fetched);
        *self.ahead.lock().await = ahead;
        staged?;
        Ok(Done::Stored)
    }

    async fn chunk(&self, chunk: &Chunk) -> Result<Done, Fault> {
        let ahead = self.ahead.lock().await.take().filter(|(name, _)| *name == *chunk.sha256);
        match ahead {
            Some((_, rows)) => Ok(Done::Chunk(rows)),
            None => Ok(Done::Chunk(self.fetched(chunk).await?)),
        }
    }

    async fn fetched(&self, chunk: &Chunk) -> Result<Vec<Row>, Fault> {
        let bytes = self.client.chunk(chunk).await?;
        wire::decode(&bytes).map_err(|error| Fault::Line(error.to_string()))
    }

    async fn digests(&self, scope: Scope) -> Result<Done, Fault> {
        let theirs = self.ask("digest", &DigestAsk { scope }).await?;
        Ok(Done::Digests(theirs, self.store.digest(scope).await?))
    }

    async fn open(&self, heads: &[(Scope, i64)]) -> Result<Done, Fault> {
        let live = self.client.live(&format!("{BASE}/live{}", query(heads))).await?;
        *self.live.lock().await = Some(live);
        Ok(Done::Opened)
    }

    async fn listen(&self) -> Result<Done, Fault> {
        let mut live = self.live.lock().await;
        let Some(stream) = live.as_mut() else { return Err(Fault::Line("no stream is open".to_owned())) };
        match stream.next().await {
            Ok(poke) => Ok(Done::Pokes(vec![poke])),
            Err(error) => {
                *live = None;
                Err(error.into())
            }
        }
    }

    async fn poll(&self, heads: &[(Scope, i64)]) -> Result<Done, Fault> {
        let pokes = self.client.poll(&format!("{BASE}/poll{}", query(heads))).await?;
        Ok(Done::Pokes(pokes.unwrap_or_default()))
    }
}

fn query(heads: &[(Scope, i64)]) -> String {
    let pairs = heads.iter().map(|(scope, seq)| match scope {
        Scope::Catalogue(_) => format!("catalogue={seq}"),
        Scope::Venue(_) => format!("venue={seq}"),
    });
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}
