//! What the engine wants done, and what may come of it.

use std::time::Duration;

use uuid::Uuid;

use crate::digest::Sum;
use crate::store::{LinkState, LocalTrouble};
use crate::transport::{NoAnswer, Poke};
use crate::wire::{
    Apart, Chunk, Cursor, DigestAnswer, Fact, HeardAnswer, HeardAsk, HelloAnswer, Page, Problem, PullAsk,
    PushAnswer, Row, RowsAnswer, RowsAsk, Scope, Snapshot,
};

/// What runs beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Says hello and settles what follows from the answer.
    Greet,
    /// Sends facts.
    Push,
    /// Fetches rows.
    Pull,
    /// Hears of what moves.
    Live,
}

/// One question to the cloud, or one transaction of the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Read the state and the present, and say hello with them.
    Hello {
        /// This run.
        instance: Uuid,
        /// Whether the last push met other facts.
        forked: bool,
    },
    /// [`crate::store::HubStore::go_on_from`].
    GoOnFrom {
        /// In which epoch.
        epoch: i64,
        /// Behind which number.
        ack: i64,
    },
    /// [`crate::store::HubStore::settle_instance`].
    Settle {
        /// This run.
        instance: Uuid,
    },
    /// Read facts and push them.
    Push {
        /// In which epoch.
        epoch: i64,
        /// This run.
        instance: Uuid,
        /// Behind which number.
        after: i64,
        /// At most so many.
        most: usize,
    },
    /// [`crate::store::HubStore::acknowledge`].
    Acknowledge {
        /// Up to which number.
        ack: i64,
        /// What is kept apart.
        apart: Vec<(Apart, Fact)>,
    },
    /// Ask for a page.
    Pull(PullAsk),
    /// [`crate::store::HubStore::apply`].
    Apply {
        /// Of which scope.
        scope: Scope,
        /// Where the cursor is.
        from: Cursor,
        /// Where it goes.
        to: Cursor,
        /// The rows.
        rows: Vec<Row>,
    },
    /// [`crate::store::HubStore::stage`].
    Stage {
        /// Of which scope.
        scope: Scope,
        /// What is collected.
        name: String,
    },
    /// [`crate::store::HubStore::stage_part`].
    StagePart {
        /// Of which scope.
        scope: Scope,
        /// Its number.
        part: u64,
        /// The rows.
        rows: Vec<Row>,
        /// The chunk that is asked for next: it may be fetched meanwhile. Whether that succeeds does not matter here.
        next: Option<Chunk>,
    },
    /// [`crate::store::HubStore::unstage`].
    Unstage {
        /// Of which scope.
        scope: Scope,
        /// Where the cursor goes.
        to: Cursor,
        /// Whether what was not collected is gone.
        whole: bool,
    },
    /// Ask for a snapshot's list of chunks.
    Snapshot(Scope),
    /// Fetch a chunk.
    Chunk(Chunk),
    /// Ask for the digest, and compute our own.
    Digest(Scope),
    /// Ask for rows by where they are kept.
    Rows(RowsAsk),
    /// [`crate::store::HubStore::replace`].
    Replace {
        /// Of which scope.
        scope: Scope,
        /// Of which kinds.
        kinds: Vec<String>,
        /// In which buckets.
        buckets: Vec<u8>,
        /// The rows.
        rows: Vec<Row>,
        /// Where the cursor goes.
        to: Option<Cursor>,
    },
    /// [`crate::store::HubStore::note_revision`].
    NoteRevision {
        /// Of which kind.
        kind: String,
        /// Which.
        revision: u32,
    },
    /// Ask when songs were heard.
    Heard(HeardAsk),
    /// [`crate::store::HubStore::recall`].
    Recall(HeardAnswer),
    /// [`crate::store::HubStore::scrub`].
    Scrub(u32),
    /// Open the stream of what moves, from these places on.
    Open(Vec<(Scope, i64)>),
    /// Wait for the next poke on it.
    Listen,
    /// Wait for something to move without a stream.
    Poll(Vec<(Scope, i64)>),
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The store did it.
    Stored,
    /// Of [`Step::Hello`]: what was told, and the answer.
    Greeted(Box<(LinkState, HelloAnswer)>),
    /// Of [`Step::Push`]: there was nothing to push.
    NothingToPush,
    /// Of [`Step::Push`]: what was pushed, and the answer.
    Pushed(Vec<Fact>, PushAnswer),
    /// Of [`Step::Pull`].
    Page(Page),
    /// Of [`Step::Stage`]: parts that are there already.
    Staged(u64),
    /// Of [`Step::Snapshot`].
    Snapshot(Snapshot),
    /// Of [`Step::Chunk`].
    Chunk(Vec<Row>),
    /// Of [`Step::Digest`]: theirs and ours.
    Digests(DigestAnswer, Vec<Sum>),
    /// Of [`Step::Rows`].
    Rows(RowsAnswer),
    /// Of [`Step::Heard`].
    Heard(HeardAnswer),
    /// Of [`Step::Scrub`]: how many rows are damaged.
    Scrubbed(u64),
    /// Of [`Step::Open`].
    Opened,
    /// Of [`Step::Listen`] and [`Step::Poll`]: what moved.
    Pokes(Vec<Poke>),
}

/// Why nothing came of a step. None of it is a verdict on a fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The cloud was not reached.
    #[error("the cloud cannot be reached: {0}")]
    Line(String),
    /// A line that should have carried something by now has not.
    #[error("the cloud is not heard any more: {0}")]
    Silent(String),
    /// The cloud refused.
    #[error("the cloud refused: {}", .0.message)]
    Refused(Problem),
    /// The hub's store did not do it.
    #[error("{0}")]
    Local(String),
}

impl Fault {
    /// When the cloud wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) => problem.retry_after_ms.map(Duration::from_millis),
            Self::Line(_) | Self::Silent(_) | Self::Local(_) => None,
        }
    }
}

impl Done {
    /// Whether it shows that the cloud is there.
    pub(super) fn is_of_the_cloud(&self) -> bool {
        match self {
            Self::Greeted(_)
            | Self::Pushed(..)
            | Self::Page(_)
            | Self::Snapshot(_)
            | Self::Digests(..)
            | Self::Rows(_)
            | Self::Heard(_)
            | Self::Opened
            | Self::Pokes(_) => true,
            // A chunk lies somewhere else.
            Self::Chunk(_) | Self::Stored | Self::NothingToPush | Self::Staged(_) | Self::Scrubbed(_) => {
                false
            }
        }
    }
}

impl From<NoAnswer> for Fault {
    fn from(no_answer: NoAnswer) -> Self {
        match no_answer {
            NoAnswer::Line(why) => Self::Line(why),
            NoAnswer::Silent(why) => Self::Silent(why),
            NoAnswer::Refused(problem) => Self::Refused(problem),
        }
    }
}

impl From<LocalTrouble> for Fault {
    fn from(trouble: LocalTrouble) -> Self {
        Self::Local(trouble.to_string())
    }
}
