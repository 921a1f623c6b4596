//! The outage drill: what an outage would do to the music, found out while somebody is there to look.
//!
//! A drill cuts the hub off from its cloud, or everybody from the hub, for a while, and then tells what was heard. It is
//! refused where the rehearsal itself could be a silence. What is absent on purpose: any way to cut for longer than
//! [`LONGEST`], and a drill that outlives its hub: a hub that is started again is whole.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::play::Tier;
use roomtone_schema::{PlayerId, UnixMillis};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::hub::{Hub, Inner};
use crate::players::PlayerState;
use crate::store::{StoreError, tally};

/// Players look for their hub every few seconds: a shorter one shows nothing.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// Whoever wants to know about a longer one pulls the plug, and stands beside it.
pub const LONGEST: Duration = Duration::from_hours(2);
/// What must be left of every plan when the drill is over.
const RESERVE: Duration = Duration::from_mins(2);
/// For so long it is waited until every player is heard again and has told what it played.
const REPORTED: Duration = Duration::from_secs(90);
/// What lay in the line when it was opened again is no sign of life; what comes later is.
const STALE: Duration = Duration::from_secs(6);
/// A player that is heard again tells what it has played meanwhile within this time.
const TOLD: Duration = Duration::from_secs(10);
/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(250);

/// What is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// The way to the cloud.
    Cloud,
    /// The hub itself: nobody reaches it, neither players nor phones.
    Hub,
}

/// A drill that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// What is cut.
    pub cut: Cut,
    /// Since when.
    pub began_at: UnixMillis,
    /// Until when.
    pub ends_at: UnixMillis,
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Which.
    pub drill: Drill,
    /// When the cut ended: earlier than meant where somebody stopped it.
    pub ended_at: UnixMillis,
    /// Milliseconds of silence that were not meant, for each player.
    pub silence: Vec<(String, u64)>,
    /// Plays that began meanwhile: what the hub advanced, what players took from their plan, and from their cache.
    pub plays: Plays,
    /// Votes that were accepted meanwhile, and how many of them are kept.
    pub votes: (u64, u64),
    /// Facts that the cloud does not have yet.
    pub waiting: u64,
    /// Players that were in reach before and have not been heard since.
    pub missing: Vec<String>,
}

/// Plays by where they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plays {
    /// The hub advanced them.
    pub hub: u64,
    /// From a player's plan.
    pub plan: u64,
    /// From a player's cache, without a plan.
    pub cache: u64,
}

impl Plays {
    /// Counts what began, by tier.
    pub(crate) fn of(tiers: &[(Tier, u64)]) -> Self {
        let of = |wanted| tiers.iter().filter(|(tier, _)| *tier == wanted).map(|(_, many)| many).sum();
        Self { hub: of(Tier::Hub), plan: of(Tier::Plan), cache: of(Tier::Cache) }
    }
}

impl DrillReport {
    /// Whether nobody would have noticed.
    pub fn is_good(&self) -> bool {
        let silence: u64 = self.silence.iter().map(|(_, silence)| silence).sum();
        silence == 0 && self.missing.is_empty() && self.votes.0 == self.votes.1
    }
}

/// Why there is no drill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrillError {
    /// Too short, or too long.
    #[error("a drill takes 10 seconds to 2 hours")]
    Length,
    /// One goes on.
    #[error("a drill goes on already")]
    Running,
    /// Nothing to cut.
    #[error("this hub has no cloud to be cut off from")]
    NoCloud,
    /// Nobody plays.
    #[error("no player is in reach: nothing could be heard either way")]
    NoPlayer,
    /// The rehearsal would be the silence.
    #[error(
        "the player {player} could play on for {planned} min without the hub, and the drill needs {wanted} min"
    )]
    Thin {
        /// Which player.
        player: String,
        /// For how long it could go on, in minutes.
        planned: u64,
        /// For how long it would have to.
        wanted: u64,
    },
    /// There is too little here.
    #[error("the hub has {here} min of music on its own disk, and the drill needs {wanted} min")]
    Little {
        /// So much, in minutes.
        here: u64,
        /// So much would be needed.
        wanted: u64,
    },
}

