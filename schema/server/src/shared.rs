//! One execution for many subscribers.
//!
//! Phones in a room ask for the same thing in the same words. Where all that a subscription selects is the same for
//! everybody ([`rules`]), those who send the same document, operation and variables and are of the same class share a
//! *topic*: one task executes it, writes each answer once, and every subscriber is handed the same bytes. What is asked
//! for is state, so a topic keeps the newest answer alone: late joiners begin with it, slow readers skip to it, and
//! nothing queues up.
//!
//! An answer may tell what was true only at its moment (a position, which songs can be played), so a late joiner gets
//! the last bytes only while they are [`FRESH`]; else the topic is executed once more, for all who wait for it. The
//! engine gets no viewer to execute with, only their class, so a guard at the root that asks for the class
//! ([`Asker::class`]) holds for each of them alike.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Executor, Request, Variables};
use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use futures_util::stream::{self, BoxStream};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::caller::{Asker, Class};
use crate::events::{Event, Payload, answers};
use crate::operation::operation_of;

mod rules;

use rules::SharingRules;

/// How old an answer may be for somebody who joins: well below what a listener could tell of a position in a song, and
/// long enough that a room of phones that come back at once costs a few executions.
const FRESH: Duration = Duration::from_millis(100);

/// The topics of one front.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    rules: SharingRules,
    topics: Mutex<HashMap<Arc<Key>, Arc<Topic>>>,
}

/// What subscribers have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    query: String,
    operation_name: Option<String>,
    /// Those that the operation declares, as JSON with sorted names.
    variables: String,
    class: Class,
}

/// What it takes to execute a subscription for everybody, as often as it must be.
#[derive(Debug)]
pub(crate) struct Recipe {
    key: Arc<Key>,
    document: ExecutableDocument,
    variables: Variables,
    /// How often a resolver wanted to know who asks.
    asked: Arc<AtomicUsize>,
}

/// Where the subscribers of one key meet. The senders are held by the topic's task and by the list of topics alone, so
/// subscribers learn of the end by their absence.
#[derive(Debug)]
struct Topic {
    newest: watch::Sender<Option<Answer>>,
    /// Tells those who wait for a fresh answer that there is one.
    renewed: watch::Sender<()>,
    stale: Arc<Notify>,
}

#[derive(Debug, Clone)]
struct Answer {
    payload: Payload,
    written: Instant,
}

impl Shared {
    /// Shares what a schema's text marks as the same for everybody.
    pub(crate) fn by(sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        Ok(Self { rules: SharingRules::read(sdl)?, topics: Mutex::default() })
    }

    /// How a subscription is executed for everybody of a class; `None` where it is the viewer's own.
    pub(crate) fn recipe(&self, request: &mut Request, class: Class) -> Option<Recipe> {
        let (name, request_text) = (request.operation_name.clone(), request.query.clone());
        let variables = request.variables.clone();
        let document = request.parsed_query().ok()?;
        let operation = operation_of(document, name.as_deref())?;
        if !self.rules.apply(document, operation, &variables) {
            return None;
        }
        let declared = operation.variable_definitions.iter().map(|definition| &definition.node.name.node);
        let given: BTreeMap<_, _> = declared.filter_map(|name| variables.get_key_value(name)).collect();
        let key = Key {
            query: request_text,
            operation_name: name,
            variables: serde_json::to_string(&given).ok()?,
            class,
        };
        Some(Recipe { key: Arc::new(key), document: document.clone(), variables, asked: Arc::default() })
    }

    /// The answers of a topic, which begins with its first subscriber and ends with its last.
    pub(crate) fn join<E: Executor>(
        self: &Arc<Self>,
        recipe: Recipe,
        executor: &E,
        tasks: &TaskTracker,
    ) -> BoxStream<'static, Event> {
        let mut topics = self.topics();
        let topic = topics.entry(Arc::clone(&recipe.key)).or_insert_with(|| {
            let topic = Arc::new(Topic {
                newest: watch::Sender::new(None),
                renewed: watch::Sender::new(()),
                stale: Arc::default(),
            });
            let place =
                Place { shared: Arc::clone(self), key: Arc::clone(&recipe.key), topic: Arc::clone(&topic) };
            tasks.spawn(drive(executor.clone(), recipe, place));
            topic
        });
        // Counted under the lock, where the topic's task looks for the last time.
        let subscriber = Subscriber {
            newest: topic.newest.subscribe(),
            renewed: topic.renewed.subscribe(),
            stale: Arc::clone(&topic.stale),
            joined: Some(Instant::now()),
        };
        drop(topics);
        stream::unfold(Some(subscriber), next).boxed()
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Arc<Key>, Arc<Topic>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipe {
    /// One execution for everybody: there is no viewer to be found in it.
    fn execute<E: Executor>(&self, executor: &E) -> BoxStream<'static, Payload> {
        let mut request = Request::new(&self.key.query).variables(self.variables.clone());
        request.operation_name.clone_from(&self.key.operation_name);
        request.set_parsed_query(self.document.clone());
        answers(executor, request.data(Asker::everybody(self.key.class, Arc::clone(&self.asked))))
    }

