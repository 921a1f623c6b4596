//! What runs on one socket.

use std::future::pending;

use async_graphql::parser::types::OperationType;
use futures_util::stream::BoxStream;
use tokio_stream::{StreamExt as _, StreamMap};

use crate::events::Event;

type Events = BoxStream<'static, Event>;

/// Operations by their ids. Each gets its turn, so that a busy one starves no other.
#[derive(Default)]
pub(super) struct Operations {
    /// Queries and mutations.
    answers: StreamMap<String, Events>,
    /// Subscriptions.
    watches: StreamMap<String, Events>,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.answers.len() + self.watches.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.answers.contains_key(id) || self.watches.contains_key(id)
    }

    pub(super) fn insert(&mut self, id: String, kind: OperationType, events: Events) {
        let map = match kind {
            OperationType::Query | OperationType::Mutation => &mut self.answers,
            OperationType::Subscription => &mut self.watches,
        };
        map.insert(id, events);
    }

    /// Ends an operation, where there is one.
    pub(super) fn remove(&mut self, id: &str) {
        // Dropped in place: what an operation holds goes with it.
        let _ended = self.answers.remove(id).or_else(|| self.watches.remove(id));
    }

    /// Whether an operation has its answer now and nothing more to bring; it ends here then.
    pub(super) fn is_answered(&mut self, id: &str) -> bool {
        self.answers.remove(id).is_some()
    }

    /// Ends all subscriptions; queries and mutations go on.
    pub(super) fn stop_watching(&mut self) {
        self.watches.clear();
    }

    /// The next event of any operation; waits for ever where none runs.
    pub(super) async fn next(&mut self) -> (String, Event) {
        tokio::select! {
            Some(event) = self.answers.next() => event,
            Some(event) = self.watches.next() => event,
            else => pending().await,
        }
    }
}
