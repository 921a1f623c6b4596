//! Facts of hubs that are kept apart.

use chrono::{DateTime, Utc};
use roomtone_schema::{DeadLetterId, HubId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, Word};
use crate::dead_letters::LetterOutcome;

/// A fact that is not applied, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeadLetter {
    /// Its own id.
    pub id: Key<DeadLetterId>,
    /// Whose.
    pub hub_id: Key<HubId>,
    /// Of which life of the hub's database.
    pub hub_epoch: i32,
    /// Its number.
    pub seq: i64,
    /// What it says, as the hub names it.
    pub kind: String,
    /// The noun.
    pub payload: Json<Value>,
    /// For now or for good.
    pub outcome: Word<LetterOutcome>,
    /// Why.
    pub error: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

const COLUMNS: &str = "select id, hub_id, least(hub_epoch, 2147483647)::int as hub_epoch, seq, kind, payload, outcome, error, received_at \
    from public.sync_quarantine where ";

/// A part of a hub's, newest first.
pub async fn of_hub(
    work: &mut PgConnection,
    hub: HubId,
    slice: &Slice<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<DeadLetter>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("hub_id = ").push_bind(hub.0);
    for (place, sign) in [(slice.after, " < "), (slice.before, " > ")] {
        if let Some((at, id)) = place {
            query.push(" and (received_at, id)").push(sign).push("(").push_bind(at);
            query.push(", ").push_bind(id).push(")");
        }
    }
    let order = if slice.backwards { "received_at, id" } else { "received_at desc, id desc" };
    query.push(" order by ").push(order).push(" limit ").push_bind(slice.limit);
    query.build_query_as().fetch_all(work).await
}

/// How many a hub has.
pub async fn count(work: &mut PgConnection, hub: HubId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from public.sync_quarantine where hub_id = $1")
        .bind(hub.0)
        .fetch_one(work)
        .await
}

/// One, where the caller may see it.
pub async fn find(work: &mut PgConnection, id: DeadLetterId) -> Result<Option<DeadLetter>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("id = ").push_bind(id.0);
    query.build_query_as().fetch_optional(work).await
}

/// Has it tried again.
pub async fn retry(work: &mut PgConnection, id: DeadLetterId) -> Result<HubId, sqlx::Error> {
    decide(work, "select private.retry_dead_letter($1)", id).await
}

/// Drops it for good.
pub async fn discard(work: &mut PgConnection, id: DeadLetterId) -> Result<HubId, sqlx::Error> {
    decide(work, "select private.discard_dead_letter($1)", id).await
}

async fn decide(work: &mut PgConnection, sql: &'static str, id: DeadLetterId) -> Result<HubId, sqlx::Error> {
    let hub: Key<HubId> = sqlx::query_scalar(sql).bind(id.0).fetch_one(work).await?;
    Ok(hub.0)
}
