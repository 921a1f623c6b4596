//! What the hub is told: that this player lives and how it does, and each play once, with what was really heard.

use std::time::Duration;

use roomtone_schema::PlayId;
use uuid::Uuid;

use super::{Conductor, Errand, News, status_of};
use crate::engine::Snapshot;
use crate::hub_client::{LateTaken, LinkError};
use crate::stamp::Stamp;
use roomtone_schema::player::{PlayerHealth, PlayerMode};
use roomtone_schema::view::{LatePlay, PlaybackReport};

/// Between two heartbeats where nothing happens.
const HEARTBEAT_MS: i64 = 5_000;

/// After a failed one.
const TRY_AGAIN_MS: i64 = 2_000;

/// Between two notes of the place.
const PLACE_MS: i64 = 2_000;

/// So many plays are told at once: what the hub takes.
const AT_ONCE: usize = 100;

/// A pause between the end of one run and the begin of the next that is shorter than this nobody hears as silence.
const SHORT_GAP: Duration = Duration::from_secs(2);

/// What was said, and what is to be said.
#[derive(Debug)]
pub(super) struct Reports {
    next_ms: i64,
    reporting: bool,
    telling: bool,
    place_ms: i64,
    /// Silence that the hub knows of, of what is counted since the start.
    silence_told_ms: u64,
    /// Silence on its way, with the key of its report: sent again under the same key until it is taken.
    silence_sent: Option<(Uuid, u64)>,
    /// When the last run was last seen playing, until it is known how long nobody played.
    left_at: Option<Stamp>,
    /// Silence between the last run and this one.
    silence_between_ms: u64,
}

impl Reports {
    pub(super) fn new(left_at: Option<Stamp>, mode: PlayerMode) -> Self {
        Self {
            next_ms: 0,
            reporting: false,
            telling: false,
            place_ms: 0,
            silence_told_ms: 0,
            silence_sent: None,
            left_at: left_at.filter(|_| mode == PlayerMode::Playing),
            silence_between_ms: 0,
        }
    }

    /// Something has happened: the next heartbeat goes out now.
    pub(super) fn hurry(&mut self) {
        self.next_ms = 0;
    }

    /// Whether the place is to be noted, and notes that it was.
    pub(super) fn place_is_due(&mut self, now_ms: i64) -> bool {
        let due = self.place_ms <= now_ms;
        if due {
            self.place_ms = now_ms + PLACE_MS;
        }
        due
    }

    /// Silence is ordered from here on.
    pub(super) fn is_planned(&mut self) {
        self.left_at = None;
    }

    /// All silence that counts: what the meter heard, and what was between two runs.
    pub(super) fn silence_ms(&self, snapshot: &Snapshot) -> u64 {
        snapshot.silence_ms + self.silence_between_ms
    }

    /// The player plays: a gap since the last run, where it was to play, was silence. One of another boot was a power
    /// cut or a switched off box, and nobody knows how long it was.
    fn note_gap(&mut self, now: &Stamp, metered_ms: u64) {
        let Some(left) = self.left_at.take().filter(|left| left.boot == now.boot) else { return };
        let gap = left.ago(now);
        if SHORT_GAP < gap {
            // What this run's own meter has counted by now is in it, too.
            self.silence_between_ms = (gap.as_millis() as u64).saturating_sub(metered_ms);
        }
    }
}

impl Conductor {
    /// Sends what is due.
    pub(super) fn run_errands(&mut self) {
        self.ask_for_programme();
        if self.current.is_some() {
            let now = self.parts.stamps.now();
            self.reports.note_gap(&now, self.parts.engine.snapshot().silence_ms);
        }
        self.tell_plays();
        self.report();
    }

