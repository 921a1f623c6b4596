//! What runs on one socket.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_graphql::parser::types::OperationType;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::events::Event;

type Events = BoxStream<'static, Event>;

/// Operations by their ids. Each gets its turn, so that a busy one starves no other.
#[derive(Default)]
pub(super) struct Operations {
    /// A handful at most, so looking through them is quickest.
    running: Vec<Running>,
    /// Whose turn it is.
    turn: usize,
}

struct Running {
    id: Arc<str>,
    kind: OperationType,
    events: Events,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.iter().any(|running| *running.id == *id)
    }

    pub(super) fn insert(&mut self, id: &str, kind: OperationType, events: Events) {
        self.running.push(Running { id: id.into(), kind, events });
    }

    /// Ends an operation, where there is one.
    pub(super) fn remove(&mut self, id: &str) {
        self.running.retain(|running| *running.id != *id);
    }

    /// Whether an operation has its answer now and nothing more to bring; it ends here then.
    pub(super) fn is_answered(&mut self, id: &str) -> bool {
        let before = self.running.len();
        self.running.retain(|running| *running.id != *id || running.kind == OperationType::Subscription);
        self.running.len() < before
    }

    /// Ends all subscriptions; queries and mutations go on.
    pub(super) fn stop_watching(&mut self) {
        self.running.retain(|running| running.kind != OperationType::Subscription);
    }

    /// The next event of any operation; waits for ever where none runs.
    pub(super) async fn next(&mut self) -> (Arc<str>, Event) {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(Arc<str>, Event)> {
        for step in 0..self.running.len() {
            let at = (self.turn + step) % self.running.len();
            let running = &mut self.running[at];
            if let Poll::Ready(event) = running.events.poll_next_unpin(cx) {
                self.turn = at + 1;
                return Poll::Ready((Arc::clone(&running.id), event.unwrap_or(Event::Complete)));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, stream};

    use super::*;

    #[test]
    fn a_busy_operation_starves_no_other() {
        let mut operations = Operations::default();
        let endless = || stream::repeat(Event::Complete).boxed();
        operations.insert("busy", OperationType::Subscription, endless());
        operations.insert("waits", OperationType::Subscription, stream::pending().boxed());
        operations.insert("busy too", OperationType::Subscription, endless());
        let mut next = || operations.next().now_or_never().map(|(id, _)| id.to_string());
        let turns: Vec<_> = (0..4).filter_map(|_| next()).collect();
        assert_eq!(turns, ["busy", "busy too", "busy", "busy too"]);
    }

    #[test]
    fn where_nothing_runs_nothing_comes() {
        assert!(Operations::default().next().now_or_never().is_none());
    }

    #[test]
    fn what_is_answered_is_over_and_what_is_watched_goes_on() {
        let mut operations = Operations::default();
        operations.insert("query", OperationType::Query, stream::pending().boxed());
        operations.insert("watch", OperationType::Subscription, stream::pending().boxed());
        assert!(operations.is_answered("query") && !operations.is_answered("watch"));
        assert!(!operations.contains("query") && operations.contains("watch"));
        operations.stop_watching();
        assert_eq!(operations.len(), 0);
    }
}
