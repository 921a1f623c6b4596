//! Runs the engine: does its steps with the hub's store and a line to the cloud, and tells how it stands.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use roomtone_schema::{Clock, HubId, UnixMillis};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::credential::SigningKey;
use crate::engine::{Done, Engine, Fault, Lane, Settings, Status};
use crate::store::HubStore;
use crate::transport::{Address, Client, Connect, Internet};
use crate::wire::{Cursor, Scope};

mod steps;

use steps::Hands;

/// At most this long the loop sleeps without looking.
const LOOK: Duration = Duration::from_mins(1);

/// Whom to speak to, and as whom.
#[derive(Clone)]
pub struct LinkSettings {
    /// The cloud's address, as `https://cloud.example`.
    pub cloud: String,
    /// The hub's id at the cloud.
    pub hub: HubId,
    /// Its key.
    pub key: Arc<SigningKey>,
}

impl fmt::Debug for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSettings")
            .field("cloud", &self.cloud)
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

/// How the hub stands with the cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkReport {
    /// In a word.
    pub state: Status,
    /// Facts that the cloud has not acknowledged, as far as the engine has looked.
    pub pending: u64,
    /// When facts were last acknowledged, by the cloud's time.
    pub last_pushed_at: Option<UnixMillis>,
    /// When rows were last applied, by the cloud's time.
    pub last_pulled_at: Option<UnixMillis>,
    /// When the cloud last answered a hello, by its own time.
    pub last_greeted_at: Option<UnixMillis>,
    /// What went wrong last, while it does.
    pub last_error: Option<String>,
    /// By how much the cloud's clock is ahead of this machine's.
    pub cloud_time_offset_ms: Option<i64>,
    /// Each scope, where it stands here, and its newest number there.
    pub scopes: Vec<(Scope, Cursor, i64)>,
    /// The keys that sign check-in tickets.
    pub ticket_keys: Vec<[u8; 32]>,
    /// What the cloud calls the venue.
    pub venue_name: Option<String>,
}

/// What wakes the loop before its time.
#[derive(Debug, Clone, Default)]
pub struct Wakes {
    /// Facts were written.
    pub facts: Arc<Notify>,
    /// What only a hello tells has changed ([`Engine::tell`]).
    pub news: Arc<Notify>,
}

/// Keeps the hub and the cloud in agreement until told to stop; `report` hears of every change.
///
/// # Errors
/// Where `link` names no address.
pub async fn run(
    store: Arc<impl HubStore>,
    link: LinkSettings,
    clock: Arc<dyn Clock>,
    report: impl Fn(LinkReport) + Send + Sync,
    wakes: Wakes,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut drawn = [0; 24];
    getrandom::fill(&mut drawn).map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
    let (instance, seed) = drawn.split_at(16);
    let instance = store.begin(Uuid::from_slice(instance)?).await?;
    let seed = seed.iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte));
    let settings = Settings::new(instance, seed);
    run_over(Internet::new(), settings, store, link, clock, report, wakes, stop).await
}

/// The same over connections of somebody else's making, and with other pauses.
///
/// # Errors
/// Where `link` names no address.
#[expect(clippy::too_many_arguments, reason = "what a run needs; each is another thing")]
pub async fn run_over<C: Connect, S: HubStore>(
    connect: C,
    settings: Settings,
    store: Arc<S>,
    link: LinkSettings,
    clock: Arc<dyn Clock>,
    report: impl Fn(LinkReport) + Send + Sync,
    wakes: Wakes,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let address = Address::parse(&link.cloud)?;
    let client =
        Client::new(connect, address, link.hub, link.key, Arc::clone(&clock)).speaking(settings.speaks);
    let hands = Hands::new(store, client);
    let mut told = Told::default();
    let mut engine = Engine::new(settings);
    let mut under_way: FuturesUnordered<UnderWay<'_>> = FuturesUnordered::new();
    let now = || clock.monotonic_ms().max(0).cast_unsigned();
    loop {
        while let Some((lane, step)) = engine.next(now()) {
            let hands = &hands;
            under_way.push(Box::pin(async move { (lane, hands.take(step).await) }));
        }
        told.tell(&engine, &hands, &report);
        let pause = engine.wake_at(now()).map_or(LOOK, |at| Duration::from_millis(at.saturating_sub(now())));
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            Some((lane, result)) = under_way.next(), if !under_way.is_empty() => {
                told.note(&result, hands.client().cloud_now());
                engine.done(lane, result, now());
            }
            () = wakes.facts.notified() => engine.wake(),
            () = wakes.news.notified() => engine.tell(now()),
            // A millisecond more, for clocks that round differently.
            () = tokio::time::sleep(pause.min(LOOK) + Duration::from_millis(1)) => {}
        }
    }
}

type UnderWay<'a> = Pin<Box<dyn Future<Output = (Lane, Result<Done, Fault>)> + Send + 'a>>;

/// What was told last, so that nobody is told the same twice.
#[derive(Default)]
struct Told {
    pushed_at: Option<UnixMillis>,
    pulled_at: Option<UnixMillis>,
    greeted_at: Option<UnixMillis>,
    last: Option<LinkReport>,
}

impl Told {
    fn note(&mut self, result: &Result<Done, Fault>, now: UnixMillis) {
        match result {
            Ok(Done::Greeted(_)) => self.greeted_at = Some(now),
            Ok(Done::Pushed(..)) => self.pushed_at = Some(now),
            Ok(Done::Page(_) | Done::Rows(_) | Done::Chunk(_)) => self.pulled_at = Some(now),
            _ => {}
        }
    }

    fn tell<S: HubStore, C: Connect>(
        &mut self,
        engine: &Engine,
        hands: &Hands<S, C>,
        report: &impl Fn(LinkReport),
    ) {
        let answer = engine.answer();
        let mut now = LinkReport {
            state: engine.status(),
            pending: engine.pending(),
            last_pushed_at: self.pushed_at,
            last_pulled_at: self.pulled_at,
            last_greeted_at: self.greeted_at,
            last_error: engine.trouble().map(str::to_owned),
            cloud_time_offset_ms: hands.client().offset_ms(),
            scopes: engine.scopes(),
            ticket_keys: answer
                .map(|answer| answer.ticket_keys.iter().map(|key| **key).collect())
                .unwrap_or_default(),
            venue_name: answer.map(|answer| answer.venue_name.clone()),
        };
        // The offset trembles with every answer; that alone is no news.
        if let Some(last) = &self.last
            && let (Some(before), Some(offset)) = (last.cloud_time_offset_ms, now.cloud_time_offset_ms)
            && before.abs_diff(offset) < 1_000
        {
            now.cloud_time_offset_ms = Some(before);
        }
        if self.last.as_ref() != Some(&now) {
            self.last = Some(now.clone());
            report(now);
        }
    }
}
