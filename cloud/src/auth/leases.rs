//! For how long somebody may stay on a connection that stays open: until the token ends, or something is taken from them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use roomtone_schema::{Clock, UnixMillis, UserId};
use roomtone_server::lease::Lease;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::token::Identity;
use crate::bus::Topic;

/// How often it is looked which have ended.
const SWEEP: Duration = Duration::from_millis(500);

/// The leases of everybody who is connected, one for each account and end. Only good tokens get one, so they are few.
#[derive(Debug, Default)]
pub struct Leases {
    running: Mutex<HashMap<(UserId, UnixMillis), CancellationToken>>,
}

impl Leases {
    /// The lease of somebody whose token is good.
    pub fn of(&self, identity: Identity) -> Lease {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Lease::until(running.entry((identity.user, identity.expires)).or_default().clone())
    }

    /// Ends leases in time, and those of whom something may have been taken; `forget` is told of whom, or of everybody
    /// where some news may have been missed.
    pub(super) async fn sweep(
        &self,
        clock: &dyn Clock,
        mut told: broadcast::Receiver<Option<Topic>>,
        forget: impl Fn(Option<UserId>),
    ) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                _ = every.tick() => self.end_where(|_, expires| expires <= clock.wall()),
                news = told.recv() => match news {
                    Ok(Some(Topic::User(user))) => {
                        forget(Some(user));
                        self.end_where(|whose, _| whose == user);
                    }
                    Ok(Some(_)) => {}
                    // Who may what is asked for each answer; and each token again within a minute.
                    Ok(None) | Err(RecvError::Lagged(_)) => forget(None),
                    Err(RecvError::Closed) => anyhow::bail!("the bus is gone"),
                }
            }
        }
    }

    fn end_where(&self, ends: impl Fn(UserId, UnixMillis) -> bool) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(user, expires), end| {
            let over = ends(*user, *expires);
            if over {
                end.cancel();
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::ManualClock;
    use uuid::Uuid;

    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_with_its_token_or_when_something_is_taken() {
        let (leases, clock) = (Leases::default(), ManualClock::at(NOON));
        let (one, two) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let later = NOON + Duration::from_hours(1);
        let short = leases.of(Identity { user: one, expires: NOON + Duration::from_secs(5) });
        let long = leases.of(Identity { user: one, expires: later });
        let others = leases.of(Identity { user: two, expires: later });
        let (tell, told) = broadcast::channel(8);
        let story = async {
            clock.advance(Duration::from_secs(5));
            short.ended().await;
            tell.send(Some(Topic::User(one))).unwrap();
            long.ended().await;
            assert!(tokio::time::timeout(SWEEP * 4, others.ended()).await.is_err());
        };
        tokio::select! {
            ended = leases.sweep(&clock, told, |_| {}) => ended.unwrap(),
            () = story => {}
        }
        assert_eq!(leases.running.lock().unwrap().len(), 1);
    }
}
