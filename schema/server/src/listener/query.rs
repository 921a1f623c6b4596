//! Queries.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object, Result};
use roomtone_schema::id::{Id, split_global};
use roomtone_schema::{FactId, ListenerId, PlayerId, SessionId, SongId, VenueId, VoteId, ZoneId};

use super::catalogue::{SongConnection, SongFilter, SongOrder};
use super::dead_letter::DeadLetter;
use super::page::PageArguments;
use super::people::{Listener, Session, Vote};
use super::play::{NowPlaying, Recommendation, Vibe};
use super::rows::Rows;
use super::song::Song;
use super::sync_status::SyncStatus;
use super::venue::{Player, Venue, Zone};
use super::{caller, no_zone, refusal, room, viewer, zone_of};
use crate::caller::Caller;

/// Ids that may be looked up in one request.
const NODES_AT_ONCE: usize = 100;
/// Entries of a ranked list at most.
const RANKED_AT_MOST: i32 = 50;

/// What everything with an id has in common.
#[derive(Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, globally unique; same value on hub and cloud."))]
pub enum Node {
    /// See there.
    Venue(Venue),
    /// See there.
    Zone(Zone),
    /// See there.
    Song(Song),
    /// See there.
    Player(Player),
    /// See there.
    Listener(Listener),
    /// See there.
    Session(Session),
    /// See there.
    Vote(Vote),
    /// See there.
    DeadLetter(DeadLetter),
}

/// Queries that listeners ask, of hub and cloud alike.
#[derive(Debug, Default)]
pub struct ListenerQuery;

/// Reading; nothing here changes anything.
#[Object]
impl ListenerQuery {
    /// Anything that has an id; null where there is no such thing, or it is somebody else's.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several of them, in the order asked for.
    #[graphql(complexity = "100 * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > NODES_AT_ONCE {
            return Err(refusal::coded("INVALID", "ask for at most 100 ids at once"));
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in &ids {
            found.push(find(ctx, id).await?);
        }
        Ok(found)
    }

    /// This venue.
    async fn venue(&self, ctx: &Context<'_>) -> Venue {
        Venue(room(ctx).venue())
    }

    /// Null when anonymous.
    async fn me(&self, ctx: &Context<'_>) -> Option<Listener> {
        viewer(ctx).ok().map(Listener)
    }

    /// What a zone wants. zoneId defaults to the venue's main zone, here and below.
    async fn vibe(&self, ctx: &Context<'_>, zone_id: Option<ID>) -> Result<Vibe> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        room(ctx).vibe(zone).map(|vibe| (&**vibe.borrow()).into()).ok_or_else(no_zone)
    }

    /// Null when nothing plays.
    async fn now_playing(&self, ctx: &Context<'_>, zone_id: Option<ID>) -> Result<Option<NowPlaying>> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        let now = room(ctx).now_playing(zone).ok_or_else(no_zone)?;
        Ok(now.borrow().clone().map(NowPlaying))
    }

    /// The look-ahead: what will play next as things stand. Empty where the venue's licence profile hides it.
    #[graphql(complexity = "first.clamp(0, 50) as usize * child_complexity")]
    async fn up_next(
        &self,
        ctx: &Context<'_>,
        zone_id: Option<ID>,
        #[graphql(default = 5)] first: i32,
    ) -> Result<Rows<Recommendation>> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        let list = room(ctx).up_next(zone).ok_or_else(no_zone)?;
        Ok(list.borrow().iter().take(ranked(first)?).map(Into::into).collect())
    }

    /// Ranked, not paginated; first is 1 to 50.
    // The whole catalogue is ranked for it, however few of it are asked for.
    #[graphql(complexity = "500 + first.clamp(0, 50) as usize * child_complexity")]
    async fn recommendations(
        &self,
        ctx: &Context<'_>,
        zone_id: Option<ID>,
        #[graphql(default = 10)] first: i32,
    ) -> Result<Rows<Recommendation>> {
        let zone = zone_of(ctx, zone_id.as_ref())?;
        let ranked = room(ctx).recommendations(zone, ranked(first)?).await?;
        Ok(ranked.iter().map(Into::into).collect())
    }

    /// The catalogue; at most 100 songs at a time, 20 where neither first nor last says how many.
    #[graphql(complexity = "first.or(last).unwrap_or(20).clamp(0, 100) as usize * child_complexity")]
    #[expect(
        clippy::too_many_arguments,
        reason = "the four arguments of a connection, a filter and an order"
    )]
    async fn songs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<SongFilter>,
        order_by: Option<SongOrder>,
    ) -> Result<SongConnection> {
        let page = PageArguments { first, after, last, before };
        let is_cached = |song: &roomtone_schema::song::Song| room(ctx).is_cached(song.id);
        room(ctx).songs().page(&filter.unwrap_or_default(), order_by, &page, is_cached)
    }

    /// How the hub stands with the cloud.
    async fn sync_status(&self, ctx: &Context<'_>) -> SyncStatus {
        let status = room(ctx).sync_status();
        (&**status.borrow()).into()
    }

    /// The venue's players.
    async fn players(&self, ctx: &Context<'_>) -> Vec<Player> {
        let players = room(ctx).players();
        let players = players.borrow();
        players.iter().cloned().map(Player).collect()
    }
}

/// How many entries of a ranked list are wanted.
///
/// # Errors
/// A GraphQL error outside 1 to 50.
pub(crate) fn ranked(first: i32) -> Result<usize> {
    let fits = (1..=RANKED_AT_MOST).contains(&first);
    fits.then_some(first.unsigned_abs() as usize).ok_or_else(|| refusal::coded("INVALID", "first is 1 to 50"))
}

/// Looks an id up; what is the manager's is found by the manager only.
async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    match split_global(id) {
        Some((kind, uuid)) if kind == FactId::TYPE => {
            if caller(ctx) != Caller::Manager {
                return Ok(None);
            }
            let found = room(ctx).dead_letter(FactId(uuid)).await?;
            Ok(found.map(|letter| Node::DeadLetter(DeadLetter(letter))))
        }
        _ => Ok(at_hand(ctx, id)),
    }
}

/// What lies in memory; what belongs to one listener is found by that listener only.
fn at_hand(ctx: &Context<'_>, id: &ID) -> Option<Node> {
    let (kind, uuid) = split_global(id)?;
    let room = room(ctx);
    let own = viewer(ctx).ok();
    match kind.as_str() {
        VenueId::TYPE => (room.venue().id.0 == uuid).then(|| Node::Venue(Venue(room.venue()))),
        ZoneId::TYPE => {
            room.zones().iter().find(|zone| zone.id.0 == uuid).cloned().map(|zone| Node::Zone(Zone(zone)))
        }
        SongId::TYPE => room.song(SongId(uuid)).map(|song| Node::Song(Song(song))),
        PlayerId::TYPE => {
            let players = Arc::clone(&room.players().borrow());
            players
                .iter()
                .find(|view| view.player.id.0 == uuid)
                .cloned()
                .map(|view| Node::Player(Player(view)))
        }
        ListenerId::TYPE => own.filter(|own| own.listener.0 == uuid).map(|own| Node::Listener(Listener(own))),
        SessionId::TYPE => {
            let own = own.filter(|own| own.session.0 == uuid)?;
            room.session(&own).map(|session| Node::Session(Session(session)))
        }
        VoteId::TYPE => {
            let votes = room.viewer_votes(&own?);
            votes.into_iter().find(|vote| vote.id.0 == uuid).map(|vote| Node::Vote(Vote(vote)))
        }
        _ => None,
    }
}
