//! The way to the hub: found, connected, listened to, and found again, for as long as the player runs.
//!
//! Nothing here touches the sound. A hub that cannot be reached is a piece of news and a pause; the pause ends early
//! when the network says something new about this hub.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use roomtone_schema::UnixMillis;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::conductor::News;
use super::view::HubState;
use crate::hub_address::HubAddress;
use crate::hub_client::{HubClient, LinkError};
use crate::hub_finder::Finder;
use crate::identity::Identity;
use crate::stamp::Stamps;

/// The first pause between two attempts, and the longest: a hub that is back is joined within 5 s.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Between two attempts of a player whom the hub knows no more.
const REVOKED_PAUSE: Duration = Duration::from_secs(30);

/// A link that held so long was a link; what breaks sooner is tried again ever more slowly.
const HELD_MS: i64 = 10_000;

/// How often the data folder is looked at for a pairing made by another process.
const PAIRING_LOOK: Duration = Duration::from_millis(500);

/// A secret is replaced after 30 days (reliability.md, pairing).
const SECRET_LIVES: Duration = Duration::from_hours(30 * 24);

/// So many addresses of the hub are remembered: its interfaces, and where it was before.
const ADDRESSES_KEPT: usize = 8;

/// What it needs.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) data: PathBuf,
    pub(super) hub: Option<HubAddress>,
    pub(super) finder: Finder,
    pub(super) news: mpsc::Sender<News>,
    /// The client of the link that holds, for whoever fetches files.
    pub(super) client: watch::Sender<Option<HubClient>>,
    pub(super) doubt: Arc<Notify>,
    pub(super) stamps: Stamps,
    /// What was last said of an identity that cannot be read.
    pub(super) told: Arc<Mutex<Option<String>>>,
}

impl Link {
    /// Keeps the link until told to stop.
    pub(super) async fn keep(self, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(Box::pin(self.endless())).await;
        Ok(())
    }

    async fn endless(&self) {
        let mut told_unpaired = false;
        let mut pause = FIRST_PAUSE;
        let mut rogues = BTreeSet::new();
        loop {
            let Some(identity) = self.identity() else {
                if !std::mem::replace(&mut told_unpaired, true) {
                    self.say(News::Identity(None)).await;
                }
                tokio::time::sleep(PAIRING_LOOK).await;
                continue;
            };
            if std::mem::take(&mut told_unpaired) {
                tracing::info!("paired with {}", identity.venue_name);
            }
            self.finder.keep(Some(identity.hub));
            self.say(News::Identity(Some(identity.clone()))).await;
            let began_ms = self.stamps.clock().monotonic_ms();
            match Box::pin(self.once(&identity)).await {
                Ended::Lost(why) => {
                    self.say(News::Away(HubState::Away { why })).await;
                    let held = HELD_MS <= self.stamps.clock().monotonic_ms() - began_ms;
                    pause = if held { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
                }
                // Somebody else has shown a newer secret of this player: there is one on the disk.
                Ended::NotReached(LinkError::Revoked) if self.has_another_secret(&identity) => {}
                Ended::Changed => rogues.clear(),
                Ended::NotReached(error) => {
                    self.note_rogue(&error, &mut rogues).await;
                    let state = match error {
                        LinkError::Revoked => HubState::Revoked,
                        error => HubState::Away { why: error.to_string() },
                    };
                    pause = if state == HubState::Revoked {
                        REVOKED_PAUSE
                    } else {
                        (pause * 2).min(LONGEST_PAUSE)
                    };
                    self.say(News::Away(state)).await;
                }
            }
            self.client.send_replace(None);
            self.rest(&identity, pause).await;
        }
    }

    /// One link from its beginning to its end.
    async fn once(&self, identity: &Identity) -> Ended {
        let addresses = self.addresses(identity).await;
        let client = match HubClient::connect(&addresses, identity).await {
            Ok(client) => client,
            Err(error) => {
                self.finder.doubt(identity.hub);
                return Ended::NotReached(error);
            }
        };
        self.remember(identity, client.address());
        let orders = match client.orders().await {
            Ok(orders) => orders,
            Err(error) => return Ended::NotReached(error),
        };
        self.renew_secret(identity, &client).await;
        // A doubt about the link before this one is none about this.
        let _old = self.doubt.notified().now_or_never();
        self.client.send_replace(Some(client.clone()));
        self.say(News::Linked(client)).await;
        tokio::pin!(orders);
        let mut look = tokio::time::interval(PAIRING_LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => if self.is_another(identity) {
                    return Ended::Changed;
                },
                order = orders.next() => match order {
                    Some(Ok(order)) => self.say(News::Order(order)).await,
                    Some(Err(LinkError::Revoked)) => return Ended::NotReached(LinkError::Revoked),
                    Some(Err(error)) => return Ended::Lost(error.to_string()),
                    None => return Ended::Lost("the hub has closed the connection".to_owned()),
                },
                () = self.doubt.notified() => return Ended::Lost("the hub does not answer".to_owned()),
            }
        }
    }

