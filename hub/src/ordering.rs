//! Orders to players: volume, pause, skip.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use roomtone_schema::id::Id as _;
use roomtone_schema::player::PlayerMode;
use roomtone_schema::{IdempotencyKey, PlayerId, ZoneId};
use tokio_stream::wrappers::BroadcastStream;

use crate::hub::{Hub, Inner};
use crate::locks::locked;
use crate::players::Known;
use crate::refusal::{Refusal, RefusalCode};
use crate::skipping::NoSkip;
use crate::store::{StoreError, idempotency, players};
use crate::view::{PlayerCommand, PlayerCommandKind, PlayerView};

/// What a repeated order is known by; its owner is the hub itself, for a venue has one manager.
const ORDER: &str = "order_player";

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Not one of ours (any more).
    #[error("this venue has no such player")]
    UnknownPlayer,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// That a plan has changed is told by whoever changes it.
    #[error("this is no order: give pause, resume, skip, stop or volume")]
    NoOrder,
    /// A volume outside 0 to 1, or none where one is needed.
    #[error("a volume is a number from 0 to 1")]
    BadVolume,
    /// The licence.
    #[error(transparent)]
    Licence(#[from] NoSkip),
    /// Ours.
    #[error("the order could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for CommandError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::BadVolume | Self::NoOrder => Some(RefusalCode::Invalid),
            Self::Licence(_) => Some(RefusalCode::RateLimited),
            Self::Store(_) => None,
        }
    }
}

/// Why a zone does not leave its song.
#[derive(Debug, thiserror::Error)]
pub enum SkipZoneError {
    /// No such zone, or it is silent.
    #[error("nothing plays there that could be skipped")]
    NothingPlays,
    /// The licence.
    #[error(transparent)]
    Licence(#[from] NoSkip),
    /// Ours.
    #[error("the skip could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Hub {
    /// Leaves the song that a zone hears, for all of its players.
    ///
    /// # Errors
    /// [`SkipZoneError`].
    pub async fn skip_in(&self, zone: ZoneId) -> Result<(), SkipZoneError> {
        let room = Arc::clone(self.0.room(zone).ok_or(SkipZoneError::NothingPlays)?);
        let inner = Arc::clone(&self.0);
        let work = async move {
            let _turn = room.advancing.lock().await;
            let now = inner.clock.now();
            room.current().filter(|current| !current.is_over(now)).ok_or(SkipZoneError::NothingPlays)?;
            inner.may_skip(&room)?;
            inner.skip(&room).await?;
            inner.show_now_playing(&room);
            Ok(())
        };
        self.0.whole(work).await
    }
}

impl Inner {
    /// Gives a player an order of the manager's, once for each key: a skip that is asked for again skips nothing more.
    pub(crate) async fn order_once(
        self: &Arc<Self>,
        key: IdempotencyKey,
        player: PlayerId,
        kind: PlayerCommandKind,
        volume: Option<f32>,
    ) -> Result<PlayerView, CommandError> {
        let owner = self.id.to_bytes();
        let first = self.store.read(move |conn| idempotency::get::<()>(conn, owner, key, ORDER)).await?;
        match first {
            Some(Err(_)) => return Err(CommandError::KeyUsed),
            Some(Ok(())) => {}
            None => {
                self.give_order(player, kind, volume).await?;
                let now = self.clock.now();
                self.store.write(move |tx| idempotency::put(tx, owner, key, ORDER, &(), now)).await?;
            }
        }
        self.player_view(player).ok_or(CommandError::UnknownPlayer)
    }

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
                self.may_skip(&room)?;
                self.skip(&room).await?;
            }
            PlayerCommandKind::Volume => {
                let volume = volume.filter(|volume| (0.0..=1.0).contains(volume));
                self.set_volume(player, volume.ok_or(CommandError::BadVolume)?).await?;
            }
            PlayerCommandKind::Pause => self.set_mode(player, kind, PlayerMode::Paused).await?,
            PlayerCommandKind::Resume => self.set_mode(player, kind, PlayerMode::Playing).await?,
            PlayerCommandKind::Stop => self.set_mode(player, kind, PlayerMode::Stopped).await?,
            PlayerCommandKind::PlanChanged => return Err(CommandError::NoOrder),
        }
        Ok(())
    }

    /// Orders for one player, what holds already first. For whoever reads so slowly that an order was lost they end: asked
    /// again they begin with what holds.
    pub(crate) fn orders(
        &self,
        player: PlayerId,
    ) -> impl Stream<Item = PlayerCommand> + Send + 'static + use<> {
        let heard = locked(&self.players).get_mut(player).map(Known::listen);
        let orders = heard.map(|(state, orders)| {
            let orders = BroadcastStream::new(orders);
            let whole = orders.take_while(|order| std::future::ready(order.is_ok()));
            futures_util::stream::iter(state).chain(whole.filter_map(|order| std::future::ready(order.ok())))
        });
        futures_util::stream::iter(orders).flatten()
    }

    /// An order that goes on holding: it is kept before it is given.
    async fn set_mode(
        &self,
        player: PlayerId,
        kind: PlayerCommandKind,
        mode: PlayerMode,
    ) -> Result<(), StoreError> {
        self.store.write(move |tx| players::set_mode(tx, player, mode)).await?;
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.mode = mode;
            known.order(kind, |_| {});
        }
        self.show_players();
        Ok(())
    }

    pub(crate) async fn set_volume(&self, player: PlayerId, volume: f32) -> Result<(), StoreError> {
        self.store.write(move |tx| players::set_volume(tx, player, volume)).await?;
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.turn_to(volume);
        }
        self.show_players();
        self.news.notify_one();
        Ok(())
    }
}
