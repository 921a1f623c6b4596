//! What makes a retried request the same request.
//!
//! A key is somebody's own and stands for one intent: the same key with the same input is answered as the first time,
//! with another input it is refused. The answer is kept in the transaction that did the work, so there is never one
//! without the other. Only ids are kept; what they name is read again. Refusals are not kept: nothing was done.

use roomtone_schema::{IdempotencyKey, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::refusal::{Code, Refusal, Unmet};
use crate::store::idempotency::{self, Answered};

/// Somebody's wish to have one thing done once.
#[derive(Debug, Clone)]
pub struct Intent {
    user: UserId,
    key: IdempotencyKey,
    operation: &'static str,
    input_hash: Vec<u8>,
}

impl Intent {
    /// The wish of `user` to have `operation` done with `input`.
    ///
    /// # Panics
    /// Where `input` is no plain data: all of ours are.
    pub fn new(user: UserId, key: IdempotencyKey, operation: &'static str, input: &impl Serialize) -> Self {
        let text = serde_json::to_vec(input).expect("an input is plain data");
        Self { user, key, operation, input_hash: Sha256::digest(text).to_vec() }
    }

    /// What was answered before; from here to the end of the transaction nobody else answers the same key.
    ///
    /// # Errors
    /// Refused where the key stood for something else.
    pub async fn answered<T: DeserializeOwned>(&self, work: &mut PgConnection) -> Result<Option<T>, Unmet> {
        let Some(before) = idempotency::find(work, self.user, self.key).await? else { return Ok(None) };
        if before.operation != self.operation || before.input_hash != self.input_hash {
            let why = "this idempotencyKey was used for something else; take a new one for each intent";
            return Err(Refusal::new(Code::Conflict, why).at("idempotencyKey").into());
        }
        let result = serde_json::from_value(before.result.0).map_err(anyhow::Error::from)?;
        Ok(Some(result))
    }

    /// Keeps what is answered.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn answer(&self, work: &mut PgConnection, result: &impl Serialize) -> Result<(), Unmet> {
        let result = Json(serde_json::to_value(result).map_err(anyhow::Error::from)?);
        let answered =
            Answered { operation: self.operation.to_owned(), input_hash: self.input_hash.clone(), result };
        Ok(idempotency::keep(work, self.user, self.key, &answered).await?)
    }
}
