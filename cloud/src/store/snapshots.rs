//! Which chunks a scope is built from.

use chrono::{DateTime, Utc};
use roomtone_schema::OrganisationId;
use roomtone_sync::wire::{Cursor, Scope};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;

/// A chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The sum of its bytes, in hex: its name in the media store.
    pub sha256: String,
    /// How long it is.
    pub bytes: u64,
    /// How many rows are in it.
    pub rows: u32,
}

/// A chunk that nothing names any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// The sum of its bytes.
    pub sha256: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// A snapshot.
#[derive(Debug, Clone)]
pub struct Kept {
    /// At which place of the feed.
    pub at: Cursor,
    /// Its chunks.
    pub chunks: Vec<Piece>,
    /// The revision of each kind as the program told it that made them.
    pub told: Vec<(String, u32)>,
    /// What older ones had.
    pub retired: Vec<Retired>,
    /// When it was made.
    pub built_at: DateTime<Utc>,
}

type Columns = (i64, i64, Json<Vec<Piece>>, Json<Vec<(String, u32)>>, Json<Vec<Retired>>, DateTime<Utc>);

/// The snapshot of a scope.
pub async fn find(work: &mut PgConnection, scope: Scope) -> Result<Option<Kept>, sqlx::Error> {
    let row: Option<Columns> = sqlx::query_as(
        "select at_seq, at_tag, chunks, told, retired, built_at from private.snapshots where scope = $1",
    )
    .bind(scope.to_string())
    .fetch_optional(work)
    .await?;
    Ok(row.map(|(seq, tag, Json(chunks), Json(told), Json(retired), built_at)| Kept {
        at: Cursor { seq, tag },
        chunks,
        told,
        retired,
        built_at,
    }))
}

/// Keeps a snapshot in the place of the one before.
pub async fn keep(
    work: &mut PgConnection,
    organisation: OrganisationId,
    scope: Scope,
    kept: &Kept,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into private.snapshots (scope, organisation_id, at_seq, at_tag, chunks, retired, built_at, told)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (scope) do update set at_seq = excluded.at_seq, at_tag = excluded.at_tag,
           chunks = excluded.chunks, retired = excluded.retired, built_at = excluded.built_at, told = excluded.told",
    )
    .bind(scope.to_string())
    .bind(organisation.0)
    .bind(kept.at.seq)
    .bind(kept.at.tag)
    .bind(Json(&kept.chunks))
    .bind(Json(&kept.retired))
    .bind(kept.built_at)
    .bind(Json(&kept.told))
    .execute(work)
    .await
    .map(drop)
}
