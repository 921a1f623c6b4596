//! What the player says to its hub, over TLS to the pinned key: GraphQL by HTTP and by WebSocket, and files by Range.
//!
//! Every request has an end, whatever the network does, and may be dropped at any time. What is absent: when to try
//! again. That is the caller's, who knows what the music needs.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use roomtone_schema::view::{LatePlay, PlaybackReport};
use roomtone_schema::{PickId, PlayId, SongId};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::hours::Hours;
use crate::identity::Identity;
use crate::pick::Pick;
use crate::pinned;

mod answers;
mod documents;
mod download;
mod error;
pub(crate) mod line;
mod orders;

pub use error::LinkError;
pub use orders::Order;

use answers::{Claim, Taken};
use line::{Line, Reply};

/// How long an answer may take once the request has left.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// The next address is tried while the one before may still answer: a dead first address costs this, not its timeout.
const STAGGER: Duration = Duration::from_millis(250);

/// Addresses of one hub that are tried: two families on a few interfaces, and as many of each who says to be it.
const MOST_ADDRESSES: usize = 32;

/// Connections kept for the next request: one for a report, one for a claim at the same time.
const MOST_IDLE: usize = 2;

/// The largest answer that is read: a plan of 240 songs with signed addresses is 150 KB.
const LARGEST_ANSWER: usize = 4 << 20;

/// What the hub answers to a claim while it has nothing to play.
const NO_MUSIC: &str = "NOT_FOUND";

/// A player's line to its hub. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct HubClient {
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    secret: String,
    idle: Mutex<Vec<Line>>,
}

/// The secret is nobody's business, also in a log.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What the hub wants played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// Play this; `None` while the hub has no music.
    pub pick: Option<Pick>,
    /// And then these, should the hub be gone.
    pub plan: Vec<Pick>,
    /// When there is to be music; `None` where the hub did not say.
    pub hours: Option<Hours>,
    /// Whether the venue's licence lets songs be kept that are needed no more; `None` where the hub did not say.
    pub offline_storage: Option<bool>,
}

/// What a player plays already, by a plan from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Which decision.
    pub pick: PickId,
    /// Its song: a hub that was started anew since then does not know its old plan.
    pub song: Option<SongId>,
}

impl From<PickId> for Begun {
    fn from(pick: PickId) -> Self {
        Self { pick, song: None }
    }
}

impl From<(PickId, SongId)> for Begun {
    fn from((pick, song): (PickId, SongId)) -> Self {
        Self { pick, song: Some(song) }
    }
}

/// What became of late plays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LateTaken {
    /// How many the hub has now, also those that it had before.
    pub taken: u32,
    /// Songs that this venue does not have; their plays were dropped.
    pub unknown: Vec<SongId>,
}

impl HubClient {
    /// Connects to the first of `addresses` that answers with the hub's key: where it was met before, then IPv4 before
    /// IPv6, each a moment after the one before. However many say that they are the hub, where it was comes first.
    pub async fn connect(addresses: &[SocketAddr], identity: &Identity) -> Result<Self, LinkError> {
        let config = pinned::only(identity.key);
        let met = addresses.iter().filter(|address| identity.addresses.contains(address));
        let mut places: Vec<SocketAddr> = met.copied().collect();
        places.extend(in_order(addresses).iter().filter(|address| !identity.addresses.contains(address)));
        let (address, line) = first_of(&places, &config).await?;
        let secret = identity.secret.clone();
        Ok(Self { shared: Arc::new(Shared { address, config, secret, idle: Mutex::new(vec![line]) }) })
    }

    /// Where the hub was met.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Claims the next song for the play `play`. `begun` is a pick of the plan that has been begun already, without
    /// the hub: the zone follows it, unless another player has moved on first.
    pub async fn claim(
        &self,
        key: Uuid,
        play: PlayId,
        begun: Option<impl Into<Begun>>,
    ) -> Result<Claimed, LinkError> {
        let input = answers::claim(key, play, begun.map(Into::into));
        match self.mutate::<Claim>(documents::CLAIM, "claimNextSong", input).await {
            Ok(claim) => claim.into_claimed(),
            Err(LinkError::Refused { code, .. }) if code == NO_MUSIC => Ok(Claimed::default()),
            Err(error) => Err(error),
        }
    }

    /// What the zone plays, and the plan, without moving anything.
    pub async fn plan(&self) -> Result<Claimed, LinkError> {
        let mut data = self.ask(documents::PLAN, Value::Null).await?;
        let plan: Option<answers::Plan> = answers::read(data["playerPlan"].take())?;
        // It is the player's own: who is answered with nothing is no player any more.
        plan.ok_or(LinkError::Revoked)?.into_claimed()
    }

    /// Tells the hub what this player does.
    pub async fn report(&self, key: Uuid, report: &PlaybackReport) -> Result<(), LinkError> {
        let input = answers::report(key, report);
        let _player: answers::Nothing = self.mutate(documents::REPORT, "reportPlayback", input).await?;
        Ok(())
    }

    /// Tells the hub of at most 100 plays that it has not seen.
    pub async fn report_plays(&self, key: Uuid, plays: &[LatePlay]) -> Result<LateTaken, LinkError> {
        let input = answers::late(key, plays);
        let taken: Taken = self.mutate(documents::REPORT_PLAYS, "reportPlays", input).await?;
        taken.into_late_taken()
    }

    /// The hub's orders as they come, the volume first; the stream ends with an error when the line does.
    pub async fn orders(
        &self,
    ) -> Result<impl Stream<Item = Result<Order, LinkError>> + Send + use<>, LinkError> {
        orders::subscribe(self.shared.address, &self.shared.config, &self.shared.secret).await
    }

