//! Letting players in.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::{HubId, VenueId, ZoneId};

use crate::graphql::asking::{Key, UserError, cloud, doer, id, key, payload, settle};
use crate::graphql::pairing::PlayerPairing;
use crate::pairings::{self, Begun, Wish};
use crate::refusal::Unmet;

/// A player to come, and who lets it in.
#[derive(Debug, InputObject)]
pub(crate) struct CreatePlayerPairingInput {
    /// A UUID, new for each intent. Repeated, it is the same pairing with a fresh code, and the code before is void.
    idempotency_key: Key,
    /// At this hub.
    hub_id: Option<ID>,
    /// Or at the only hub of this venue.
    venue_id: Option<ID>,
    /// What it is to be called; where a player of this name is there, it gets another secret. Left out, it says so itself.
    name: Option<String>,
    /// Where it is to play; left out, in the hub's main zone.
    zone_id: Option<ID>,
}

/// A code, or why there is none.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct CreatePlayerPairingPayload {
    /// The pairing, which waits for its hub.
    pairing: Option<PlayerPairing>,
    /// What to type at the player; shown this once.
    code: Option<String>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl From<Result<Begun, UserError>> for CreatePlayerPairingPayload {
    fn from(outcome: Result<Begun, UserError>) -> Self {
        match outcome {
            Ok(begun) => Self {
                pairing: Some(PlayerPairing(begun.pairing)),
                code: Some(begun.code.to_string()),
                user_errors: Vec::new(),
            },
            Err(error) => Self { user_errors: vec![error], ..Self::default() },
        }
    }
}

/// A pairing that is to end.
#[derive(Debug, InputObject)]
pub(crate) struct CancelPlayerPairingInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Ended, or why not.
    CancelPlayerPairingPayload { /// The pairing.
        pairing: PlayerPairing });

/// What lets players in.
#[derive(Debug, Default)]
pub(crate) struct PairingMutation;

/// Changing.
#[Object]
impl PairingMutation {
    /// A code, good for 5 minutes, by which its hub lets a player in; for managers. One that was open there is closed.
    async fn create_player_pairing(
        &self,
        ctx: &Context<'_>,
        input: CreatePlayerPairingInput,
    ) -> Result<CreatePlayerPairingPayload> {
        settle(begin(ctx, &input).await)
    }

    /// Ends a pairing before anybody came; for managers. One that is over stays as it is.
    async fn cancel_player_pairing(
        &self,
        ctx: &Context<'_>,
        input: CancelPlayerPairingInput,
    ) -> Result<CancelPlayerPairingPayload> {
        settle(cancel(ctx, &input).await)
    }
}

async fn begin(ctx: &Context<'_>, input: &CreatePlayerPairingInput) -> Result<Begun, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let wish = Wish {
        hub: input.hub_id.as_ref().map(|given| id::<HubId>(given, "hubId")).transpose()?,
        venue: input.venue_id.as_ref().map(|given| id::<VenueId>(given, "venueId")).transpose()?,
        name: input.name.as_deref(),
        zone: input.zone_id.as_ref().map(|given| id::<ZoneId>(given, "zoneId")).transpose()?,
    };
    pairings::begin(cloud(ctx), user, key, wish).await
}

async fn cancel(ctx: &Context<'_>, input: &CancelPlayerPairingInput) -> Result<PlayerPairing, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    Ok(PlayerPairing(pairings::cancel(cloud(ctx), user, key, id(&input.id, "id")?).await?))
}
