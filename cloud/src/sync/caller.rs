//! Which hub asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use roomtone_schema::{HubId, VenueId};
use roomtone_sync::credential::{check_hub_token, hub_named_by};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{Hash, Problem, ProblemCode};

use super::{Desk, problem};

/// For so long whoever only waits is believed without asking the database again. A hub says hello twice a minute, which
/// asks, so one that was told to go is forgotten long before.
const BELIEVED_MS: i64 = 300_000;
/// More hubs than this are not remembered: the next ones are asked for each time.
const MOST: usize = 50_000;

/// Hubs whose rows were read lately, and when. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<HubId, (KnownHub, i64)>>>);

impl Known {
    fn note(&self, hub: &KnownHub, at: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&hub.id) {
            known.retain(|_, (_, noted)| at - *noted < BELIEVED_MS);
        }
        if known.len() < MOST || known.contains_key(&hub.id) {
            known.insert(hub.id, (hub.clone(), at));
        }
    }

    fn get(&self, hub: HubId, now: i64) -> Option<KnownHub> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hub).filter(|(_, at)| now - *at < BELIEVED_MS).map(|(hub, _)| hub.clone())
    }

    fn drop(&self, hub: HubId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hub);
    }

    pub(super) fn forget(&self, venue: Option<VenueId>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (hub, _)| venue.is_some_and(|venue| hub.venue != venue));
    }
}

impl<S: CloudStore> Desk<S> {
    /// The hub that signed this question, as its row says now.
    ///
    /// # Errors
    /// `Unauthorised`, `Revoked`, or that the database cannot say.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<KnownHub, Problem> {
        let (token, named) = shown(headers)?;
        let found = self.store.hub(named).await;
        let Some(mut hub) = found.inspect_err(|_| self.known.drop(named))? else {
            self.known.drop(named);
            return Err(unauthorised());
        };
        let key = self.check(token, &hub)?;
        if hub.keys.first() != Some(&key) {
            // Whoever shows the key that was handed in has it; the one before is void before anything is answered.
            self.store.turn_key(&hub, &key).await?;
            hub.keys = vec![key];
        }
        self.known.note(&hub, self.clock.monotonic_ms());
        Ok(hub)
    }

    /// The same, by a row that was read some minutes ago: for those who wait, and are told nothing but numbers.
    ///
    /// # Errors
    /// As [`Self::caller`].
    pub(super) async fn waiter(&self, headers: &HeaderMap) -> Result<KnownHub, Problem> {
        let (token, named) = shown(headers)?;
        match self.known.get(named, self.clock.monotonic_ms()) {
            // A key that has changed since is looked up.
            Some(hub) if self.check(token, &hub).is_ok_and(|key| hub.keys.first() == Some(&key)) => Ok(hub),
            _ => self.caller(headers).await,
        }
    }

    /// Which of its keys has signed.
    fn check(&self, token: &str, hub: &KnownHub) -> Result<Hash, Problem> {
        let now = self.clock.wall();
        let signed = hub.keys.iter().find(|key| check_hub_token(token, key, now));
        signed.copied().ok_or_else(unauthorised)
    }
}

fn shown(headers: &HeaderMap) -> Result<(&str, HubId), Problem> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unauthorised)?;
    let hub = hub_named_by(token).ok_or_else(unauthorised)?;
    Ok((token, hub))
}

/// One sentence for all that may be wrong: who guesses learns nothing.
fn unauthorised() -> Problem {
    problem(
        ProblemCode::Unauthorised,
        "this credential does not hold; where the hub's clock is wrong, it signs again with the time of this answer",
    )
}
