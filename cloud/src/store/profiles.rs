//! `profiles`: the accounts that we know.

use sqlx::PgConnection;

/// What Postgres calls a row that refers to nothing.
const NO_SUCH_ROW: &str = "23503";

/// Makes the caller's profile where there is none yet; `false` where there is no such account.
pub async fn ensure(work: &mut PgConnection) -> sqlx::Result<bool> {
    match sqlx::query("select private.ensure_profile()").execute(work).await {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_SUCH_ROW) => Ok(false),
        Err(error) => Err(error),
    }
}