    /// Where the hub may be: where it announces itself, where somebody says it is, where it was.
    async fn addresses(&self, identity: &Identity) -> Vec<SocketAddr> {
        let mut addresses = self.finder.hubs().borrow().of(identity.hub);
        if let Some(hub) = &self.hub {
            addresses.extend(hub.for_players().await);
        }
        addresses.extend(&identity.addresses);
        let mut seen = BTreeSet::new();
        addresses.retain(|address| seen.insert(*address));
        addresses
    }

    fn identity(&self) -> Option<Identity> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match Identity::load(&self.data) {
            Ok(identity) => {
                *told = None;
                identity
            }
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    tracing::error!("{error}");
                    *told = Some(error);
                }
                None
            }
        }
    }

    /// Whether this player has been paired anew, or has left its hub.
    fn is_another(&self, identity: &Identity) -> bool {
        let known = |identity: &Identity| (identity.hub, identity.player);
        self.identity().as_ref().map(known) != Some(known(identity))
    }

    fn has_another_secret(&self, identity: &Identity) -> bool {
        self.identity().is_some_and(|now| now.secret != identity.secret)
    }

    fn remember(&self, identity: &Identity, address: SocketAddr) {
        if identity.addresses.first() == Some(&address) {
            return;
        }
        let mut identity = identity.clone();
        identity.addresses.retain(|known| *known != address);
        identity.addresses.insert(0, address);
        identity.addresses.truncate(ADDRESSES_KEPT);
        if let Err(error) = identity.save(&self.data) {
            tracing::warn!(
                "the hub's address could not be kept ({error}); after a restart it is found by mDNS again"
            );
        }
    }

    /// A secret that has lived its time is replaced; the old one is good until the new one is first used.
    async fn renew_secret(&self, identity: &Identity, client: &HubClient) {
        let now = self.stamps.now().wall;
        if now.since(identity.secret_made_at) < SECRET_LIVES {
            return;
        }
        match client.renew_secret().await {
            Ok(secret) => {
                let current = self.identity().unwrap_or_else(|| identity.clone());
                let renewed = Identity { secret, secret_made_at: UnixMillis(now.0), ..current };
                match renewed.save(&self.data) {
                    Ok(()) => tracing::info!(
                        "this player has another secret now; it is used from the next connection on"
                    ),
                    Err(error) => {
                        tracing::warn!("the new secret could not be kept ({error}); the old one stays good");
                    }
                }
            }
            Err(error) => tracing::debug!("no new secret: {error}"),
        }
    }

    /// Somebody who answers with another key is no hub of ours, whatever it calls itself. Told once per address.
    async fn note_rogue(&self, error: &LinkError, rogues: &mut BTreeSet<SocketAddr>) {
        let LinkError::WrongKey { address, .. } = error else { return };
        if rogues.insert(*address) {
            tracing::warn!("{error}");
            self.say(News::Rogue(Some(error.to_string()))).await;
        }
        if ADDRESSES_KEPT < rogues.len() {
            rogues.clear();
        }
    }

    /// A pause, shorter where the network says something new about this hub.
    async fn rest(&self, identity: &Identity, pause: Duration) {
        let spread = pause.mul_f64(0.5 + 0.5 * f64::from(super::conductor::random::<1>()[0]) / 255.0);
        let mut hubs = self.finder.hubs();
        let known = hubs.borrow().of(identity.hub);
        let paired_anew = async {
            while !self.is_another(identity) {
                tokio::time::sleep(PAIRING_LOOK).await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(spread) => {}
            _ = hubs.wait_for(|hubs| hubs.of(identity.hub) != known) => {}
            () = paired_anew => {}
        }
    }

    async fn say(&self, news: News) {
        // An error means that the conductor has gone: the program is ending.
        let _gone = self.news.send(news).await;
    }
}

/// How a link ended.
enum Ended {
    /// It held for a while.
    Lost(String),
    /// It never came to be.
    NotReached(LinkError),
    /// This player belongs to another hub now, or to none.
    Changed,
}
