//! Signing in with a ticket of the cloud's.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_server::listener::people::Listener;
use roomtone_server::listener::{Payload, Unmet, UserError, key, settle, visitor};

use super::room::unmet;
use crate::hub::Hub;
use crate::signing_in::SigningIn;

/// What it takes to sign in.
#[derive(Debug, InputObject)]
pub(super) struct SignInInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// From the account's page: for this venue, once, within ten minutes.
    ticket: String,
    /// Whether what was said here as a guest counts for the account from now on.
    #[graphql(default = false)]
    claim_votes: bool,
}

/// Signed in, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct SignInPayload {
    /// The listener from now on.
    me: Option<Listener>,
    /// How many of the guest's votes count for the account now.
    claimed_votes: Option<i32>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for SignInPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

#[derive(Debug, Default)]
pub(super) struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Listener: binds the session to an account of the cloud, by a ticket; no token of the account ever comes here.
    async fn sign_in(&self, ctx: &Context<'_>, input: SignInInput) -> Result<SignInPayload> {
        settle(sign_in(ctx, input).await)
    }
}

async fn sign_in(ctx: &Context<'_>, input: SignInInput) -> Result<SignInPayload, Unmet> {
    let (hub, viewer) = (ctx.data_unchecked::<Hub>(), visitor(ctx)?);
    let wish =
        SigningIn { key: key(&input.idempotency_key)?, ticket: input.ticket, claim_votes: input.claim_votes };
    let recognised = hub.sign_in(&viewer, wish).await.map_err(unmet)?;
    let claimed_votes = Some(i32::try_from(recognised.claimed).unwrap_or(i32::MAX));
    Ok(SignInPayload { me: Some(Listener(hub.as_now(&viewer))), claimed_votes, user_errors: Vec::new() })
}
