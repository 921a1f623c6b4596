//! State subscriptions: the current value first, then the latest on change. Slow readers skip, they never lag.

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::{Stream, StreamExt as _};
use tokio_stream::wrappers::WatchStream;

use super::play::{NowPlaying, Recommendation, Vibe};
use super::query::ranked;
use super::rows::Rows;
use super::sync_status::SyncStatus;
use super::venue::Player;
use super::{no_zone, room, shared, zone_of};

/// Subscriptions of listeners, on hub and cloud alike.
#[derive(Debug, Default)]
pub struct ListenerSubscription;

/// State: the current value first, then the latest on change.
#[Subscription]
impl ListenerSubscription {
    /// What a zone hears; null when nothing plays.
    #[graphql(directive = shared::apply())]
    async fn now_playing(
        &self,
        ctx: &Context<'_>,
        zone_id: Option<ID>,
    ) -> Result<impl Stream<Item = Option<NowPlaying>> + use<>> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        let now = room(ctx).now_playing(zone).ok_or_else(no_zone)?;
        Ok(WatchStream::new(now).map(|view| view.map(NowPlaying)))
    }

    /// What a zone wants.
    #[graphql(directive = shared::apply())]
    async fn vibe(&self, ctx: &Context<'_>, zone_id: Option<ID>) -> Result<impl Stream<Item = Vibe> + use<>> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        let vibe = room(ctx).vibe(zone).ok_or_else(no_zone)?;
        Ok(WatchStream::new(vibe).map(|view| (&*view).into()))
    }

    /// What a zone hears next.
    #[graphql(directive = shared::apply(), complexity = "first.clamp(0, 50) as usize * child_complexity")]
    async fn up_next(
        &self,
        ctx: &Context<'_>,
        zone_id: Option<ID>,
        #[graphql(default = 5)] first: i32,
    ) -> Result<impl Stream<Item = Rows<Recommendation>> + use<>> {
        let (zone, first) = (zone_of(ctx, zone_id.as_ref())?, ranked(first)?);
        let list = room(ctx).up_next(zone).ok_or_else(no_zone)?;
        Ok(WatchStream::new(list).map(move |list| list.iter().take(first).map(Into::into).collect()))
    }

    /// How the hub stands with the cloud.
    #[graphql(directive = shared::apply())]
    async fn sync_status(&self, ctx: &Context<'_>) -> impl Stream<Item = SyncStatus> + use<> {
        WatchStream::new(room(ctx).sync_status()).map(|view| (&*view).into())
    }

    /// The venue's players, all of them each time.
    #[graphql(directive = shared::apply())]
    async fn players(&self, ctx: &Context<'_>) -> impl Stream<Item = Vec<Player>> + use<> {
        WatchStream::new(room(ctx).players()).map(|players| players.iter().cloned().map(Player).collect())
    }
}