/// What is known before a drill.
#[derive(Debug, Clone)]
pub(crate) struct Known<'a> {
    pub(crate) has_cloud: bool,
    pub(crate) is_running: bool,
    pub(crate) players: &'a [PlayerState],
    /// Music that can be played without the cloud, in milliseconds.
    pub(crate) playable_ms: u64,
}

/// Whether a drill can do no harm.
pub(crate) fn check(cut: Cut, length: Duration, known: &Known<'_>) -> Result<(), DrillError> {
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(DrillError::Length);
    }
    if known.is_running {
        return Err(DrillError::Running);
    }
    let minutes = |ms: u64| ms / 60_000;
    let wanted_ms = (length + RESERVE).as_millis() as u64;
    let wanted = wanted_ms.div_ceil(60_000);
    match cut {
        Cut::Cloud if !known.has_cloud => Err(DrillError::NoCloud),
        Cut::Cloud if known.playable_ms < wanted_ms => {
            Err(DrillError::Little { here: minutes(known.playable_ms), wanted })
        }
        Cut::Cloud => Ok(()),
        Cut::Hub => {
            let mut online = known.players.iter().filter(|state| state.is_online()).peekable();
            online.peek().ok_or(DrillError::NoPlayer)?;
            let planned =
                |state: &PlayerState| state.health.as_ref().and_then(|health| health.planned_ms).unwrap_or(0);
            match online.min_by_key(|state| planned(state)) {
                Some(state) if planned(state) < wanted_ms => Err(DrillError::Thin {
                    player: state.player.name.clone(),
                    planned: minutes(planned(state)),
                    wanted,
                }),
                _ => Ok(()),
            }
        }
    }
}

/// How things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The drill that goes on.
    pub drill: Option<Drill>,
    /// Whether the cut is over, and it is listened for what was played.
    pub is_over: bool,
    /// What came of the last one since the hub was started.
    pub last: Option<Arc<DrillReport>>,
}

impl Standing {
    /// Whether this is cut now.
    pub fn cuts(&self, what: Cut) -> bool {
        !self.is_over && self.drill.is_some_and(|drill| drill.cut == what)
    }
}

/// Waits until things stand so, and says how.
///
/// # Errors
/// Where there is no hub any more.
pub async fn until(
    drills: &mut watch::Receiver<Standing>,
    is_so: impl Fn(&Standing) -> bool,
) -> Result<Standing, RecvError> {
    drills.wait_for(|standing| is_so(standing)).await.map(|standing| standing.clone())
}

/// How every player was when it began.
type Before = Vec<(PlayerId, String, u64)>;

impl Hub {
    /// How drills stand, now and from now on.
    pub fn drills(&self) -> watch::Receiver<Standing> {
        self.0.drills.subscribe()
    }

    /// Begins a drill; [`Hub::keep_drills`] ends it.
    ///
    /// # Errors
    /// Where it could do harm, or show nothing.
    pub fn start_drill(&self, cut: Cut, length: Duration) -> Result<Drill, DrillError> {
        let inner = &self.0;
        let players = inner.player_states();
        let (has_cloud, playable_ms) = (self.enrolment().is_some(), inner.playable_ms());
        let began_at = inner.clock.now();
        let drill = Drill { cut, began_at, ends_at: began_at + length };
        let mut checked = Ok(());
        inner.drills.send_if_modified(|standing| {
            let is_running = standing.drill.is_some();
            let known = Known { has_cloud, is_running, players: &players, playable_ms };
            checked = check(cut, length, &known);
            if checked.is_ok() {
                *standing = Standing { drill: Some(drill), is_over: false, last: standing.last.take() };
            }
            checked.is_ok()
        });
        checked.map(|()| drill)
    }

    /// Ends the cut before its time; what was heard until then is told all the same.
    pub fn stop_drill(&self) {
        self.0.drills.send_if_modified(|standing| {
            let cuts = standing.drill.is_some() && !standing.is_over;
            standing.is_over |= cuts;
            cuts
        });
    }

