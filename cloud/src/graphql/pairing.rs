//! Players that are being let in.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::hub::{Hub, now};
use super::loaders::load;
use super::player::Player;
use super::words::{PlayerPairingState, date};
use super::zone::Zone;
use crate::pairings;

/// A player that is being let in. Its code is in no field: it was shown once.
#[derive(Debug, Clone)]
pub(super) struct PlayerPairing(pub(super) pairings::Pairing);

/// A player that is being let in. Its code is in no field: it was shown once.
#[Object]
impl PlayerPairing {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// At which hub; null where the viewer may not see it any more.
    async fn hub(&self, ctx: &Context<'_>) -> Result<Option<Hub>> {
        Ok(load(ctx, *self.0.hub_id).await?.map(Hub))
    }

    /// What the player is to be called; null where it says so itself.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Where it is to play; null for the hub's main zone.
    async fn zone(&self, ctx: &Context<'_>) -> Result<Option<Zone>> {
        let Some(zone) = self.0.zone_id else { return Ok(None) };
        Ok(load(ctx, *zone).await?.map(Zone))
    }

    /// How far it is.
    async fn state(&self, ctx: &Context<'_>) -> PlayerPairingState {
        self.0.state_at(now(ctx)).into()
    }

    /// Until when the code is good.
    async fn expires_at(&self) -> DateTime {
        date(self.0.expires_at)
    }

    /// Who came in; null before that, and for the moment until its hub has told more of it.
    async fn player(&self, ctx: &Context<'_>) -> Result<Option<Player>> {
        let Some(player) = self.0.player_id else { return Ok(None) };
        Ok(load(ctx, *player).await?.map(Player))
    }
}
