//! A venue as its page shows it: the room that the listeners' API asks, with Postgres behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use roomtone_schema::session::Session;
use roomtone_schema::song::Song;
use roomtone_schema::venue::{Venue, Zone};
use roomtone_schema::view::{
    NowPlayingView, OpenHoursView, PlayerView, Recommendation, SyncStatusView, VibeView, Viewer,
};
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};
use roomtone_schema::vote::Vote;
use roomtone_schema::{AXES, IdempotencyKey, SongId, UnixMillis, VenueId, ZoneId};
use roomtone_server::listener::{Catalogue, Room, Unmet};
use tokio::sync::watch;

use super::people::{self, People};
use super::shown::{self, Songs};
use crate::cloud::Cloud;
use crate::config::GuestSection;
use crate::rooms::hours;
use crate::store::guests::{self as store, Place, SongsVersion};

/// How often it is looked whether the songs have changed: counting them costs the database something.
const SONGS_EVERY: Duration = Duration::from_secs(20);

/// A venue's page. What it shows is the latest value, renewed by whoever keeps all of them ([`super::Guests`]).
#[derive(Debug)]
pub struct GuestRoom {
    pub(super) cloud: Cloud,
    pub(super) venue: VenueId,
    pub(super) limits: GuestSection,
    /// `/v/<slug>`.
    path: String,
    people: Mutex<People>,
    shown: RwLock<Shown>,
    zones: RwLock<BTreeMap<ZoneId, Arc<ZoneShown>>>,
    status: watch::Sender<Arc<SyncStatusView>>,
    players: watch::Sender<Arc<[PlayerView]>>,
}

#[derive(Debug, Clone)]
struct Shown {
    venue: Venue,
    zones: Arc<[Zone]>,
    songs: Arc<Songs>,
    catalogue: Arc<Catalogue>,
    version: SongsVersion,
    /// When that was looked for, by the monotonic clock.
    looked_ms: Option<i64>,
}

#[derive(Debug)]
struct ZoneShown {
    now_playing: watch::Sender<Option<Arc<NowPlayingView>>>,
    vibe: watch::Sender<Arc<VibeView>>,
    up_next: watch::Sender<Arc<[Recommendation]>>,
    hours: RwLock<Option<OpenHoursView>>,
}

impl GuestRoom {
    /// The page of a venue, read for the first time; `None` where it is closed.
    pub(super) async fn open(
        cloud: Cloud,
        venue: VenueId,
        slug: &str,
        limits: GuestSection,
    ) -> Result<Option<Self>, sqlx::Error> {
        let now = cloud.now();
        let status = Arc::new(shown::standing(None, 0, now));
        let nothing = Shown {
            venue: Venue { id: venue, name: String::new(), time_zone: String::new() },
            zones: Arc::from([]),
            songs: Arc::default(),
            catalogue: Arc::new(Catalogue::new(Arc::from([]))),
            version: (-1, None, None),
            looked_ms: None,
        };
        let room = Self {
            people: Mutex::new(People::new(limits.sessions as usize)),
            cloud,
            venue,
            limits,
            path: format!("/v/{slug}"),
            shown: RwLock::new(nothing),
            zones: RwLock::default(),
            status: watch::Sender::new(status),
            players: watch::Sender::new(Arc::from([])),
        };
        Ok(room.look().await?.then_some(room))
    }

    /// Reads what there is to show and shows it; false where the page is closed by now.
    pub(super) async fn look(&self) -> Result<bool, sqlx::Error> {
        let now = self.cloud.now();
        let mut work = self.cloud.database.as_guest(Some(self.venue)).await?;
        let Some(place) = store::place(&mut work, self.venue, now).await? else { return Ok(false) };
        let songs = self.other_songs(&mut work).await?;
        work.commit().await?;
        self.show(&place, songs, now);
        Ok(true)
    }

