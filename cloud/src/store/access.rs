//! What somebody may do, asked before it is done: so that a refusal can say which role it takes.

use roomtone_schema::{OrganisationId, VenueId};
use sqlx::PgConnection;

use crate::members::MemberRole;
use crate::store::Word;

/// Fails (RT404, RT403) where the caller has less than this role in a venue.
pub async fn require(work: &mut PgConnection, venue: VenueId, role: MemberRole) -> Result<(), sqlx::Error> {
    sqlx::query("select private.require_role($1, $2)")
        .bind(venue.0)
        .bind(Word(role))
        .execute(work)
        .await
        .map(drop)
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
