//! What the database says of itself, for `doctor` and the checks at the start.

use sqlx::PgConnection;

/// Whether it answers at all.
pub async fn is_there(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(connection).await.map(drop)
}