    /// The songs, where they may be others than those that are shown.
    async fn other_songs(
        &self,
        work: &mut sqlx::PgConnection,
    ) -> Result<Option<(SongsVersion, Vec<store::Song>)>, sqlx::Error> {
        let now_ms = self.cloud.clock.monotonic_ms();
        let Shown { version, looked_ms, .. } = self.shown();
        let pause_ms = i64::try_from(SONGS_EVERY.as_millis()).unwrap_or(i64::MAX);
        if looked_ms.is_some_and(|looked| now_ms.saturating_sub(looked) < pause_ms) {
            return Ok(None);
        }
        let found = store::songs_version(&mut *work, self.venue).await?;
        self.shown.write().unwrap_or_else(PoisonError::into_inner).looked_ms = Some(now_ms);
        if found == version { Ok(None) } else { Ok(Some((found, store::songs(work, self.venue).await?))) }
    }

    fn show(&self, place: &Place, songs: Option<(SongsVersion, Vec<store::Song>)>, now: UnixMillis) {
        let mut shown = self.shown();
        if let Some((version, rows)) = songs {
            let songs: Vec<Arc<Song>> = rows.into_iter().map(|row| Arc::new(shown::song(row))).collect();
            shown.songs = Arc::new(songs.iter().map(|song| (song.id, Arc::clone(song))).collect());
            shown.catalogue = Arc::new(Catalogue::new(songs.into()));
            shown.version = version;
        }
        shown.venue = Venue { id: self.venue, name: place.name.clone(), time_zone: place.time_zone.clone() };
        shown.zones = shown::zones(self.venue.0, place).into();
        self.show_zones(&shown, place, now);
        if shown::names_unknown(place, &shown.songs) {
            // A song that has just come up is looked for at once.
            shown.looked_ms = None;
        }
        let status = shown::standing(place.heard_at, shown.songs.len(), now);
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
        self.status.send_if_modified(|before| {
            let is_other = **before != status;
            if is_other {
                *before = Arc::new(status);
            }
            is_other
        });
    }

    fn show_zones(&self, shown: &Shown, place: &Place, now: UnixMillis) {
        let before = self.zones.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut zones = BTreeMap::new();
        for zone in shown.zones.iter() {
            let told = place.zones.iter().find(|known| known.id == zone.id.0);
            let at_hand = before.get(&zone.id).cloned().unwrap_or_default();
            at_hand.show(told, &shown.songs, now);
            zones.insert(zone.id, at_hand);
        }
        *self.zones.write().unwrap_or_else(PoisonError::into_inner) = zones;
    }

    fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zone(&self, zone: ZoneId) -> Option<Arc<ZoneShown>> {
        self.zones.read().unwrap_or_else(PoisonError::into_inner).get(&zone).cloned()
    }

    /// What a zone wants, as it was told last.
    pub(super) fn vibe_of(&self, zone: ZoneId) -> Arc<VibeView> {
        let shown = self.zone(zone).map(|zone| zone.vibe.borrow().clone());
        shown.unwrap_or_else(|| Arc::new(shown::vibe(None)))
    }

    /// What somebody's votes come to.
    pub(super) fn taste_of(&self, votes: &[Vote]) -> Option<[f64; AXES]> {
        people::taste_of(votes, &self.shown().songs)
    }
}

impl Default for ZoneShown {
    fn default() -> Self {
        Self {
            now_playing: watch::Sender::new(None),
            vibe: watch::Sender::new(Arc::new(shown::vibe(None))),
            up_next: watch::Sender::new(Arc::from([])),
            hours: RwLock::default(),
        }
    }
}

impl ZoneShown {
    /// Whoever watches is woken by what is new, and by nothing else.
    fn show(&self, told: Option<&store::Zone>, songs: &Songs, now: UnixMillis) {
        let playing = told.and_then(|zone| shown::playing(zone, songs, now)).map(Arc::new);
        let song = playing.as_ref().map(|view| view.pick.song.id);
        let key = |view: &Option<Arc<NowPlayingView>>| {
            view.as_ref().map(|view| {
                (Arc::clone(&view.pick.song), view.started_at, view.skip_votes, view.skip_votes_needed)
            })
        };
        self.now_playing.send_if_modified(|before| {
            let is_other = key(before) != key(&playing);
            // The newest word on how far it is counts, but is no news.
            *before = playing;
            is_other
        });
        let told = told.and_then(|zone| zone.told.as_ref());
        *self.hours.write().unwrap_or_else(PoisonError::into_inner) =
            told.and_then(|(told, _)| told.hours.clone());
        let vibe = shown::vibe(told);
        self.vibe.send_if_modified(|before| {
            let is_other = **before != vibe;
            *before = Arc::new(vibe);
            is_other
        });
        let next = shown::next(told.map(|(told, _)| told), songs, song);
        let names = |list: &[Recommendation]| -> Vec<Arc<Song>> {
            list.iter().map(|entry| Arc::clone(&entry.song)).collect()
        };
        self.up_next.send_if_modified(|before| {
            let is_other = names(before) != names(&next);
            *before = next.into();
            is_other
        });
    }
}