    /// Whoever asks in a shared answer is told that nobody does, so nothing leaks; but the schema is wrong.
    fn complain(&self) {
        if self.asked.swap(0, Ordering::Relaxed) > 0 {
            let query = &self.key.query;
            tracing::error!(
                "a resolver asked for the viewer in a shared answer; mark its field @perViewer: {query}"
            );
        }
    }
}

/// Executes a topic for as long as anybody listens and there is anything to come.
async fn drive<E: Executor>(executor: E, recipe: Recipe, place: Place) {
    let topic = &place.topic;
    let mut answers = recipe.execute(&executor);
    let mut again: Option<BoxStream<'static, Payload>> = None;
    loop {
        tokio::select! {
            answer = answers.next() => {
                let Some(payload) = answer else { return };
                topic.newest.send_replace(Some(Answer::now(payload)));
            }
            answer = OptionFuture::from(again.as_mut().map(|again| again.next())), if again.is_some() => {
                again = None;
                if let Some(payload) = answer.flatten() {
                    topic.renew(payload);
                }
            }
            () = topic.stale.notified(), if again.is_none() => {
                if topic.is_fresh() {
                    topic.renewed.send_replace(());
                } else {
                    again = Some(recipe.execute(&executor));
                }
            }
            () = topic.newest.closed() => {
                if place.is_abandoned() {
                    return;
                }
            }
        }
        recipe.complain();
        tokio::task::consume_budget().await;
    }
}

/// A topic's place in the list, for as long as its task lives.
struct Place {
    shared: Arc<Shared>,
    key: Arc<Key>,
    topic: Arc<Topic>,
}

impl Place {
    /// Whether nobody listens; then nobody will, because the topic is on the list no more.
    fn is_abandoned(&self) -> bool {
        let mut topics = self.shared.topics();
        let abandoned = self.topic.newest.receiver_count() == 0;
        if abandoned {
            topics.remove(&self.key);
        }
        abandoned
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut topics = self.shared.topics();
        if topics.get(&self.key).is_some_and(|topic| Arc::ptr_eq(topic, &self.topic)) {
            topics.remove(&self.key);
        }
    }
}

impl Topic {
    /// A fresh answer for those who wait for one; the others have heard of every change.
    fn renew(&self, payload: Payload) {
        self.newest.send_if_modified(|newest| {
            *newest = Some(Answer::now(payload));
            false
        });
        self.renewed.send_replace(());
    }

    fn is_fresh(&self) -> bool {
        self.newest.borrow().as_ref().is_some_and(|answer| answer.is_fresh_at(Instant::now()))
    }
}

impl Answer {
    fn now(payload: Payload) -> Self {
        Self { payload, written: Instant::now() }
    }

    fn is_fresh_at(&self, moment: Instant) -> bool {
        self.written + FRESH >= moment
    }
}

/// One client's view of a topic.
struct Subscriber {
    newest: watch::Receiver<Option<Answer>>,
    renewed: watch::Receiver<()>,
    stale: Arc<Notify>,
    /// When it joined, until it has had its first answer.
    joined: Option<Instant>,
}

async fn next(subscriber: Option<Subscriber>) -> Option<(Event, Option<Subscriber>)> {
    let mut subscriber = subscriber?;
    let answer = match subscriber.joined.take() {
        Some(joined) => subscriber.first(joined).await,
        None => subscriber.next().await,
    };
    Some(answer.map_or((Event::Complete, None), |payload| (Event::Next(payload), Some(subscriber))))
}

impl Subscriber {
    /// The newest answer, if it is as good as one that was executed for this subscriber.
    async fn first(&mut self, joined: Instant) -> Option<Payload> {
        loop {
            self.renewed.mark_unchanged();
            match &*self.newest.borrow_and_update() {
                Some(answer) if answer.is_fresh_at(joined) => return Some(answer.payload.clone()),
                Some(_) => self.stale.notify_one(),
                None => {}
            }
            let heard = tokio::select! {
                changed = self.newest.changed() => changed,
                renewed = self.renewed.changed() => renewed,
            };
            if heard.is_err() {
                return self.newest();
            }
        }
    }

    /// The next answer, or the newest where several have come since.
    async fn next(&mut self) -> Option<Payload> {
        self.newest.changed().await.ok()?;
        self.newest()
    }

    /// What there is, seen with that.
    fn newest(&mut self) -> Option<Payload> {
        self.newest.borrow_and_update().as_ref().map(|answer| answer.payload.clone())
    }
}

#[cfg(test)]
mod tests;
