//! The part of the API that listeners use: what plays, what the room wants, checking in, voting.
//!
//! Hub and cloud serve the same types; what stands behind them is a [`Room`]. Types marked `@shared` say the same to
//! everybody, so their resolvers never look at who asks; the few fields that do are marked `@perViewer`.

use std::sync::Arc;

use async_graphql::{Context, ContextBase, ID, TypeDirective};
use futures_util::future::BoxFuture;
use roomtone_schema::id::Id;
use roomtone_schema::session::Session;
use roomtone_schema::song::Song;
use roomtone_schema::venue::{Venue, Zone};
use roomtone_schema::view::{
    DeadLetterView, NowPlayingView, OpenHoursView, PlayerView, Recommendation, SyncStatusView, VibeView,
    Viewer,
};
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};
use roomtone_schema::vote::Vote;
use roomtone_schema::{AXES, FactId, IdempotencyKey, SongId, UnixMillis, ZoneId};
use tokio::sync::watch;

use crate::caller::{Asker, Caller, Visit};

pub mod catalogue;
pub mod dead_letter;
pub mod hours;
pub mod mutation;
pub mod page;
pub mod people;
pub mod play;
pub mod query;
pub mod refusal;
pub mod rows;
pub mod scalar;
pub mod song;
pub mod subscription;
pub mod sync_status;
pub mod venue;

pub use catalogue::Catalogue;
pub use mutation::ListenerMutation;
pub use query::ListenerQuery;
pub use refusal::{Payload, Unmet, UserError, UserErrorCode, settle};
pub use subscription::ListenerSubscription;

/// Marks data that is identical for every viewer.
#[TypeDirective(location = "Object", location = "FieldDefinition")]
pub fn shared() {}

/// Opts a field of a `@shared` type out: selecting it makes the operation private to the viewer.
#[TypeDirective(location = "FieldDefinition", name = "perViewer")]
pub fn per_viewer() {}

/// What stands behind the listener's API. State that is shown comes as a watched value: the current one at once, then
/// the latest; whoever reads slowly skips.
pub trait Room: Send + Sync + 'static {
    /// The time by which everything here is dated.
    fn now(&self) -> UnixMillis;
    /// The venue.
    fn venue(&self) -> Venue;
    /// Its zones, the main one first.
    fn zones(&self) -> Arc<[Zone]>;
    /// The zone that is meant where none is named.
    fn main_zone(&self) -> ZoneId;
    /// When a zone's music is, where that is known.
    fn hours(&self, _zone: ZoneId) -> Option<OpenHoursView> {
        None
    }
    /// What a zone hears; `None` where there is no such zone.
    fn now_playing(&self, zone: ZoneId) -> Option<watch::Receiver<Option<Arc<NowPlayingView>>>>;
    /// What a zone wants.
    fn vibe(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<VibeView>>>;
    /// What a zone hears next.
    fn up_next(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<[Recommendation]>>>;
    /// A fact that the cloud keeps apart; whoever asks has seen to it that the manager does. A room without a cloud has none.
    fn dead_letter(&self, _fact: FactId) -> BoxFuture<'_, Result<Option<DeadLetterView>, Unmet>> {
        Box::pin(async { Ok(None) })
    }
    /// How hub and cloud stand with each other.
    fn sync_status(&self) -> watch::Receiver<Arc<SyncStatusView>>;
    /// All players.
    fn players(&self) -> watch::Receiver<Arc<[PlayerView]>>;
    /// The catalogue ranked for a zone as it is now.
    fn recommendations(
        &self,
        zone: ZoneId,
        first: usize,
    ) -> BoxFuture<'_, Result<Vec<Recommendation>, Unmet>>;
    /// A song, withdrawn or not.
    fn song(&self, song: SongId) -> Option<Arc<Song>>;
    /// The catalogue without withdrawn songs; the same one until songs come or go.
    fn songs(&self) -> Arc<Catalogue>;
    /// Whether a song's file can be played from here.
    fn is_cached(&self, song: SongId) -> bool;
    /// Where its file can be had, for some hours.
    fn media_url(&self, song: &Song) -> Option<String>;
    /// Under which path a phone shows the cookie by which it is known again; `None` where that is everywhere.
    fn cookie_path(&self) -> Option<&str> {
        None
    }
    /// Brings somebody into a zone.
    fn check_in(&self, arrival: Arrival) -> BoxFuture<'_, Result<CheckedIn, Unmet>>;
    /// Takes somebody out.
    fn check_out(&self, viewer: Viewer, key: IdempotencyKey) -> BoxFuture<'_, Result<Session, Unmet>>;
    /// Counts a like or dislike.
    fn vote(&self, viewer: Viewer, opinion: Opinion) -> BoxFuture<'_, Result<Voted, Unmet>>;
    /// Counts a wish to leave the current song.
    fn vote_to_skip(
        &self,
        viewer: Viewer,
        key: IdempotencyKey,
    ) -> BoxFuture<'_, Result<Option<Arc<NowPlayingView>>, Unmet>>;
    /// A viewer's vote for a song.
    fn viewer_vote(&self, viewer: &Viewer, song: SongId) -> Option<Vote>;
    /// A viewer's votes as they stand, newest first: by `hlc`, then `id`, both downwards.
    fn viewer_votes(&self, viewer: &Viewer) -> Vec<Vote>;
    /// A viewer's taste, where their votes give it a direction.
    fn taste(&self, viewer: &Viewer) -> Option<[f64; AXES]>;
    /// A viewer's session.
    fn session(&self, viewer: &Viewer) -> Option<Session>;
}

