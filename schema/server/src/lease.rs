//! For how long somebody who was let in may stay on a connection that stays open.
//!
//! A gate that lets somebody in hands out a lease, and ends it in the moment in which their session ends or their
//! token is revoked. Whoever holds the connection waits for that and asks nobody meanwhile: five hundred sockets cost
//! a vote nothing, and a check-out wakes its own sockets only. They ask again now and then all the same.

use std::future::pending;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::caller::{Caller, Gate, Visit};
use crate::front::Front;

/// The right to stay.
#[derive(Debug, Clone, Default)]
pub struct Lease(Option<CancellationToken>);

impl Lease {
    /// For whoever showed nothing that could be taken from them.
    pub fn endless() -> Self {
        Self(None)
    }

    /// Ends when `end` is cancelled.
    pub fn until(end: CancellationToken) -> Self {
        Self(Some(end))
    }

    /// Completes when the lease has ended; wait for one of these, not for a new one each time.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let end = self.0.clone();
        async move {
            match end {
                Some(end) => end.cancelled_owned().await,
                None => pending().await,
            }
        }
    }
}

/// Why somebody may stay no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// Their session has ended: they left, or it ran out.
    SessionEnded,
    /// Their token opens nothing any more, or something else than it did.
    Revoked,
}

/// Somebody on a connection that stays open.
#[derive(Debug)]
pub(crate) struct Stay {
    token: Option<String>,
    visit: Visit,
    lease: Lease,
    /// Who it is.
    pub(crate) caller: Caller,
}

impl Stay {
    /// Lets somebody in, or finds out that they are nobody.
    pub(crate) async fn begin<E, G: Gate>(front: &Front<E, G>, token: Option<String>, visit: Visit) -> Self {
        // The lease comes first: where the token is revoked in between, it has ended by then.
        let lease = front.gate.lease(token.as_deref());
        let caller = front.admit(token.as_deref(), &visit).await;
        Self { token, visit, lease, caller }
    }

    /// Where they are.
    pub(crate) fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Completes when their lease has ended; [`Stay::look`] then tells why.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.lease.ended()
    }

    /// Asks whether they may still stay. It is a sign of life, so it is asked only while their end of the connection
    /// lives.
    pub(crate) async fn look<E, G: Gate>(&self, front: &Front<E, G>) -> Result<(), Parting> {
        match front.admit(self.token.as_deref(), &self.visit).await {
            caller if caller == self.caller => Ok(()),
            Caller::Expired(_) => Err(Parting::SessionEnded),
            _ => Err(Parting::Revoked),
        }
    }

    /// Completes when they may stay no longer: at once when their lease ends, and looked after from time to time. For
    /// connections that only send; a WebSocket also knows whether anybody is there.
    pub(crate) async fn ended<E, G: Gate>(self, front: &Front<E, G>) -> Parting {
        let over = self.over();
        tokio::pin!(over);
        loop {
            let is_over = tokio::select! {
                () = &mut over => true,
                () = sleep(front.settings.check_every) => false,
            };
            match self.look(front).await {
                Err(parting) => return parting,
                Ok(()) if is_over => return Parting::Revoked,
                Ok(()) => {}
            }
        }
    }
}
