//! Who may do what in a venue.

use chrono::{DateTime, Utc};
use roomtone_schema::{UserId, VenueId};
use sqlx::PgConnection;

use super::{Key, Word, uuids};
use crate::members::MemberRole;

/// Somebody's part in a venue.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Member {
    /// Where.
    pub venue_id: Key<VenueId>,
    /// Who.
    pub user_id: Key<UserId>,
    /// As what.
    pub role: Word<MemberRole>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// The members of some venues, owners first.
pub async fn of_venues(
    work: &mut PgConnection,
    venues: &[VenueId],
    most: i64,
) -> Result<Vec<Member>, sqlx::Error> {
    sqlx::query_as(
        "select m.venue_id, m.user_id, m.role, m.created_at
         from unnest($1::uuid[]) as wanted (venue_id)
         cross join lateral (select * from public.venue_members m where m.venue_id = wanted.venue_id
           order by private.role_rank(m.role) desc, m.created_at, m.user_id limit $2) m",
    )
    .bind(uuids(venues))
    .bind(most)
    .fetch_all(work)
    .await
}

/// What somebody is a member of.
pub async fn of_user(work: &mut PgConnection, user: UserId, most: i64) -> Result<Vec<Member>, sqlx::Error> {
    sqlx::query_as(
        "select venue_id, user_id, role, created_at from public.venue_members
         where user_id = $1 order by created_at, venue_id limit $2",
    )
    .bind(user.0)
    .bind(most)
    .fetch_all(work)
    .await
}

/// One of them.
pub async fn find(
    work: &mut PgConnection,
    venue: VenueId,
    user: UserId,
) -> Result<Option<Member>, sqlx::Error> {
    sqlx::query_as(
        "select venue_id, user_id, role, created_at from public.venue_members where venue_id = $1 and user_id = $2",
    )
    .bind(venue.0)
    .bind(user.0)
    .fetch_optional(work)
    .await
}

/// Adds whoever has this address.
pub async fn add(
    work: &mut PgConnection,
    venue: VenueId,
    email: &str,
    role: MemberRole,
) -> Result<UserId, sqlx::Error> {
    let id: Key<UserId> = sqlx::query_scalar("select private.add_member($1, $2, $3)")
        .bind(venue.0)
        .bind(email)
        .bind(Word(role))
        .fetch_one(work)
        .await?;
    Ok(id.0)
}

/// Gives another role.
pub async fn change(
    work: &mut PgConnection,
    venue: VenueId,
    user: UserId,
    role: MemberRole,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.change_member_role($1, $2, $3)")
        .bind(venue.0)
        .bind(user.0)
        .bind(Word(role))
        .execute(work)
        .await
        .map(drop)
}

/// Takes somebody out.
pub async fn remove(work: &mut PgConnection, venue: VenueId, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("select private.remove_member($1, $2)")
        .bind(venue.0)
        .bind(user.0)
        .execute(work)
        .await
        .map(drop)
}
