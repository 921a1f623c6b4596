//! Players that are let in from the cloud: the hub hears that one is waited for, fetches the code, and opens its window
//! with it, as if somebody had asked for it here.
//!
//! The row says nothing that lets anybody in, so it may lie on the disk. The code is in memory only, for as long as the
//! window is open, and is asked for once for each window: a hub that is started again has no window, and no code either.

use std::time::Duration;

use roomtone_schema::HubId;
use roomtone_sync::backoff::Backoff;
use roomtone_sync::transport::{Client, Internet, NoAnswer};
use roomtone_sync::wire::{Kind, PairingAnswer, PairingAsk, PairingNews, PairingSaid, decode_noun};
use tokio::sync::watch;
use uuid::Uuid;

use crate::hub::{Hub, Inner};
use crate::pairing::desk::News;
use crate::pairing::{DIGITS_LAST, Digits, Meant, WindowId};
use crate::secrets::random;
use crate::store::down_rows;

/// Where it is asked for a code, and told what came of it.
const PAIRING: &str = "/v1/sync/pairing";

/// Somebody who is at the last try has this long to end it.
const LAST_TRY: Duration = Duration::from_secs(10);

/// What came of a pairing is told for this long; then its time is over at the cloud, too.
const TOLD_FOR: Duration = DIGITS_LAST;

/// A pairing that this hub is to open its window for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    id: Uuid,
    news: PairingNews,
}

impl Inner {
    /// The newest pairing at the cloud that is for this hub.
    async fn wished_pairing(&self, me: HubId) -> Option<Wish> {
        let bodies = match self.store.read(|conn| down_rows::bodies(conn, Kind::PlayerPairing)).await {
            Ok(bodies) => bodies,
            Err(error) => {
                tracing::warn!("whether a manager at the cloud pairs a player cannot be read: {error}");
                return None;
            }
        };
        let read = bodies.into_iter().filter_map(|(id, body)| {
            let news: PairingNews = decode_noun(&body).ok()?;
            (news.hub == me).then_some(Wish { id, news })
        });
        read.max_by_key(|wish| (wish.news.until, wish.id))
    }
}

/// Follows what managers wish at the cloud, for as long as it is let.
pub(super) async fn keep_pairing(hub: Hub, client: Client<Internet>, me: HubId) -> anyhow::Result<()> {
    let mut came = hub.0.pairings_came.subscribe();
    let mut done = None;
    loop {
        came.mark_unchanged();
        let wish = hub.0.wished_pairing(me).await;
        match wish {
            Some(wish) if done.as_ref() != Some(&wish) => {
                let at = Pairing { hub: &hub, client: &client, wish: &wish };
                tokio::select! {
                    () = at.carry_out() => {}
                    ended = at.until_another(me) => ended?,
                }
                done = Some(wish);
            }
            _ => came.changed().await?,
        }
    }
}

struct Pairing<'a> {
    hub: &'a Hub,
    client: &'a Client<Internet>,
    wish: &'a Wish,
}

/// Closes its window, whatever happens.
struct Open<'a> {
    hub: &'a Hub,
    window: WindowId,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.hub.close_pairing(self.window);
    }
}

impl Pairing<'_> {
    /// Ends when the cloud does not wish this any more.
    async fn until_another(&self, me: HubId) -> anyhow::Result<()> {
        let mut came = self.hub.0.pairings_came.subscribe();
        loop {
            if self.hub.0.wished_pairing(me).await.as_ref() != Some(self.wish) {
                return Ok(());
            }
            came.changed().await?;
        }
    }

    async fn carry_out(&self) {
        // Whoever typed the digits has gone by then.
        let Ok(answer) = tokio::time::timeout(DIGITS_LAST, self.ask(PairingSaid::Wants)).await else {
            return;
        };
        // Where the code was fetched already, its window has ended with the hub or the line.
        let outcome = match answer.digits.as_deref().and_then(Digits::read) {
            Some(digits) => self.wait(digits, Duration::from_millis(answer.left_ms)).await,
            None => Some(PairingSaid::Closed),
        };
        if let Some(said) = outcome {
            let _too_late = tokio::time::timeout(TOLD_FOR, self.ask(said)).await;
        }
    }

    /// Asks until there is an answer.
    async fn ask(&self, said: PairingSaid) -> PairingAnswer {
        let mut backoff = Backoff::default();
        loop {
            let ask = PairingAsk { pairing: self.wish.id, said };
            let asked_for = match self.client.ask(PAIRING, &ask).await {
                Ok(answer) => return answer,
                Err(NoAnswer::Refused(problem)) => problem.retry_after_ms.map(Duration::from_millis),
                Err(_) => None,
            };
            let chance = f64::from(u32::from_le_bytes(random())) / f64::from(u32::MAX);
            tokio::time::sleep(backoff.after_failure(chance, asked_for)).await;
        }
    }

    /// Opens the window and waits for somebody; what to tell of it. That nobody came in time the cloud knows by itself.
    async fn wait(&self, digits: Digits, left: Duration) -> Option<PairingSaid> {
        let PairingNews { name, zone, .. } = &self.wish.news;
        let known = self.hub.zones();
        let found = zone.as_ref().map(|wanted| (wanted, known.iter().find(|zone| zone.name == *wanted)));
        if let Some((wanted, None)) = found {
            tracing::warn!("a manager wants to pair a player in the zone {wanted}, which is not here");
            return Some(PairingSaid::NoZone);
        }
        let zone = found.and_then(|(_, zone)| zone).map(|zone| zone.id);
        let mut news = self.hub.pairing_news();
        let window = self.hub.open_pairing_with(Meant { name: name.clone(), zone }, digits, left).id;
        let _open = Open { hub: self.hub, window };
        news.mark_unchanged();
        let told = async {
            self.ask(PairingSaid::Opened).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            said = until_over(&mut news, window) => Some(said),
            () = tokio::time::sleep(left) => None,
            () = told => None,
        }
    }
}

async fn until_over(news: &mut watch::Receiver<News>, window: WindowId) -> PairingSaid {
    loop {
        let now = news.borrow_and_update().clone();
        if now.window != window {
            return PairingSaid::Closed;
        }
        if let Some(paired) = now.paired {
            return PairingSaid::Paired(paired.player);
        }
        if !now.is_open {
            return PairingSaid::Closed;
        }
        if now.tries_left == 0 {
            return match tokio::time::timeout(LAST_TRY, news.changed()).await {
                Ok(Ok(())) => continue,
                Ok(Err(_)) | Err(_) => PairingSaid::UsedUp,
            };
        }
        if news.changed().await.is_err() {
            return PairingSaid::Closed;
        }
    }
}
