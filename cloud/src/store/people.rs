//! Who people are, as far as whoever asks may know.

use roomtone_schema::UserId;
use sqlx::PgConnection;

use super::{Key, Word, uuids};
use crate::members::GlobalRole;

/// Somebody with an account.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Person {
    /// The `sub` of their token.
    pub id: Key<UserId>,
    /// Their address.
    pub email: Option<String>,
    /// What they call themselves.
    pub display_name: Option<String>,
}

/// Those of some ids that the caller may know: themselves, and members of their venues.
pub async fn find(work: &mut PgConnection, ids: &[UserId]) -> Result<Vec<Person>, sqlx::Error> {
    sqlx::query_as("select id, email, display_name from public.profiles where id = any ($1)")
        .bind(uuids(ids))
        .fetch_all(work)
        .await
}

/// Somebody's global roles.
pub async fn roles(work: &mut PgConnection, user: UserId) -> Result<Vec<GlobalRole>, sqlx::Error> {
    let roles: Vec<Word<GlobalRole>> =
        sqlx::query_scalar("select role from public.roles where user_id = $1 order by role")
            .bind(user.0)
            .fetch_all(work)
            .await?;
    Ok(roles.into_iter().map(|role| role.0).collect())
}
