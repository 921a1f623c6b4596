//! What somebody may do, asked before it is done: so that a refusal can say which role it takes.

use roomtone_schema::{OrganisationId, VenueId};
use sqlx::PgConnection;

use crate::members::MemberRole;
use crate::store::{Key, Word, uuids};

/// Fails (RT404, RT403) where the caller has less than this role in a venue.
pub async fn require(work: &mut PgConnection, venue: VenueId, role: MemberRole) -> Result<(), sqlx::Error> {
    sqlx::query("select private.require_role($1, $2)")
        .bind(venue.0)
        .bind(Word(role))
        .execute(work)
        .await
        .map(drop)
}

/// Those of some organisations in which the caller works: is at least staff in a venue of theirs.
pub async fn working_in(
    work: &mut PgConnection,
    organisations: &[OrganisationId],
) -> Result<Vec<Key<OrganisationId>>, sqlx::Error> {
    sqlx::query_scalar("select o from private.my_organisations('staff') m (o) where o = any ($1)")
        .bind(uuids(organisations))
        .fetch_all(work)
        .await
}

/// Fails where the caller has less than this role in every venue of an organisation.
pub async fn require_in(
    work: &mut PgConnection,
    organisation: OrganisationId,
    role: MemberRole,
) -> Result<(), sqlx::Error> {
    sqlx::query("select private.require_role_in($1, $2)")
        .bind(organisation.0)
        .bind(Word(role))
        .execute(work)
        .await
        .map(drop)
}