    fn report(&mut self) {
        let now = self.parts.stamps.now();
        let Some(client) = self.client.clone() else { return };
        if self.reports.reporting || now.since_boot_ms < self.reports.next_ms {
            return;
        }
        let view = self.view();
        let silence = view.silence_ms.saturating_sub(self.reports.silence_told_ms);
        let (key, silence) = match self.reports.silence_sent {
            Some(sent) => sent,
            None => (self.new_key(), silence),
        };
        if 0 < silence {
            self.reports.silence_sent = Some((key, silence));
        }
        let current = self.current.as_ref().map(|current| &current.announced);
        let snapshot = self.parts.engine.snapshot();
        let heard = snapshot.heard + current.map_or(Duration::ZERO, |current| current.heard_before);
        let report = PlaybackReport {
            status: status_of(self.mode, current.is_some()),
            play: current.map(|current| current.play),
            pick: current.and_then(|current| current.chosen.pick.pick),
            song: current.map(|current| current.chosen.pick.song),
            position_ms: current.map(|_| millis(snapshot.position)),
            heard_ms: current.map(|_| millis(heard)),
            silence_ms: Some(u32::try_from(silence).unwrap_or(u32::MAX)),
            tier: current.map(|current| current.chosen.tier),
            ended: None,
            health: Some(PlayerHealth {
                level_db: Some(view.level_db.into()),
                silent: view.silent_now,
                disk_free_bytes: view.disk_free_bytes,
                cached_songs: u32::try_from(view.cached_songs).ok(),
                planned_ms: Some(view.planned_ms),
                clock_trusted: Some(view.clock_trusted),
                output: Some(view.output),
                output_trouble: view.output_trouble,
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                rogue: view.rogue,
            }),
        };
        self.reports.reporting = true;
        self.reports.next_ms = now.since_boot_ms + HEARTBEAT_MS;
        self.send(async move { Errand::Reported(key, client.report(key, &report).await) });
    }

    fn tell_plays(&mut self) {
        let Some(client) = self.client.clone().filter(|_| !self.reports.telling) else { return };
        let now = self.parts.stamps.now();
        let plays: Vec<LatePlay> = self
            .parts
            .journal
            .untold()
            .take(AT_ONCE)
            .filter_map(|record| {
                let ended = record.ended.as_ref()?;
                Some(LatePlay {
                    play: record.play,
                    song: record.song,
                    pick: record.pick,
                    started_ago_ms: record.began.ago(&now).as_millis() as i64,
                    ended_ago_ms: ended.at.ago(&now).as_millis() as i64,
                    heard_ms: ended.heard_ms,
                    ended: ended.end,
                    tier: record.tier,
                })
            })
            .collect();
        if plays.is_empty() || now.since_boot_ms < self.reports.next_ms {
            return;
        }
        self.reports.telling = true;
        let key = self.new_key();
        self.send(async move {
            let told = client.report_plays(key, &plays).await;
            Errand::Told(plays.iter().map(|late| late.play).collect(), told)
        });
    }

    pub(super) fn take_back(&mut self, link: u64, errand: Errand) {
        if link == self.links && self.client.is_some() && errand.hub_was_silent() {
            self.parts.doubt.notify_one();
        }
        match errand {
            Errand::Claimed(play, answer) => self.claimed(play, answer),
            Errand::Plan(answer) => self.planned(answer),
            Errand::Reported(key, answer) => self.reported(key, answer),
            Errand::Told(plays, answer) => self.told(&plays, answer),
        }
    }

    fn reported(&mut self, key: Uuid, answer: Result<(), LinkError>) {
        self.reports.reporting = false;
        match answer {
            Ok(()) => {
                if let Some((_, silence)) = self.reports.silence_sent.take_if(|(sent, _)| *sent == key) {
                    self.reports.silence_told_ms += silence;
                }
            }
            Err(error) => {
                self.not_taken("a heartbeat was not taken", &error);
                // The hub has answered and will say the same again.
                if matches!(error, LinkError::Refused { .. }) {
                    self.reports.silence_sent = None;
                }
            }
        }
    }

    fn told(&mut self, plays: &[PlayId], answer: Result<LateTaken, LinkError>) {
        self.reports.telling = false;
        match answer {
            Ok(taken) => {
                if !taken.unknown.is_empty() {
                    tracing::warn!(
                        "the hub does not know {} songs that were heard here; their plays are in no history",
                        taken.unknown.len()
                    );
                }
                self.write(|journal| journal.told(plays));
            }
            Err(error) => self.not_taken("plays could not be told", &error),
        }
    }

    fn not_taken(&mut self, what: &str, error: &LinkError) {
        self.reports.next_ms = self.parts.stamps.now().since_boot_ms + TRY_AGAIN_MS;
        match error {
            LinkError::Unreachable(_) => self.no_answer(what, error),
            // It answers, and may well answer the next question.
            error => tracing::debug!("{what}: {error}"),
        }
        if matches!(error, LinkError::Revoked) {
            self.learn(News::Away(super::HubState::Revoked));
        }
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
