//! What was answered to which key.

use roomtone_schema::{IdempotencyKey, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;

/// What was answered, and to what.
#[derive(Debug, sqlx::FromRow)]
pub struct Answered {
    /// Which mutation it was.
    pub operation: String,
    /// The sha256 of its input.
    pub input_hash: Vec<u8>,
    /// What was answered.
    pub result: Json<serde_json::Value>,
}

/// Lets nobody else answer the same key before this transaction ends, and says what was answered before.
pub async fn find(
    work: &mut PgConnection,
    user: UserId,
    key: IdempotencyKey,
) -> Result<Option<Answered>, sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("{user}/{key}"))
        .execute(&mut *work)
        .await?;
    sqlx::query_as(
        "select operation, input_hash, result from public.idempotency where user_id = $1 and key = $2",
    )
    .bind(user.0)
    .bind(key.0)
    .fetch_optional(work)
    .await
}

/// Keeps what is answered.
pub async fn keep(
    work: &mut PgConnection,
    user: UserId,
    key: IdempotencyKey,
    answered: &Answered,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into public.idempotency (user_id, key, operation, input_hash, result) values ($1, $2, $3, $4, $5)",
    )
    .bind(user.0)
    .bind(key.0)
    .bind(&answered.operation)
    .bind(&answered.input_hash)
    .bind(&answered.result)
    .execute(work)
    .await
    .map(drop)
}
