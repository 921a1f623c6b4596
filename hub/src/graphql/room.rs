//! The hub as the room that the listeners' API asks.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use roomtone_schema::session::Session;
use roomtone_schema::song::Song;
use roomtone_schema::venue::{Venue, Zone};
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};
use roomtone_schema::vote::Vote;
use roomtone_schema::{AXES, FactId, IdempotencyKey, SongId, UnixMillis, ZoneId};
use roomtone_server::listener::{Catalogue, Room, Unmet, UserError};
use tokio::sync::watch;

use crate::hub::Hub;
use crate::media;
use crate::refusal::Refusal;
use crate::view::{
    DeadLetterView, NowPlayingView, OpenHoursView, PlayerView, Recommendation, SyncStatusView, VibeView,
    Viewer,
};

/// The one place where a use case's error becomes the API's: what the caller can act on is told in its words, what is
/// our fault is logged here and told to nobody.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn unmet<E: Refusal>(error: E) -> Unmet {
    let Some(code) = error.code() else {
        tracing::error!("a request failed: {error}");
        return Unmet::Ours;
    };
    let told = UserError::new(code.into(), error.to_string());
    Unmet::Refused(match error.field() {
        Some(path) => told.at(path.iter().copied()),
        None => told,
    })
}

impl Room for Hub {
    fn now(&self) -> UnixMillis {
        Self::now(self)
    }

    fn venue(&self) -> Venue {
        Self::venue(self).as_ref().clone()
    }

    fn zones(&self) -> Arc<[Zone]> {
        Self::zones(self)
    }

    fn main_zone(&self) -> ZoneId {
        Self::main_zone(self)
    }

    fn hours(&self, zone: ZoneId) -> Option<OpenHoursView> {
        Self::hours(self, zone)
    }

    fn now_playing(&self, zone: ZoneId) -> Option<watch::Receiver<Option<Arc<NowPlayingView>>>> {
        Self::now_playing(self, zone).ok()
    }

    fn vibe(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<VibeView>>> {
        Self::vibe(self, zone).ok()
    }

    fn up_next(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<[Recommendation]>>> {
        Self::up_next(self, zone).ok()
    }

    fn dead_letter(&self, fact: FactId) -> BoxFuture<'_, Result<Option<DeadLetterView>, Unmet>> {
        async move { Self::dead_letter(self, fact).await.map_err(unmet) }.boxed()
    }

    fn sync_status(&self) -> watch::Receiver<Arc<SyncStatusView>> {
        Self::sync_status(self)
    }

    fn players(&self) -> watch::Receiver<Arc<[PlayerView]>> {
        Self::players(self)
    }

    fn recommendations(
        &self,
        zone: ZoneId,
        first: usize,
    ) -> BoxFuture<'_, Result<Vec<Recommendation>, Unmet>> {
        async move { Self::recommendations(self, zone, first).await.map_err(unmet) }.boxed()
    }

    fn song(&self, song: SongId) -> Option<Arc<Song>> {
        Self::song(self, song)
    }

    fn songs(&self) -> Arc<Catalogue> {
        self.catalogue()
    }

    fn is_cached(&self, song: SongId) -> bool {
        Self::is_cached(self, song)
    }

    fn media_url(&self, song: &Song) -> Option<String> {
        Self::is_cached(self, song.id).then(|| media::url(self, &song.facts.sha256))
    }

    fn check_in(&self, arrival: Arrival) -> BoxFuture<'_, Result<CheckedIn, Unmet>> {
        async move { Self::check_in(self, arrival).await.map_err(unmet) }.boxed()
    }

    fn check_out(&self, viewer: Viewer, key: IdempotencyKey) -> BoxFuture<'_, Result<Session, Unmet>> {
        async move { Self::check_out(self, &viewer, key).await.map_err(unmet) }.boxed()
    }

    fn vote(&self, viewer: Viewer, opinion: Opinion) -> BoxFuture<'_, Result<Voted, Unmet>> {
        async move { Self::vote(self, &viewer, opinion).await.map_err(unmet) }.boxed()
    }

    fn vote_to_skip(
        &self,
        viewer: Viewer,
        key: IdempotencyKey,
    ) -> BoxFuture<'_, Result<Option<Arc<NowPlayingView>>, Unmet>> {
        async move { Self::vote_to_skip(self, &viewer, key).await.map_err(unmet) }.boxed()
    }

    fn viewer_vote(&self, viewer: &Viewer, song: SongId) -> Option<Vote> {
        Self::viewer_vote(self, viewer, song)
    }

    fn viewer_votes(&self, viewer: &Viewer) -> Vec<Vote> {
        Self::viewer_votes(self, viewer)
    }

    fn taste(&self, viewer: &Viewer) -> Option<[f64; AXES]> {
        Self::taste(self, viewer)
    }

    fn session(&self, viewer: &Viewer) -> Option<Session> {
        Self::session(self, viewer)
    }
}
