//! The zone's programme, as far as it is asked for: that a song began here, and what comes after.

use std::time::Duration;

use super::{Conductor, Current, Errand, JUST_BEGUN};
use crate::hours::Told;
use crate::hub_client::{Claimed, LinkError};

/// A plan that could not be had is asked for again after this long.
const ASK_AGAIN_MS: i64 = 5_000;

/// What is being asked.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claiming: bool,
    planning: bool,
    plan_is_old: bool,
    /// Not before this, in milliseconds since boot: the last answer was a no.
    not_before_ms: i64,
}

impl Claims {
    /// The hub has another plan, or is new here.
    pub(super) fn plan_is_old(&mut self) {
        self.plan_is_old = true;
    }
}

impl Conductor {
    /// Asks what should be asked, one question of a kind at a time.
    pub(super) fn ask_for_programme(&mut self) {
        let Some(client) = self.client.clone() else { return };
        let now_ms = self.parts.stamps.now().since_boot_ms;
        if self.claims.claiming || now_ms < self.claims.not_before_ms {
            return;
        }
        let unclaimed = self.current.as_ref().filter(|current| self.should_claim(current));
        if let Some(play) = unclaimed.map(|current| current.announced.play) {
            let begun = self.current.as_ref().map(|current| &current.announced.chosen.pick);
            let begun = begun.and_then(|pick| Some((pick.pick?, pick.song)));
            self.claims.claiming = true;
            let key = self.new_key();
            self.send(async move { Errand::Claimed(play, client.claim(key, play, begun).await) });
        } else if self.claims.plan_is_old || self.needs_music() {
            // Where nothing sounds and nothing is here, the zone's song comes with it, and is claimed when it sounds.
            self.ask_for_plan(client);
        }
    }

    /// Only what has just begun moves the zone on. What has sounded for a while is reported, which is enough for the
    /// zone to show it; nobody decided on a song from the cache, so it is reported, too.
    fn should_claim(&self, current: &Current) -> bool {
        let position = self.parts.engine.snapshot().heard + current.announced.heard_before;
        !current.claimed && current.announced.chosen.pick.pick.is_some() && position < JUST_BEGUN
    }

    fn needs_music(&self) -> bool {
        self.is_to_play()
            && self.current.is_none()
            && self.turning_to.is_none()
            && self.queue.wanted(u64::MAX).is_empty()
    }

    fn ask_for_plan(&mut self, client: crate::hub_client::HubClient) {
        if !std::mem::replace(&mut self.claims.planning, true) {
            self.claims.plan_is_old = false;
            self.send(async move { Errand::Plan(client.plan().await) });
        }
    }

    pub(super) fn claimed(&mut self, play: roomtone_schema::PlayId, answer: Result<Claimed, LinkError>) {
        self.claims.claiming = false;
        match answer {
            Ok(claimed) => {
                let Some(current) = self.current.as_mut().filter(|current| current.announced.play == play)
                else {
                    self.take_plan(claimed);
                    return;
                };
                current.claimed = true;
                let zone = claimed.pick.as_ref().and_then(|pick| pick.pick);
                let other = zone.is_some() && zone != current.announced.chosen.pick.pick;
                let heard = self.parts.engine.snapshot().heard;
                // Another player moved the zone on first; all of them play the same.
                self.turn |= other && heard < JUST_BEGUN;
                self.take_plan(claimed);
            }
            Err(error) => self.no_answer("the zone could not be told what plays here", &error),
        }
    }

    pub(super) fn planned(&mut self, answer: Result<Claimed, LinkError>) {
        self.claims.planning = false;
        match answer {
            Ok(claimed) => {
                let nothing = claimed.pick.is_none() && claimed.plan.is_empty();
                self.take_plan(claimed);
                if nothing {
                    self.wait(Duration::from_millis(ASK_AGAIN_MS.unsigned_abs()));
                    self.claims.plan_is_old = true;
                }
            }
            Err(error) => {
                self.claims.plan_is_old = true;
                self.no_answer("the plan could not be had", &error);
            }
        }
    }

    fn take_plan(&mut self, claimed: Claimed) {
        if let Some(hours) = claimed.hours.clone() {
            let told = Told { hours, at: self.parts.stamps.now() };
            told.save(&self.parts.data);
            self.hours = Some(told);
        }
        self.keeping.is_told(claimed.offline_storage, &self.parts.data);
        self.know(claimed.pick.iter().chain(&claimed.plan));
        self.queue.plan_is(claimed.pick, claimed.plan);
        self.turn &= self.queue.should_turn(&super::OnDisk(&self.parts.files));
        super::super::plan::save(&self.parts.data, self.queue.plan());
    }

    pub(super) fn no_answer(&mut self, what: &str, error: &LinkError) {
        tracing::debug!("{what}: {error}");
        self.wait(Duration::from_millis(ASK_AGAIN_MS.unsigned_abs()));
    }

    fn wait(&mut self, pause: Duration) {
        self.claims.not_before_ms = self.parts.stamps.now().since_boot_ms + pause.as_millis() as i64;
    }
}
