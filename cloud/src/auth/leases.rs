//! For how long somebody may stay on a connection that stays open: until the token ends, or the account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use roomtone_schema::{UnixMillis, UserId};
use roomtone_server::lease::Lease;
use tokio_util::sync::CancellationToken;

use super::token::Identity;

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

    /// Whether somebody has one.
    pub fn has(&self, user: UserId) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.keys().any(|(whose, _)| *whose == user)
    }

    /// Ends those whose time has come.
    pub fn end_due(&self, now: UnixMillis) {
        self.end_where(|_, expires| expires <= now);
    }

    /// Ends those of somebody.
    pub fn end_of(&self, user: UserId) {
        self.end_where(|whose, _| whose == user);
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
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    #[test]
    fn a_lease_ends_with_its_token_or_with_its_account_and_no_other_does() {
        let leases = Leases::default();
        let (one, two) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let later = NOON + Duration::from_hours(1);
        let short = leases.of(Identity { user: one, expires: NOON });
        let long = leases.of(Identity { user: one, expires: later });
        let same = leases.of(Identity { user: one, expires: later });
        let others = leases.of(Identity { user: two, expires: later });
        let is_over = |lease: &Lease| lease.ended().now_or_never().is_some();
        leases.end_due(NOON);
        assert_eq!([&short, &long, &others].map(is_over), [true, false, false]);
        leases.end_of(one);
        assert_eq!([&long, &same, &others].map(is_over), [true, true, false]);
        assert!(!leases.has(one) && leases.has(two));
    }
}
