//! Orders of whoever runs the venue to one player.

use async_graphql::{Context, ID, InputObject, SimpleObject};
use roomtone_schema::PlayerId;
use roomtone_server::caller::Caller;
use roomtone_server::listener::venue::Player;
use roomtone_server::listener::{Payload, Unmet, UserError, UserErrorCode, caller, id, key};

use super::player::PlayerCommandKind;
use super::room::unmet;
use crate::hub::Hub;

/// An order to one player.
#[derive(Debug, InputObject)]
pub(super) struct OrderPlayerInput {
    /// A UUID, new for each intent.
    idempotency_key: ID,
    /// To whom.
    player_id: ID,
    /// Which.
    kind: PlayerCommandKind,
    /// For `VOLUME`: 0 to 1.
    volume: Option<f32>,
}

/// Given, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(super) struct OrderPlayerPayload {
    /// The player as it is known now.
    player: Option<Player>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for OrderPlayerPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

pub(super) async fn order(ctx: &Context<'_>, input: &OrderPlayerInput) -> Result<OrderPlayerPayload, Unmet> {
    if caller(ctx) != Caller::Manager {
        let why = "this needs the manager's token; `roomtone-hub manager token` prints one";
        return Err(UserError::new(UserErrorCode::Forbidden, why).into());
    }
    let (hub, key) = (ctx.data_unchecked::<Hub>(), key(&input.idempotency_key)?);
    let player = id::<PlayerId>(&input.player_id, "playerId")?;
    let view = hub.order_once(key, player, input.kind.into(), input.volume).await.map_err(unmet)?;
    Ok(OrderPlayerPayload { player: Some(Player(view)), user_errors: Vec::new() })
}
