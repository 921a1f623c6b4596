//! Orders to players: volume, pause, skip.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use roomtone_schema::PlayerId;
use tokio_stream::wrappers::BroadcastStream;

use crate::hub::Inner;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::store::{StoreError, players};
use crate::view::{PlayerCommand, PlayerCommandKind};

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Not one of ours (any more).
    #[error("this venue has no such player")]
    UnknownPlayer,
    /// A volume outside 0 to 1, or none where one is needed.
    #[error("a volume is a number from 0 to 1")]
    BadVolume,
    /// Ours.
    #[error("the order could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for CommandError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::NotFound),
            Self::BadVolume => Some(RefusalCode::Invalid),
            Self::Store(_) => None,
        }
    }
}

impl Inner {
    /// Gives a player an order.
    pub(crate) async fn give_order(
        self: &Arc<Self>,
        player: PlayerId,
        kind: PlayerCommandKind,
        volume: Option<f32>,
    ) -> Result<(), CommandError> {
        let room = self.room_of_player(player).ok_or(CommandError::UnknownPlayer)?;
        match kind {
            PlayerCommandKind::Skip => {
                let _turn = room.advancing.lock().await;
                self.skip(&room).await?;
            }
            PlayerCommandKind::Volume => {
                let volume = volume.filter(|volume| (0.0..=1.0).contains(volume));
                self.set_volume(player, volume.ok_or(CommandError::BadVolume)?).await?;
            }
            _ => {
                if let Some(known) = locked(&self.players).get_mut(player) {
                    known.order(kind, |_| {});
                }
            }
        }
        Ok(())
    }

    /// Orders for one player; whoever reads too slowly loses the oldest.
    pub(crate) fn orders(
        &self,
        player: PlayerId,
    ) -> impl Stream<Item = PlayerCommand> + Send + 'static + use<> {
        let orders = locked(&self.players).listen(player).map(BroadcastStream::new);
        let orders = orders.map(|orders| orders.filter_map(|order| std::future::ready(order.ok())));
        futures_util::stream::iter(orders).flatten()
    }

    async fn set_volume(&self, player: PlayerId, volume: f32) -> Result<(), StoreError> {
        self.store.write(move |tx| players::set_volume(tx, player, volume)).await?;
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.volume = volume;
            known.order(PlayerCommandKind::Volume, |order| order.volume = Some(volume));
        }
        self.show_players();
        Ok(())
    }
}
