//! Facts that the cloud keeps apart, and what a manager decides about them.

use roomtone_schema::id::Id as _;
use roomtone_schema::{FactId, IdempotencyKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::hub::Hub;
use crate::refusal::{Refusal, RefusalCode};
use crate::store::dead_letters;
use crate::store::{StoreError, Tx, idempotency};

pub use crate::store::dead_letters::DeadLetter;

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

/// The first result of a decision.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: FactId,
    seq: i64,
    kind: String,
    at: UnixMillis,
    is_parked: bool,
    reason: String,
    told_at: UnixMillis,
}

enum Outcome {
    Done(DeadLetter),
    Unknown,
    KeyUsed,
}

impl Hub {
    /// Facts that the cloud keeps apart, newest first, at most 100.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.0.store.read(|conn| dead_letters::newest(conn, MOST)).await
    }

    /// Decides about a fact, once for each key.
    pub async fn decide(
        &self,
        key: IdempotencyKey,
        id: FactId,
        decision: Decision,
    ) -> Result<DeadLetter, DeadLetterError> {
        let (owner, now) = (self.0.id.to_bytes(), self.now());
        let work = move |tx: &Tx<'_>| {
            match idempotency::get::<Kept>(tx, owner, key, decision.word())? {
                Some(Ok(first)) => return Ok(Outcome::Done(first.into())),
                Some(Err(_)) => return Ok(Outcome::KeyUsed),
                None => {}
            }
            let decided = match decision {
                Decision::Retry => dead_letters::retry(tx, id)?,
                Decision::Discard => dead_letters::discard(tx, id)?,
            };
            let Some(letter) = decided else { return Ok(Outcome::Unknown) };
            idempotency::put(tx, owner, key, decision.word(), &Kept::from(&letter), now)?;
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

impl From<&DeadLetter> for Kept {
    fn from(letter: &DeadLetter) -> Self {
        let DeadLetter { id, seq, kind, at, is_parked, reason, told_at, .. } = letter.clone();
        Self { id, seq, kind, at, is_parked, reason, told_at }
    }
}

impl From<Kept> for DeadLetter {
    fn from(kept: Kept) -> Self {
        let Kept { id, seq, kind, at, is_parked, reason, told_at } = kept;
        Self { id, seq, kind, payload: Vec::new(), at, is_parked, reason, told_at }
    }
}