    /// The bytes of a file from `from` on, on a connection of its own.
    pub async fn fetch(
        &self,
        path: &str,
        from: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, LinkError>> + Send + use<>, LinkError> {
        let line = Line::open(self.shared.address, &self.shared.config).await?;
        download::begin(line, path, from, &self.shared.secret).await
    }

    /// A new secret; the old one stays good until the new one is first used.
    pub async fn renew_secret(&self) -> Result<String, LinkError> {
        let reply = self.exchange(Method::POST, "/pair/renew", Bytes::new()).await?;
        if reply.status == StatusCode::UNAUTHORIZED || reply.status == StatusCode::FORBIDDEN {
            return Err(LinkError::Revoked);
        }
        let renewed: answers::Renewed = reply.json()?;
        Ok(renewed.secret)
    }

    /// The hub's own clock, by the `Date` of a cheap answer, and whether the secret is still good.
    pub(crate) async fn look(&self) -> (Option<String>, Result<(), LinkError>) {
        let body = json!({ "query": documents::PLAN_ID }).to_string();
        let reply = match self.exchange(Method::POST, "/graphql", body.into()).await {
            Ok(reply) => reply,
            Err(error) => return (None, Err(error)),
        };
        let date = reply.date.clone();
        let known = answers::data(&reply).and_then(|data| match &data["playerPlan"] {
            Value::Null => Err(LinkError::Revoked),
            _ => Ok(()),
        });
        (date, known)
    }

    async fn mutate<T: DeserializeOwned>(
        &self,
        document: &str,
        field: &str,
        input: Value,
    ) -> Result<T, LinkError> {
        let mut data = self.ask(document, json!({ "input": input })).await?;
        answers::payload(data[field].take())
    }

    async fn ask(&self, document: &str, variables: Value) -> Result<Value, LinkError> {
        let body = json!({ "query": document, "variables": variables }).to_string();
        answers::data(&self.exchange(Method::POST, "/graphql", body.into()).await?)
    }

    /// One request and its whole answer, on a kept connection where there is one.
    ///
    /// A kept connection may have died unseen. Every request of ours can be sent twice (by its key), so it is, once.
    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, LinkError> {
        if let Some(mut line) = self.shared.take_idle() {
            let request = self.request(method.clone(), path, body.clone())?;
            match line.exchange(request, LARGEST_ANSWER, ANSWER).await {
                Ok(reply) => {
                    self.shared.keep(line);
                    return Ok(reply);
                }
                // A hub that says nothing for so long will not say more on the next line.
                Err(error) if error.is_silence() => {
                    self.shared.forget_idle();
                    return Err(error);
                }
                Err(error) => tracing::debug!("a kept connection is of no use: {error}"),
            }
        }
        let mut line = Line::open(self.shared.address, &self.shared.config).await?;
        let request = self.request(method, path, body)?;
        let reply = line.exchange(request, LARGEST_ANSWER, ANSWER).await?;
        self.shared.keep(line);
        Ok(reply)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, LinkError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.shared.secret))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        request.map_err(|error| LinkError::Odd(format!("no request can be made of {path}: {error}")))
    }
}

impl Shared {
    fn take_idle(&self) -> Option<Line> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, line: Line) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_open() && idle.len() < MOST_IDLE {
            idle.push(line);
        }
    }

    fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// IPv4 first, each once, not too many.
pub(crate) fn in_order(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut ordered: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !ordered.contains(address) {
            ordered.push(*address);
        }
    }
    ordered.sort_by_key(SocketAddr::is_ipv6);
    ordered.truncate(MOST_ADDRESSES);
    ordered
}

/// Races to all of `addresses` with a head start for the earlier ones; the worst news where none is the hub.
async fn first_of(
    addresses: &[SocketAddr],
    config: &Arc<ClientConfig>,
) -> Result<(SocketAddr, Line), LinkError> {
    let race = async |address: SocketAddr| Line::open(address, config).await.map(|line| (address, line));
    let mut places = addresses.iter().copied();
    let mut racers: FuturesUnordered<_> = places.next().map(race).into_iter().collect();
    let mut worst = None;
    while !racers.is_empty() {
        let outcome = timeout(STAGGER, racers.next()).await;
        match outcome {
            Ok(Some(Ok(met))) => return Ok(met),
            Ok(Some(Err(error))) => worst = Some(LinkError::worse(worst, error)),
            Ok(None) | Err(_) => {}
        }
        racers.extend(places.next().map(race));
    }
    Err(worst.unwrap_or_else(|| LinkError::Unreachable("no address of the hub is known".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tried_ipv4_first_each_once_and_not_without_end() {
        let addresses: Vec<SocketAddr> = ["[fe80::1%2]:1", "192.0.2.1:1", "[fe80::1%2]:1", "192.0.2.2:1"]
            .map(|address| address.parse().unwrap())
            .to_vec();
        let ordered: Vec<_> = in_order(&addresses).iter().map(ToString::to_string).collect();
        assert_eq!(ordered, ["192.0.2.1:1", "192.0.2.2:1", "[fe80::1%2]:1"]);
        let many: Vec<SocketAddr> = (1..1000).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        assert_eq!(in_order(&many).len(), MOST_ADDRESSES);
    }

    #[tokio::test]
    async fn a_hub_without_an_address_is_unreachable() {
        let error = HubClient::connect(&[], &crate::identity::tests::identity()).await.unwrap_err();
        assert!(matches!(error, LinkError::Unreachable(_)), "{error}");
    }
}