/// What stands behind this schema.
pub fn room<'a, T>(ctx: &ContextBase<'a, T>) -> &'a dyn Room {
    ctx.data_unchecked::<Arc<dyn Room>>().as_ref()
}

/// Who asks.
pub fn caller<T>(ctx: &ContextBase<'_, T>) -> Caller {
    Asker::caller(ctx)
}

/// Where the request comes from.
pub fn visit(ctx: &Context<'_>) -> Visit {
    Asker::visit(ctx)
}

/// The listener who asks, also one whose visit has ended: the answer to a repeated request is still theirs. Whoever
/// changes anything asks the room whether they are here.
pub fn visitor(ctx: &Context<'_>) -> Result<Viewer, Unmet> {
    if let Caller::Expired(viewer) = caller(ctx) { Ok(viewer) } else { viewer(ctx) }
}

/// The listener who asks, or why there is none.
pub fn viewer(ctx: &Context<'_>) -> Result<Viewer, Unmet> {
    let (code, why) = match caller(ctx) {
        Caller::Listener(viewer) => return Ok(viewer),
        Caller::Expired(_) => (UserErrorCode::Expired, "your visit has ended; check in again"),
        Caller::Anonymous | Caller::Unknown => {
            (UserErrorCode::NotCheckedIn, "check in first: scan the room's code or type it in")
        }
        Caller::Player(_) | Caller::Manager | Caller::User(_) => {
            (UserErrorCode::Forbidden, "this is for listeners who are checked in")
        }
    };
    Err(UserError::new(code, why).into())
}

/// Reads an id of the input, or says which field it is not.
pub fn id<T: Id>(given: &ID, field: &str) -> Result<T, Unmet> {
    T::from_global(given).map_err(|error| {
        let error = UserError::new(UserErrorCode::Invalid, error.to_string());
        error.at(["input", field]).into()
    })
}

/// Reads an idempotency key: a UUID as it is, no global id.
pub fn key(given: &ID) -> Result<IdempotencyKey, Unmet> {
    given.parse().map_err(|_not_a_uuid| {
        let why = "idempotencyKey must be a UUID, a new one for each intent";
        UserError::new(UserErrorCode::Invalid, why).at(["input", "idempotencyKey"]).into()
    })
}

/// The zone that a query means; a GraphQL error where it names none of ours.
pub(crate) fn zone_of(ctx: &Context<'_>, given: Option<&ID>) -> async_graphql::Result<ZoneId> {
    let Some(given) = given else { return Ok(room(ctx).main_zone()) };
    let zone = ZoneId::from_global(given).ok();
    zone.filter(|zone| room(ctx).zones().iter().any(|known| known.id == *zone)).ok_or_else(no_zone)
}

/// What asking for a zone that is not there is answered with.
pub(crate) fn no_zone() -> async_graphql::Error {
    refusal::coded("NOT_FOUND", "this venue has no such zone; leave zoneId out for the main one")
}

/// A time as the API shows it. The year 1970 stands for what no calendar holds.
pub fn date(at: UnixMillis) -> scalar::DateTime {
    scalar::DateTime(chrono::DateTime::from_timestamp_millis(at.0).unwrap_or_default())
}
