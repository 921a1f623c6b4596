//! What managers do with a venue's page for guests: open it with a code of its own, close it.

use roomtone_schema::{IdempotencyKey, UserId, VenueId};

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::refusal::Unmet;
use crate::store::guests;

/// The code of a venue's page, as it stands on posters; nothing where the page is closed, or the viewer is not of the staff.
///
/// # Errors
/// Where the database fails.
pub async fn code(cloud: &Cloud, user: UserId, venue: VenueId) -> Result<Option<String>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    let code = guests::code(&mut work, venue).await?;
    work.commit().await?;
    Ok(code)
}

/// Opens the page. Whoever shows a code from before stays outside from now on; who is in stays in.
///
/// # Errors
/// Refused where the caller may not.
pub async fn open_page(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
) -> Result<(), Unmet> {
    let intent = Intent::new(user, key, "openGuestPage", &venue);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<VenueId>(&mut work).await?.is_none() {
        guests::open_page(&mut work, venue).await?;
        intent.answer(&mut work, &venue).await?;
    }
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(venue));
    Ok(())
}

/// Closes the page: it shows nothing and takes nothing from now on, and who came by it has left.
///
/// # Errors
/// Refused where the caller may not.
pub async fn close_page(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    venue: VenueId,
) -> Result<(), Unmet> {
    let intent = Intent::new(user, key, "closeGuestPage", &venue);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<VenueId>(&mut work).await?.is_none() {
        guests::close_page(&mut work, venue).await?;
        intent.answer(&mut work, &venue).await?;
    }
    work.commit().await?;
    cloud.bus.publish(Topic::Venue(venue));
    cloud.bus.publish(Topic::Guests(venue));
    Ok(())
}
