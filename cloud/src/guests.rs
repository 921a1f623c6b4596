//! Guests whose phones do not reach their hub: a page for each venue at `/v/<slug>`, with the listeners' API behind it.
//!
//! What is shown is what the hub told last; what guests do is written here and comes down to the hub as rows of its
//! venue's scope. Nothing here is needed for music: a hub without its cloud has its own page, and a cloud without the hub
//! keeps what was said until it is back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roomtone_schema::VenueId;
use roomtone_server::front::{Front, FrontSettings, Introspection};
use roomtone_server::listener::Room;
use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::config::GuestSection;
use crate::graphql::guests::{GuestSchema, schema, sdl};

mod gate;
pub mod managing;
mod people;
mod room;
mod shown;
mod visiting;

pub use gate::GuestGate;
pub use room::GuestRoom;

/// How often a page that somebody looks at is read anew.
const LOOKS_EVERY: Duration = Duration::from_secs(2);

/// A page that nobody has asked for since then, and nobody watches, is let go of.
const LETS_GO: Duration = Duration::from_mins(2);

/// What answers a venue's guests.
pub type GuestFront = Front<GuestSchema, GuestGate>;

/// All pages that are at hand. Clones are the same.
#[derive(Clone)]
pub struct Guests(Arc<Parts>);

impl std::fmt::Debug for Guests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guests").field("open", &self.all().len()).finish_non_exhaustive()
    }
}

struct Parts {
    cloud: Cloud,
    limits: GuestSection,
    settings: FrontSettings,
    sdl: String,
    stop: CancellationToken,
    open: Mutex<HashMap<String, Open>>,
}

/// A page that is at hand.
#[derive(Clone)]
struct Open {
    room: Arc<GuestRoom>,
    front: GuestFront,
    /// Ends what is open of it.
    stop: CancellationToken,
    /// When it was last asked for, by the monotonic clock.
    asked_ms: i64,
}

impl Guests {
    /// No page yet; `settings` bound what one question may cost, and `stop` ends what stays open.
    pub fn new(
        cloud: Cloud,
        limits: GuestSection,
        settings: &FrontSettings,
        stop: CancellationToken,
    ) -> Self {
        let settings = FrontSettings {
            introspection: Introspection::Managers,
            sockets: limits.sockets as usize,
            sockets_per_device: limits.sockets_per_device as usize,
            sockets_for_guests: None,
            ..settings.clone()
        };
        let open = Mutex::default();
        Self(Arc::new(Parts { cloud, limits, settings, sdl: sdl(), stop, open }))
    }

    /// What answers at an address; `None` where no venue has a page there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn at(&self, slug: &str) -> Result<Option<GuestFront>, sqlx::Error> {
        if let Some(front) = self.at_hand(slug) {
            return Ok(Some(front));
        }
        let mut work = self.0.cloud.database.as_guest(None).await?;
        let Some(venue) = crate::store::guests::page(&mut work, slug).await? else { return Ok(None) };
        work.commit().await?;
        self.open(slug, venue).await
    }

    fn at_hand(&self, slug: &str) -> Option<GuestFront> {
        let now = self.0.cloud.clock.monotonic_ms();
        let mut all = self.all();
        let found = all.get_mut(slug)?;
        found.asked_ms = now;
        Some(found.front.clone())
    }

    async fn open(&self, slug: &str, venue: VenueId) -> Result<Option<GuestFront>, sqlx::Error> {
        let parts = &self.0;
        let opened = GuestRoom::open(parts.cloud.clone(), venue, slug, parts.limits.clone()).await?;
        let Some(room) = opened.map(Arc::new) else { return Ok(None) };
        let stop = parts.stop.child_token();
        let shown: Arc<dyn Room> = Arc::clone(&room) as Arc<dyn Room>;
        let front = Front::new(
            schema(shown, &parts.settings),
            GuestGate(Arc::clone(&room)),
            parts.settings.clone(),
            stop.clone(),
        );
        let front = front.sharing(&parts.sdl).expect("what a schema says of itself is a schema");
        let open = Open { room, front: front.clone(), stop, asked_ms: parts.cloud.clock.monotonic_ms() };
        let mut all = self.all();
        // Of two that opened it at once the first one's is everybody's.
        if let Some(first) = all.get(slug) {
            return Ok(Some(first.front.clone()));
        }
        if parts.limits.venues as usize <= all.len()
            && let Some(oldest) =
                all.iter().min_by_key(|(_, open)| open.asked_ms).map(|(slug, _)| slug.clone())
        {
            close(all.remove(&oldest));
        }
        all.insert(slug.to_owned(), open);
        Ok(Some(front))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is shown up to date, until `stop`.
    ///
    /// # Errors
    /// Never; whatever fails is tried again.
    pub async fn keep(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(LOOKS_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let open: Vec<(String, Open)> =
                self.all().iter().map(|(slug, open)| (slug.clone(), open.clone())).collect();
            for (slug, page) in open {
                self.look(&slug, &page).await;
            }
        }
        Ok(())
    }

    async fn look(&self, slug: &str, page: &Open) {
        let idle_ms = self.0.cloud.clock.monotonic_ms().saturating_sub(page.asked_ms);
        let is_watched = page.front.open_sockets().load(std::sync::atomic::Ordering::Relaxed) > 0;
        let is_wanted = is_watched || u128::from(idle_ms.max(0).cast_unsigned()) < LETS_GO.as_millis();
        let is_there = is_wanted
            && match self.read(slug, page).await {
                Ok(is_there) => is_there,
                Err(error) => {
                    tracing::warn!(%error, slug, "a venue's page for guests could not be read; it shows what it showed");
                    true
                }
            };
        if !is_there {
            let mut all = self.all();
            if all.get(slug).is_some_and(|open| Arc::ptr_eq(&open.room, &page.room)) {
                close(all.remove(slug));
            }
        }
    }

    /// Whether the page is still at this address; what it shows is read anew.
    async fn read(&self, slug: &str, page: &Open) -> Result<bool, sqlx::Error> {
        let mut work = self.0.cloud.database.as_guest(None).await?;
        let venue = crate::store::guests::page(&mut work, slug).await?;
        work.commit().await?;
        Ok(venue == Some(page.room.venue) && page.room.look().await?)
    }

    /// Completes when every WebSocket has said goodbye; call it after the stop.
    pub async fn goodbyes(&self) {
        let fronts: Vec<GuestFront> = self.all().values().map(|open| open.front.clone()).collect();
        for front in fronts {
            front.goodbyes().await;
        }
    }

    /// How many connections stay open, in all venues.
    pub fn open_sockets(&self) -> usize {
        let all = self.all();
        all.values().map(|open| open.front.open_sockets().load(std::sync::atomic::Ordering::Relaxed)).sum()
    }
}

fn close(open: Option<Open>) {
    if let Some(open) = open {
        open.room.people().end_all();
        open.stop.cancel();
    }
}
