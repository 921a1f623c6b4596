//! Signing in: somebody who is here shows a ticket of the cloud's, and is that profile from then on.
//!
//! The hub believes the ticket by the cloud's public keys alone, which it has heard before: no line is needed. A ticket is
//! for one venue, holds for minutes and is taken once. A guest's votes may be claimed; a profile's never are, so that
//! a phone that changes hands gives nobody somebody else's taste.

use std::sync::Arc;

use roomtone_schema::id::Id as _;
use roomtone_schema::session::SessionStatus;
use roomtone_schema::{FactId, IdempotencyKey, ListenerId, SessionId, UnixMillis};
use roomtone_sync::credential::Ticket;
use serde::{Deserialize, Serialize};

use crate::check_in::{Known, NoViewer, known};
use crate::hub::{Hub, Inner};
use crate::locks::{locked, reading};
use crate::refusal::{Refusal, RefusalCode};
use crate::secrets::new_id;
use crate::store::sign_ins::{self, Claimed, SignedIn};
use crate::store::{StoreError, Tx, TxResult, idempotency, sessions};
use crate::view::Viewer;

/// What a repeated sign-in is known by.
const SIGN_IN: &str = "sign_in";

/// Who somebody says to be.
#[derive(Debug, Clone)]
pub struct SigningIn {
    /// Makes a retry the same sign-in.
    pub key: IdempotencyKey,
    /// From the cloud's page.
    pub ticket: String,
    /// Whether what they said here as a guest is to count for their profile.
    pub claim_votes: bool,
}

/// Signed in, and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognised {
    /// Who they are from now on.
    pub listener: ListenerId,
    /// How many of the guest's votes are theirs now.
    pub claimed: usize,
}

/// Why somebody could not sign in. What is wrong with a ticket is told to nobody: it is good or it is not.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Not here any more.
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// The hub has no cloud.
    #[error("this venue knows no accounts; you are here as a guest, and your votes count")]
    NoAccounts,
    /// Not signed by the cloud, for another venue, over, or taken before.
    #[error(
        "this ticket was used or has run out, so you are here as a guest; your account's page has a new one"
    )]
    BadTicket,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used before; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the sign-in could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for SignInError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::NoAccounts => Some(RefusalCode::NotFound),
            Self::BadTicket => Some(RefusalCode::Forbidden),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::BadTicket => Some(&["input", "ticket"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            Self::NotHere(_) | Self::NoAccounts | Self::Store(_) => None,
        }
    }
}

/// Why a ticket is not looked at any further.
#[derive(Debug, Clone, Copy)]
enum Shown {
    NotHere,
    NoAccounts,
    BadTicket,
}

impl From<&Shown> for SignInError {
    fn from(why: &Shown) -> Self {
        match why {
            Shown::NotHere => NoViewer::Expired.into(),
            Shown::NoAccounts => Self::NoAccounts,
            Shown::BadTicket => Self::BadTicket,
        }
    }
}

enum Outcome {
    New(Recognised, Box<Known>),
    Again(Recognised),
    No(SignInError),
}

impl Hub {
    /// Binds a presence to a profile of the cloud, by its ticket.
    pub async fn sign_in(&self, viewer: &Viewer, wish: SigningIn) -> Result<Recognised, SignInError> {
        let (hub, viewer) = (self.clone(), self.as_now(viewer));
        self.0.whole(async move { hub.0.sign_in(&viewer, wish, hub.cloud_now()).await }).await
    }

    /// A viewer with who they are by now.
    pub fn as_now(&self, viewer: &Viewer) -> Viewer {
        locked(&self.0.people).as_now(viewer)
    }
}

impl Inner {
    /// Binds a presence to a profile.
    pub(crate) async fn sign_in(
        self: &Arc<Self>,
        viewer: &Viewer,
        wish: SigningIn,
        cloud_now: UnixMillis,
    ) -> Result<Recognised, SignInError> {
        let now = self.clock.now();
        let is_here = locked(&self.people).check(viewer, now).is_ok();
        let (session, ops) = (viewer.session, [new_id(now), new_id(now)]);
        let venue = reading(&self.enrolment).as_ref().map(|enrolment| enrolment.venue);
        let verified = venue.map(|venue| {
            let keys = reading(&self.ticket_keys).clone();
            Ticket::verify(&wish.ticket, &keys, venue, cloud_now)
        });
        let verified = match verified {
            _ if !is_here => Err(Shown::NotHere),
            None => Err(Shown::NoAccounts),
            Some(None) => Err(Shown::BadTicket),
            Some(Some(ticket)) => Ok(ticket),
        };
        let work = move |tx: &Tx<'_>| recognise(tx, session, &verified, &wish, ops, now);
        match self.store.write(work).await? {
            Outcome::New(recognised, known) => {
                locked(&self.people).become_listener(viewer.device, recognised.listener, (*known).into());
                if let Some(room) = self.room(viewer.zone) {
                    self.stir(room);
                }
                Ok(recognised)
            }
            Outcome::Again(first) => Ok(first),
            Outcome::No(why) => Err(why),
        }
    }
}

/// All of it in one transaction.
fn recognise(
    tx: &Tx<'_>,
    session: SessionId,
    shown: &Result<Ticket, Shown>,
    wish: &SigningIn,
    [signed_in, claimed]: [FactId; 2],
    now: UnixMillis,
) -> TxResult<Outcome> {
    let owner = session.to_bytes();
    if let Some(first) = idempotency::get::<Recognised>(tx, owner, wish.key, SIGN_IN)? {
        return Ok(first.map_or(Outcome::No(SignInError::KeyUsed), Outcome::Again));
    }
    let ticket = match shown {
        Ok(ticket) => ticket,
        Err(why) => return Ok(Outcome::No(why.into())),
    };
    let found = sessions::by_id(tx, session)?.filter(|found| found.status == SessionStatus::Active);
    let Some(found) = found else { return Ok(Outcome::No(NoViewer::Expired.into())) };
    if !sign_ins::take(tx, ticket.jti, now)? {
        return Ok(Outcome::No(SignInError::BadTicket));
    }
    let (guest, listener) = (found.listener, ListenerId::from_uuid(ticket.sub));
    let fact = SignedIn { session, listener, guest, ticket: wish.ticket.clone(), at: now };
    let is_guests_own = guest != listener && !sign_ins::is_profile(tx, guest)?;
    sign_ins::sign_in(tx, signed_in, &fact)?;
    let claimed = if wish.claim_votes && is_guests_own {
        sign_ins::claim(tx, claimed, Claimed { guest, listener }, now)?
    } else {
        0
    };
    let recognised = Recognised { listener, claimed };
    idempotency::put(tx, owner, wish.key, SIGN_IN, &recognised, now)?;
    Ok(Outcome::New(recognised, Box::new(known(tx, listener, now)?)))
}
