//! The end of the bus for whoever carries changes between replicas: what waits to be told elsewhere, and a mouth for
//! what is told from there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::Topic;

/// Topics that may wait while the way is closed; beyond them one word says it all.
const WAITING: usize = 10_000;

/// Topics in one message: 43 bytes each with the longest name 50, of the 8,000 that Postgres carries.
const TOGETHER: usize = 120;

/// Between the bus and its carrier.
#[derive(Debug)]
pub struct Link {
    here: broadcast::Sender<Option<Topic>>,
    waiting: Mutex<Taken>,
    some: Notify,
    /// Names this replica, so that it does not hear itself.
    pub(crate) replica: Uuid,
    connected: AtomicBool,
    sent: AtomicU64,
    heard: AtomicU64,
}

/// What is being told. Where that is broken off, it waits again.
#[derive(Debug)]
pub struct Held<'link> {
    link: &'link Link,
    taken: Taken,
}

impl Held<'_> {
    /// What it is.
    pub fn taken(&mut self) -> &mut Taken {
        &mut self.taken
    }

    /// All of it has been told.
    pub fn told(mut self) {
        self.taken = Taken::default();
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.link.put_back(std::mem::take(&mut self.taken));
    }
}

/// What is to be told.
#[derive(Debug, Default)]
pub struct Taken {
    topics: HashSet<Topic>,
    everything: bool,
}

impl Link {
    pub(super) fn new(here: broadcast::Sender<Option<Topic>>) -> Self {
        let mut random = [0; 16];
        // Without randomness two replicas could take each other for themselves, and would look again every half minute.
        let _zeroes_do = getrandom::fill(&mut random);
        Self {
            here,
            waiting: Mutex::default(),
            some: Notify::new(),
            replica: uuid::Builder::from_random_bytes(random).into_uuid(),
            connected: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        }
    }

    pub(super) fn put(&self, topic: Topic) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.add(topic);
        drop(waiting);
        self.some.notify_one();
    }

    /// Completes when something waits to be told.
    pub async fn wait(&self) {
        loop {
            let some = self.some.notified();
            if !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            some.await;
        }
    }

    /// Takes what waits.
    pub fn take(&self) -> Taken {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what waits, until it has been told.
    pub fn hold(&self) -> Held<'_> {
        Held { link: self, taken: self.take() }
    }

    /// Gives back what could not be told.
    pub fn put_back(&self, taken: Taken) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.everything |= taken.everything;
        taken.topics.into_iter().for_each(|topic| waiting.add(topic));
    }

    /// Tells everybody here what another replica said.
    pub fn hear(&self, topic: Topic) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        let _nobody_listens = self.here.send(Some(topic));
    }

    /// Tells everybody here that something may have been missed.
    pub fn look_at_everything(&self) {
        let _nobody_listens = self.here.send(None);
    }

    /// The way is open, or no longer.
    pub fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    /// Whether the way is open.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Counts messages that were sent.
    pub fn count_sent(&self, messages: usize) {
        self.sent.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Messages sent, and topics heard.
    pub fn counts(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.heard.load(Ordering::Relaxed))
    }
}

impl Taken {
    fn add(&mut self, topic: Topic) {
        if self.everything {
            return;
        }
        self.topics.insert(topic);
        if self.topics.len() > WAITING {
            self.topics.clear();
            self.everything = true;
        }
    }

    fn is_empty(&self) -> bool {
        self.topics.is_empty() && !self.everything
    }

    /// Whether others are to look at everything again.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// The topics, in messages that can be carried.
    pub fn split(&mut self) -> Vec<Vec<Topic>> {
        let topics: Vec<_> = self.topics.iter().copied().collect();
        topics.chunks(TOGETHER).map(<[Topic]>::to_vec).collect()
    }
}
