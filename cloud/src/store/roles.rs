//! `roles`: what somebody may do everywhere.

use sqlx::PgConnection;
use uuid::Uuid;

/// Makes whoever has this address an admin; `None` where nobody has it.
pub async fn grant_admin(work: &mut PgConnection, email: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar("select private.grant_admin($1)").bind(email).fetch_one(work).await
}
