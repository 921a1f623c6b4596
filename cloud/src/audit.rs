//! Who did what: every change leaves a line, in the transaction that made it.

use roomtone_schema::{AuditEntryId, UserId, VenueId};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::refusal::Unmet;
use crate::store::audit_log;
use crate::venues::Slice;

pub use crate::store::audit_log::AuditEntry;

/// A part of a venue's log, newest first. It is for managers; others see an empty one.
///
/// # Errors
/// Where the database fails.
pub async fn of_venue(
    cloud: &Cloud,
    user: UserId,
    venue: VenueId,
    slice: &Slice<Uuid>,
) -> Result<Vec<AuditEntry>, Unmet> {
    Ok(audit_log::of_venue(&mut *cloud.database.as_user(user).await?, venue, slice).await?)
}

/// How many lines it has.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, venue: VenueId) -> Result<i64, Unmet> {
    Ok(audit_log::count(&mut *cloud.database.as_user(user).await?, venue).await?)
}

/// One line, where the caller may see it.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, id: AuditEntryId) -> Result<Option<AuditEntry>, Unmet> {
    Ok(audit_log::find(&mut *cloud.database.as_user(user).await?, &[id]).await?.pop())
}
