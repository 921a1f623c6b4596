//! Subscriptions that only a hub offers.

use async_graphql::{Context, Result, Subscription};
use futures_util::{Stream, StreamExt as _};

use super::player::{PlayerCommand, player};
use crate::hub::Hub;

#[derive(Debug, Default)]
pub(super) struct HubSubscription;

#[Subscription]
impl HubSubscription {
    /// Player: skip, pause, volume, stop, plan changed; the player's own, never shared.
    async fn player_commands(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = PlayerCommand> + use<>> {
        let player = player(ctx)?;
        Ok(ctx.data_unchecked::<Hub>().player_commands(player).map(Into::into))
    }
}