impl Room for GuestRoom {
    fn now(&self) -> UnixMillis {
        self.cloud.now()
    }

    fn venue(&self) -> Venue {
        self.shown().venue
    }

    fn zones(&self) -> Arc<[Zone]> {
        self.shown().zones
    }

    fn main_zone(&self) -> ZoneId {
        self.shown().zones.first().map_or(ZoneId(self.venue.0), |zone| zone.id)
    }

    fn hours(&self, zone: ZoneId) -> Option<OpenHoursView> {
        let zone = self.zone(zone)?;
        let told = zone.hours.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(hours(&told, self.cloud.now()))
    }

    fn now_playing(&self, zone: ZoneId) -> Option<watch::Receiver<Option<Arc<NowPlayingView>>>> {
        self.zone(zone).map(|zone| zone.now_playing.subscribe())
    }

    fn vibe(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<VibeView>>> {
        self.zone(zone).map(|zone| zone.vibe.subscribe())
    }

    fn up_next(&self, zone: ZoneId) -> Option<watch::Receiver<Arc<[Recommendation]>>> {
        self.zone(zone).map(|zone| zone.up_next.subscribe())
    }

    fn sync_status(&self) -> watch::Receiver<Arc<SyncStatusView>> {
        self.status.subscribe()
    }

    fn players(&self) -> watch::Receiver<Arc<[PlayerView]>> {
        self.players.subscribe()
    }

    fn recommendations(
        &self,
        zone: ZoneId,
        first: usize,
    ) -> BoxFuture<'_, Result<Vec<Recommendation>, Unmet>> {
        // The hub ranks; what it has told of that is what comes next.
        let list = self.zone(zone).map(|zone| zone.up_next.borrow().iter().take(first).cloned().collect());
        async move { Ok(list.unwrap_or_default()) }.boxed()
    }

    fn song(&self, song: SongId) -> Option<Arc<Song>> {
        self.shown().songs.get(&song).cloned()
    }

    fn songs(&self) -> Arc<Catalogue> {
        self.shown().catalogue
    }

    /// The music stays in its room.
    fn is_cached(&self, _song: SongId) -> bool {
        false
    }

    fn media_url(&self, _song: &Song) -> Option<String> {
        None
    }

    fn cookie_path(&self) -> Option<&str> {
        Some(&self.path)
    }

    fn check_in(&self, arrival: Arrival) -> BoxFuture<'_, Result<CheckedIn, Unmet>> {
        Self::arrive(self, arrival).boxed()
    }

    fn check_out(&self, viewer: Viewer, key: IdempotencyKey) -> BoxFuture<'_, Result<Session, Unmet>> {
        Self::leave(self, viewer, key).boxed()
    }

    fn vote(&self, viewer: Viewer, opinion: Opinion) -> BoxFuture<'_, Result<Voted, Unmet>> {
        Self::cast(self, viewer, opinion).boxed()
    }

    fn vote_to_skip(
        &self,
        viewer: Viewer,
        key: IdempotencyKey,
    ) -> BoxFuture<'_, Result<Option<Arc<NowPlayingView>>, Unmet>> {
        Self::wish(self, viewer, key).boxed()
    }

    fn viewer_vote(&self, viewer: &Viewer, song: SongId) -> Option<Vote> {
        people::vote_for(&self.people().of(viewer)?.votes, song)
    }

    fn viewer_votes(&self, viewer: &Viewer) -> Vec<Vote> {
        self.people().of(viewer).map(|known| known.votes.clone()).unwrap_or_default()
    }

    fn taste(&self, viewer: &Viewer) -> Option<[f64; AXES]> {
        let votes = self.viewer_votes(viewer);
        self.taste_of(&votes)
    }

    fn session(&self, viewer: &Viewer) -> Option<Session> {
        self.people().of(viewer).map(|known| known.session.clone())
    }
}
