//! Check-in tickets: who somebody with an account is, for one venue, signed so that a hub believes it without us.

use roomtone_schema::{UserId, VenueId};
use roomtone_sync::credential::{SigningKey, TICKET_LIVES, Ticket};
use roomtone_sync::wire::Hash;
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::refusal::{Refusal, Unmet};
use crate::store::tickets;
use crate::uploads::random;

/// A ticket, and until when it holds.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The ticket, as it is handed to the hub's page.
    pub ticket: String,
    /// Until when.
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// A ticket for whoever asks, for one venue. Nothing is kept of it: whoever asks again gets another one, and a hub takes
/// each once.
///
/// # Errors
/// Refused where there is no such venue, or it is archived.
pub async fn create(cloud: &Cloud, user: UserId, venue: VenueId) -> Result<Issued, Unmet> {
    let mut work = cloud.database.as_service().await?;
    let holder = tickets::holder(&mut work, user, venue).await?;
    let name = holder.ok_or_else(|| Refusal::not_found("venue"))?;
    let seed = if let Some(seed) = tickets::seed(&mut work).await? {
        seed
    } else {
        make_key(&mut work).await?;
        tickets::seed(&mut work).await?.ok_or_else(|| anyhow::anyhow!("the key of tickets is not there"))?
    };
    work.commit().await?;
    let key = SigningKey::from_seed(&seed).map_err(anyhow::Error::from)?;
    let ticket = Ticket::new(Uuid::from_bytes(random()), user.0, venue, name, cloud.now());
    Ok(Issued { ticket: ticket.sign(&key), expires_at: cloud.now_utc() + TICKET_LIVES })
}

/// The keys that tickets are verified by, newest first. Where there is none yet, one is made: at the start, so that hubs
/// know it before the first ticket.
///
/// # Errors
/// Where the database fails.
pub async fn keys(cloud: &Cloud) -> Result<Vec<Hash>, Unmet> {
    let mut work = cloud.database.as_service().await?;
    if tickets::seed(&mut work).await?.is_none() {
        make_key(&mut work).await?;
    }
    let keys = tickets::public_keys(&mut work).await?;
    work.commit().await?;
    Ok(keys.into_iter().filter_map(|key| key.try_into().ok()).collect())
}

async fn make_key(work: &mut sqlx::PgConnection) -> Result<(), Unmet> {
    let seed: [u8; 32] = random();
    let key = SigningKey::from_seed(&seed).map_err(anyhow::Error::from)?;
    Ok(tickets::keep_first(work, &seed, &key.public()).await?)
}
