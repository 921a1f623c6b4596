//! Facts that the cloud keeps apart, and what a manager decides about them.

use roomtone_schema::id::Id as _;
use roomtone_schema::{FactId, IdempotencyKey};

use crate::hub::Hub;
use crate::refusal::{Refusal, RefusalCode};
use crate::store::dead_letters::{self, DeadLetter};
use crate::store::{StoreError, Tx, idempotency};
use crate::view::DeadLetterView;

/// At most so many are told.
const MOST: u32 = 100;

/// What becomes of a fact that the cloud keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is sent again, as a new row of the outbox with its own id.
    Retry,
    /// It is dropped here for good.
    Discard,
}

impl Decision {
    /// What a repeated decision is known by; its owner is the hub itself, for a venue has one manager.
    fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry_dead_letter",
            Self::Discard => "discard_dead_letter",
        }
    }
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// No such fact, or no longer.
    #[error("there is no such fact any more; reload the list")]
    Unknown,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the decision could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for DeadLetterError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Unknown => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Unknown => Some(&["input", "deadLetterId"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            Self::Store(_) => None,
        }
    }
}

enum Outcome {
    Done(DeadLetterView),
    Unknown,
    KeyUsed,
}

impl Hub {
    /// Facts that the cloud keeps apart, newest first, at most 100.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetterView>, StoreError> {
        let found = self.0.store.read(|conn| dead_letters::newest(conn, MOST)).await?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// One of them.
    pub async fn dead_letter(&self, id: FactId) -> Result<Option<DeadLetterView>, DeadLetterError> {
        Ok(self.0.store.read(move |conn| dead_letters::by_id(conn, id)).await?.map(Into::into))
    }

    /// Decides about a fact, once for each key.
    pub async fn decide(
        &self,
        key: IdempotencyKey,
        id: FactId,
        decision: Decision,
    ) -> Result<DeadLetterView, DeadLetterError> {
        let (owner, now) = (self.0.id.to_bytes(), self.now());
        let work = move |tx: &Tx<'_>| {
            match idempotency::get::<DeadLetterView>(tx, owner, key, decision.word())? {
                Some(Ok(first)) => return Ok(Outcome::Done(first)),
                Some(Err(_)) => return Ok(Outcome::KeyUsed),
                None => {}
            }
            let decided = match decision {
                Decision::Retry => dead_letters::retry(tx, id)?,
                Decision::Discard => dead_letters::discard(tx, id)?,
            };
            let Some(letter) = decided.map(DeadLetterView::from) else { return Ok(Outcome::Unknown) };
            idempotency::put(tx, owner, key, decision.word(), &letter, now)?;
            Ok(Outcome::Done(letter))
        };
        match self.0.store.write(work).await? {
            Outcome::Done(letter) => {
                self.0.note_dead_letters().await?;
                Ok(letter)
            }
            Outcome::Unknown => Err(DeadLetterError::Unknown),
            Outcome::KeyUsed => Err(DeadLetterError::KeyUsed),
        }
    }
}

impl From<DeadLetter> for DeadLetterView {
    fn from(kept: DeadLetter) -> Self {
        let DeadLetter { id, seq, kind, at, is_parked, reason, told_at, .. } = kept;
        Self { id, seq, kind, at, is_parked, reason, told_at }
    }
}