    /// Sees every drill through, until it is told to stop.
    ///
    /// # Errors
    /// Where the store cannot say what was played.
    pub async fn keep_drills(self, stop: CancellationToken) -> anyhow::Result<()> {
        // A task that starts again after a fault finds no drill half-way.
        self.0.drills.send_modify(|standing| standing.drill = None);
        let mut drills = self.drills();
        let keeping = async {
            loop {
                let begun = until(&mut drills, |standing| standing.drill.is_some()).await?.drill;
                let Some(drill) = begun else { continue };
                let report = self.see_through(drill, &mut drills).await?;
                say(&report);
                self.0.drills.send_replace(Standing {
                    drill: None,
                    is_over: true,
                    last: Some(Arc::new(report)),
                });
            }
        };
        stop.run_until_cancelled(keeping).await.unwrap_or(Ok(()))
    }

    async fn see_through(
        &self,
        drill: Drill,
        drills: &mut watch::Receiver<Standing>,
    ) -> anyhow::Result<DrillReport> {
        let inner = &self.0;
        let online = |state: &PlayerState| state.is_online();
        let before: Before = inner
            .player_states()
            .into_iter()
            .filter(online)
            .map(|state| (state.player.id, state.player.name, state.player.silence_ms))
            .collect();
        let votes = self.counters().votes.get();
        tracing::info!(cut = ?drill.cut, seconds = drill.ends_at.since(drill.began_at).as_secs(), "a drill has begun; the music should go on");
        let length = drill.ends_at.since(drill.began_at);
        let _stopped = tokio::time::timeout(length, until(drills, |standing| standing.is_over)).await;
        self.stop_drill();
        let (ended_at, votes) = (inner.clock.now(), self.counters().votes.get() - votes);
        let missing = inner.heard_again(&before, ended_at).await;
        Ok(inner.drilled(drill, ended_at, &before, votes, missing).await?)
    }
}

impl Inner {
    /// Music whose files are here, in milliseconds.
    fn playable_ms(&self) -> u64 {
        self.library.shelf().length.as_millis() as u64
    }

    /// Waits until those who were in reach before are again; who is not, by name.
    async fn heard_again(&self, before: &Before, ended_at: UnixMillis) -> Vec<String> {
        let alive_at = ended_at + STALE;
        let missing = || -> Vec<String> {
            let states = self.player_states();
            let is_heard = |id: PlayerId| {
                states.iter().any(|state| {
                    let seen = state.player.last_seen_at;
                    state.player.id == id && state.is_online() && seen.is_some_and(|at| alive_at < at)
                })
            };
            before.iter().filter(|(id, ..)| !is_heard(*id)).map(|(_, name, _)| name.clone()).collect()
        };
        let heard = async {
            while !missing().is_empty() {
                tokio::time::sleep(LOOK).await;
            }
            tokio::time::sleep(TOLD).await;
        };
        let _in_time = tokio::time::timeout(REPORTED, heard).await;
        missing()
    }

    async fn drilled(
        &self,
        drill: Drill,
        ended_at: UnixMillis,
        before: &Before,
        accepted: u64,
        missing: Vec<String>,
    ) -> Result<DrillReport, StoreError> {
        let states = self.player_states();
        let silence = before.iter().filter_map(|(id, name, was)| {
            let state = states.iter().find(|state| state.player.id == *id)?;
            Some((name.clone(), state.player.silence_ms.saturating_sub(*was)))
        });
        let silence = silence.collect();
        let (from, to) = (drill.began_at, ended_at);
        let (plays, kept) = self
            .store
            .read(move |conn| Ok((tally::plays(conn, from, to)?, tally::votes(conn, from, to)?)))
            .await?;
        let waiting = self.store.stats().outbox_pending;
        let votes = (accepted, kept);
        Ok(DrillReport { drill, ended_at, silence, plays: Plays::of(&plays), votes, waiting, missing })
    }
}

fn say(report: &DrillReport) {
    if report.is_good() {
        tracing::info!("the drill is over: the music went on, and nothing was lost");
    } else {
        tracing::warn!(?report.silence, ?report.missing, "the drill is over, and it was noticed");
    }
}

#[cfg(test)]
mod tests;
