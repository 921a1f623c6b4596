//! Facts that the cloud keeps apart, for the manager.

use async_graphql::{Enum, ID, Object};
use roomtone_schema::id::Id as _;
use roomtone_schema::view::DeadLetterView;

use super::date;
use super::scalar::DateTime;

/// A fact that the cloud has not applied. It holds up no other one.
#[derive(Debug, Clone)]
pub struct DeadLetter(pub DeadLetterView);

/// A fact that the cloud has not applied. It holds up no other one.
#[Object]
impl DeadLetter {
    /// Of the fact; the same when it is sent again.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// What it says, such as `vote_cast`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// When it happened.
    async fn happened_at(&self) -> DateTime {
        date(self.0.at)
    }

    /// Whether the cloud tries again by itself.
    async fn state(&self) -> DeadLetterState {
        if self.0.is_parked { DeadLetterState::Parked } else { DeadLetterState::Rejected }
    }

    /// Why, in the cloud's words.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When the cloud said so.
    async fn told_at(&self) -> DateTime {
        date(self.0.told_at)
    }
}

/// How the cloud keeps a fact that it has not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DeadLetterState {
    /// What it depends on is not there yet; the cloud tries again by itself.
    Parked,
    /// It can never be applied as it is.
    Rejected,
}
