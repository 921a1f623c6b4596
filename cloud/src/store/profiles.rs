//! `profiles`: the accounts that we know.

use roomtone_schema::UserId;
use sqlx::PgConnection;

/// Makes the caller's profile where there is none yet; `false` where there is no such account.
pub async fn ensure(work: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    sqlx::query("select private.ensure_profile()").execute(&mut *work).await?;
    sqlx::query_scalar("select exists (select from public.profiles where id = $1)")
        .bind(user.0)
        .fetch_one(work)
        .await
}
