//! How many hubs are served at once, by what they want: those that build their whole catalogue do not stand in the way of
//! those that bring their votes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomtone_sync::wire::{Problem, ProblemCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For so long a question waits for its turn before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Whoever is turned away comes again after at least this, ...
const SOONEST_MS: u64 = 1_000;
/// ... the next one so much later, ...
const APART_MS: u64 = 7;
/// ... and nobody later than this: ten thousand hubs after an outage are spread over a minute.
const LATEST_MS: u64 = 60_000;

/// What a question wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Bringing facts, and saying hello.
    Facts,
    /// Pages of a feed.
    Feed,
    /// What costs the database much at once: digests, rows by place, snapshots.
    Bootstrap,
    /// Waiting for something to happen.
    Waiting,
    /// Enrolling: without a credential, so never many.
    Enrolment,
}

/// How many of each class at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pushes and hellos.
    pub facts: usize,
    /// Pulls.
    pub feed: usize,
    /// Digests, rows, snapshots.
    pub bootstrap: usize,
    /// Polls and live streams.
    pub waiting: usize,
    /// Enrolments.
    pub enrolment: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { facts: 16, feed: 16, bootstrap: 4, waiting: 20_000, enrolment: 2 }
    }
}

/// The turns. Clones share them.
#[derive(Debug, Clone)]
pub struct Admission {
    facts: Arc<Semaphore>,
    feed: Arc<Semaphore>,
    bootstrap: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    enrolment: Arc<Semaphore>,
    turned_away: Arc<AtomicU64>,
}

impl Admission {
    /// So many at once.
    pub fn new(limits: Limits) -> Self {
        let turns = |many| Arc::new(Semaphore::new(many));
        Self {
            facts: turns(limits.facts),
            feed: turns(limits.feed),
            bootstrap: turns(limits.bootstrap),
            waiting: turns(limits.waiting),
            enrolment: turns(limits.enrolment),
            turned_away: Arc::default(),
        }
    }

    /// Waits for a turn, which lasts until what this returns is dropped.
    ///
    /// # Errors
    /// `Busy`, with when to come again.
    pub async fn enter(&self, class: Class) -> Result<OwnedSemaphorePermit, Problem> {
        let turns = match class {
            Class::Facts => &self.facts,
            Class::Feed => &self.feed,
            Class::Bootstrap => &self.bootstrap,
            Class::Waiting => &self.waiting,
            Class::Enrolment => &self.enrolment,
        };
        if let Ok(turn) = Arc::clone(turns).try_acquire_owned() {
            return Ok(turn);
        }
        // Who waits for news may as well wait at home.
        if class != Class::Waiting
            && let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, Arc::clone(turns).acquire_owned()).await
        {
            return Ok(turn);
        }
        Err(self.come_again())
    }

    /// How many were told to come again.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    fn come_again(&self) -> Problem {
        let place = self.turned_away.fetch_add(1, Ordering::Relaxed);
        let ms = SOONEST_MS + (place * APART_MS) % (LATEST_MS - SOONEST_MS);
        Problem {
            code: ProblemCode::Busy,
            message: "many hubs ask at once; nothing was taken, come again later".to_owned(),
            ack: None,
            retry_after_ms: Some(ms),
        }
    }
}
