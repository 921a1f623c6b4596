//! Subscriptions that only a hub offers.

use async_graphql::{Context, Result, Subscription};
use futures_util::{Stream, StreamExt as _};
use roomtone_server::listener::shared;
use tokio_stream::wrappers::WatchStream;

use super::player::{PlayerCommand, player};
use super::sync_status::SyncStatus;
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

    /// How the hub stands with the cloud.
    #[graphql(directive = shared::apply())]
    async fn sync_status(&self, ctx: &Context<'_>) -> impl Stream<Item = SyncStatus> + use<> {
        let status = ctx.data_unchecked::<Hub>().sync_status();
        WatchStream::new(status).map(|view| (&*view).into())
    }
}
