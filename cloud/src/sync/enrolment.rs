//! Letting a box in: a code against a key, and later that key against another.

use std::sync::{Mutex, PoisonError};

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use roomtone_sync::credential::{enrolment_text, is_signed, rotation_text};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    EnrolAnswer, EnrolAsk, Problem, ProblemCode, RotateAnswer, RotateAsk, decode_within,
};

use super::routes::{Office, failed};
use super::{Answered, Body, Class, Desk, LONGEST, answer, malformed, problem, snapshots};
use crate::bus::Topic;
use crate::hubs::EnrolmentCode;
use crate::store::enrolment;

/// So many wrong codes are looked up at once, ...
const WRONG_AT_ONCE: f64 = 30.0;
/// ... and then one in so many milliseconds: whoever guesses 95 bits at that rate is welcome to.
const WRONG_EVERY_MS: f64 = 2_000.0;

/// How many wrong codes were shown lately.
#[derive(Debug, Default)]
pub(super) struct Wrong(Mutex<Option<(f64, i64)>>);

impl Wrong {
    /// Whether one more may be looked up; a code that is right is no wrong one, and gives its place back.
    fn take(&self, now_ms: i64) -> Result<(), Problem> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = kept.unwrap_or((WRONG_AT_ONCE, now_ms));
        let left = (left + (now_ms - since).max(0) as f64 / WRONG_EVERY_MS).min(WRONG_AT_ONCE);
        if left < 1.0 {
            *kept = Some((left, now_ms));
            let message =
                "too many wrong codes were shown lately; wait a little, then show yours again".to_owned();
            let retry_after_ms = Some(((1.0 - left) * WRONG_EVERY_MS).ceil() as u64);
            return Err(Problem { code: ProblemCode::Busy, message, ack: None, retry_after_ms });
        }
        *kept = Some((left - 1.0, now_ms));
        Ok(())
    }

    fn give_back(&self) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = kept.map(|(left, since)| ((left + 1.0).min(WRONG_AT_ONCE), since));
    }
}

/// Trades a code for what the hub is from now on.
pub(super) async fn enrol<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    body: Body,
) -> Response {
    let answered = async {
        let _turn = desk.admission.enter(Class::Enrolment).await?;
        let body = body.map_err(|rejected| malformed(&rejected.body_text()))?;
        let ask: EnrolAsk = decode_within(&body, LONGEST).map_err(|error| malformed(&error.to_string()))?;
        trade(&office, &desk.store, &ask).await
    };
    answer(answered.await)
}

async fn trade<S: CloudStore>(office: &Office, store: &S, ask: &EnrolAsk) -> Answered<EnrolAnswer> {
    let key = *ask.public_key;
    if !is_signed(&key, &enrolment_text(&ask.code, &key), &*ask.proof) {
        return Err(malformed("the proof is not the key's signature of this code"));
    }
    let code = EnrolmentCode::read(&ask.code).ok_or_else(no_such_code)?;
    office.wrong.take(office.cloud.clock.monotonic_ms())?;
    let traded = async {
        let mut work = office.cloud.database.as_service().await?;
        let traded = enrolment::trade(&mut work, &code.sha256(), &key, &ask.software).await?;
        work.commit().await?;
        Ok(traded)
    };
    let enrolled = traded.await.map_err(|error: sqlx::Error| failed(&error))?.ok_or_else(no_such_code)?;
    office.wrong.give_back();
    office.cloud.bus.publish(Topic::Venue(*enrolled.venue_id));
    let keys = vec![key];
    let (id, venue, organisation) = (*enrolled.hub_id, *enrolled.venue_id, *enrolled.organisation_id);
    snapshots::expect(office, store, &KnownHub { id, venue, organisation, keys }).await;
    Ok(EnrolAnswer {
        hub: id,
        venue,
        organisation,
        venue_name: enrolled.venue_name,
        hub_name: enrolled.hub_name,
    })
}

/// Takes the key that is to follow a hub's. Asked with the new one already, nothing is left to do.
pub(super) async fn rotate<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Enrolment, body, async |hub, ask: RotateAsk| change(&office, &hub, &ask).await)
        .await
}

async fn change(office: &Office, hub: &KnownHub, ask: &RotateAsk) -> Answered<RotateAnswer> {
    let key = *ask.public_key;
    if !is_signed(&key, &rotation_text(hub.id, &key), &*ask.proof) {
        return Err(malformed("the proof is not the new key's signature of this change"));
    }
    let offered = async {
        let mut work = office.cloud.database.as_hub(hub.id, hub.venue).await?;
        let is_taken = enrolment::offer_key(&mut work, &key).await?;
        work.commit().await?;
        Ok(is_taken)
    };
    if !offered.await.map_err(|error: sqlx::Error| failed(&error))? {
        return Err(malformed("this key is another hub's, or this hub was told to go"));
    }
    // Other replicas look at the hub's keys anew.
    office.cloud.bus.publish(Topic::Venue(hub.venue));
    Ok(RotateAnswer { pending: hub.keys.first() != Some(&key) })
}

fn no_such_code() -> Problem {
    problem(
        ProblemCode::Code,
        "this code is none, was used, or has run out; ask for a fresh one where the venue's hubs are managed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_codes_are_looked_up_at_a_bounded_rate_and_right_ones_cost_nothing() {
        let wrong = Wrong::default();
        for _ in 0..200 {
            wrong.take(0).unwrap();
            wrong.give_back();
        }
        let tries = (0..200).filter(|_| wrong.take(0).is_ok()).count();
        assert_eq!(tries, WRONG_AT_ONCE as usize);
        assert_eq!(wrong.take(500).unwrap_err().retry_after_ms, Some(1_500));
        assert!(wrong.take(2_000).is_ok() && wrong.take(2_000).is_err());
    }
}
