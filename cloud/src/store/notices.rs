//! Notices between replicas.

use sqlx::PgConnection;

/// Tells whoever listens on `channel`, once the transaction commits.
pub async fn send(work: &mut PgConnection, channel: &str, payload: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, $2)").bind(channel).bind(payload).execute(work).await?;
    Ok(())
}
