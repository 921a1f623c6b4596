//! The hub: one handle to the venue's room, which everything that speaks to the outside holds.
//!
//! What the room is stands in memory and is rebuilt from the store at start. Every change goes the same way: decide
//! on what is in memory, write the fact and its outbox row in one durable transaction, then change memory, then
//! publish. So an answer never says more than the disk knows. The use cases themselves live in their own files
//! (`check_in`, `voting`, `skipping`, `playing`, `programme`); this one opens the hub and answers what it knows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures_util::Stream;
use roomtone_schema::licence::Licence;
use roomtone_schema::player::Player;
use roomtone_schema::session::Session;
use roomtone_schema::song::{Song, SongFacts};
use roomtone_schema::taste::taste;
use roomtone_schema::venue::{Venue, Zone, ZoneSettings};
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};
use roomtone_schema::vote::Vote;
use roomtone_schema::{
    AXES, Clock, DeviceId, HubId, IdempotencyKey, PlayerId, SessionId, SongId, UnixMillis, ZoneId,
};
use roomtone_server::listener::Catalogue;
use tokio::sync::{Notify, watch};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check_in::{CheckInError, CheckOutError, NoViewer};
use crate::clock::SteadyClock;
use crate::cloud_link::Enrolment;
use crate::counters::Counters;
pub use crate::health::Health;
use crate::in_force::VenueRules;
use crate::late::{LateError, LateTaken};
use crate::library::Library;
use crate::limits::LimitSettings;
use crate::locks::{locked, reading, writing};
use crate::manager::Managers;
use crate::ordering::CommandError;
use crate::pairing::desk::Desk;
use crate::players::{AddPlayerError, AddedPlayer, PlayerState, Players, RenewTokenError, Way};
use crate::playing::{Ahead, ChangePlayerError, Claim, ClaimError, ClaimRequest};
use crate::presence::{Holder, People};
use crate::refusal::{Refusal, RefusalCode};
use crate::reporting::ReportError;
use crate::room::ZoneRoom;
use crate::room_code::{CodeMaker, RoomCode};
use crate::secrets::{Key, hash, new_token};
use crate::skipping::SkipError;
use crate::store::{OpenError, Opened, Store, StoreError, devices, hub_state};
use crate::view::{
    LatePlay, NowPlayingView, OpenHoursView, PickView, PlaybackReport, PlayerCommand, PlayerCommandKind,
    PlayerView, Recommendation, SyncStatusView, VibeView, Viewer,
};
use crate::voting::VoteError;

/// At most so many recommendations are ranked for one question.
const MOST_RECOMMENDED: usize = 50;

/// What a hub is opened with: its folder and the venue's configuration.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The data folder.
    pub data: PathBuf,
    /// What people call the venue.
    pub venue_name: String,
    /// IANA name of the venue's time zone.
    pub time_zone: String,
    /// What the venue's licence allows.
    pub licence: Licence,
    /// Zones by name with their settings; `main` is added where it is missing.
    pub zones: Vec<(String, ZoneSettings)>,
    /// How often one may do what.
    pub limits: LimitSettings,
}

/// What the hub's own configuration says of the venue and its zones. It is what counts where no cloud says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    pub(crate) venue_name: String,
    pub(crate) time_zone: String,
    pub(crate) licence: Licence,
    pub(crate) zones: Vec<(String, ZoneSettings)>,
}

/// The hub. Cheap to clone; all clones are the same hub.
#[derive(Debug, Clone)]
pub struct Hub(pub(crate) Arc<Inner>);

/// Everything that the hub holds. Use cases are methods of it, each in its own file.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: SteadyClock,
    pub(crate) data: PathBuf,
    pub(crate) id: HubId,
    pub(crate) venue: RwLock<Arc<Venue>>,
    /// What the hub's own configuration says of the venue and its zones.
    pub(crate) configured: Configured,
    /// What holds for the whole venue.
    pub(crate) rules: RwLock<VenueRules>,
    /// One for each zone, `main` first; never empty.
    pub(crate) rooms: Vec<Arc<ZoneRoom>>,
    pub(crate) people: Mutex<People>,
    pub(crate) players: Mutex<Players>,
    /// Held while what opens something is changed, on the disk and then here: both see every change in one order.
    pub(crate) changing_secrets: tokio::sync::Mutex<()>,
    /// What is done to its end, whoever has asked for it.
    pub(crate) wholes: TaskTracker,
    /// Where players are let in.
    pub(crate) desk: Desk,
    pub(crate) players_shown: watch::Sender<Arc<[PlayerView]>>,
    pub(crate) sync_status: watch::Sender<Arc<SyncStatusView>>,
    /// The drill that goes on, and what came of the last one.
    pub(crate) drills: watch::Sender<crate::drill::Standing>,
    pub(crate) library: Library,
    pub(crate) library_stale: AtomicBool,
    pub(crate) limits: LimitSettings,
    pub(crate) codes: RwLock<CodeMaker>,
    pub(crate) manager: Mutex<Option<Key>>,
    /// The PIN, and who has shown it.
    pub(crate) managers: Managers,
    pub(crate) secret: [u8; 32],
    pub(crate) address_secret: [u8; 32],
    pub(crate) counters: Counters,
    pub(crate) stirred: Notify,
    /// Notified where something has changed that the cloud is told with a hello.
    pub(crate) news: Arc<Notify>,
    /// Held while songs change, on the disk and then here.
    pub(crate) cataloguing: tokio::sync::Mutex<()>,
    /// Held while shelf and index are built anew.
    pub(crate) rebuilding: tokio::sync::Mutex<()>,
    /// The second engine lags behind.
    pub(crate) to_fill: Notify,
    /// What was found when the store was opened.
    pub(crate) opened: Opened,
    /// What waits for the disk.
    pub(crate) backlog: crate::history::Backlog,
    pub(crate) chores: Mutex<crate::chores::Done>,
    /// Who this hub is at the cloud.
    pub(crate) enrolment: RwLock<Option<Enrolment>>,
    /// How often it has come to a cloud or left one since it was opened.
    pub(crate) joined: watch::Sender<u64>,
    /// The keys by which check-in tickets are known.
    pub(crate) ticket_keys: RwLock<Vec<[u8; 32]>>,
    /// They are others than those that were written down.
    pub(crate) keys_changed: Notify,
    /// Songs came down, or are to be heard otherwise: whoever carries files looks at once.
    pub(crate) songs_came: Notify,
    /// Songs whose files are here beyond what the licence allows, so that there is music.
    pub(crate) over_licence: Mutex<HashSet<SongId>>,
    /// That managers at the cloud have begun to pair a player, or ended it.
    pub(crate) pairings_came: watch::Sender<()>,
    /// By how much the cloud's time is ahead of the wall clock; 0 before it was heard.
    pub(crate) cloud_ahead_ms: AtomicI64,
    /// By which ways guests come.
    pub(crate) reach: crate::reach::Reach,
}

impl Inner {
    /// Does something to its end, also where nobody waits for it any more: between what it writes and what it then
    /// changes in memory, a request that goes away would leave the two apart.
    pub(crate) async fn whole<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.wholes.spawn(work).await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panicked)) => std::panic::resume_unwind(panicked),
            // The runtime ends, and with it whoever asked.
            Err(Err(_cancelled)) => std::future::pending().await,
        }
    }

    /// A zone's room.
    pub(crate) fn room(&self, zone: ZoneId) -> Option<&Arc<ZoneRoom>> {
        self.rooms.iter().find(|room| room.zone.id == zone)
    }

    /// The zone meant where none is named.
    pub(crate) fn main_zone(&self) -> ZoneId {
        self.rooms[0].zone.id
    }

    /// Says that a zone's vibe and plan may be out of date; whoever conducts brings them up to date soon.
    pub(crate) fn stir(&self, room: &ZoneRoom) {
        room.stir();
        self.stirred.notify_one();
    }

    /// Says that songs came or went.
    pub(crate) fn mark_library_stale(&self) {
        self.library_stale.store(true, Ordering::Release);
        self.stirred.notify_one();
    }

    pub(crate) fn mark_library_fresh(&self) {
        self.library_stale.store(false, Ordering::Release);
    }

    pub(crate) fn library_is_stale(&self) -> bool {
        self.library_stale.load(Ordering::Acquire)
    }
}

/// There is no such zone in this venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this venue has no such zone; leave zoneId out for the main one")]
pub struct UnknownZone;

/// Why nothing was ranked.
#[derive(Debug, thiserror::Error)]
pub enum RecommendError {
    /// No such zone.
    #[error(transparent)]
    UnknownZone(#[from] UnknownZone),
    /// Ours.
    #[error("the catalogue could not be ranked: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for RecommendError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownZone(_) => Some(RefusalCode::NotFound),
            Self::Store(_) => None,
        }
    }
}

/// What became of a song that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is in the catalogue now.
    New(SongId),
    /// The same file was there already.
    Known(SongId),
    /// The same file was there, withdrawn; it plays again.
    Restored(SongId),
}

impl Hub {
    /// Opens the hub in its data folder and rebuilds the room from what is stored there.
    pub async fn open(options: HubOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let hub = Self(Arc::new(crate::opening::open(options, clock).await?));
        hub.settle().await;
        hub.0.show_players();
        Ok(hub)
    }

    /// Keeps the room going: expiry, decay, players out of reach, the plan and what is published. Runs until it is
    /// dropped; the supervisor holds it.
    pub async fn conduct(&self) {
        self.0.conduct().await;
    }

    /// Looks after the disk: backups, what has become too old, media files that changed behind our back. Runs until
    /// it is dropped; the supervisor holds it.
    pub async fn keep_house(&self) {
        self.0.keep_house().await;
    }

    /// What `conduct` does each second; tests with a clock of their own call it themselves.
    pub async fn tick(&self) -> Result<(), StoreError> {
        self.0.tick().await
    }

    /// Brings vibe and plan up to date at once, instead of within the next moments.
    pub async fn settle(&self) {
        self.0.settle().await;
    }

    /// Writes what is pending (last signs of life, the time) and closes the store.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.0.wholes.close();
        self.0.wholes.wait().await;
        let written = self.0.catch_up().await.and(self.0.write_down(Duration::ZERO).await);
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || store.close()).await.or(Err(StoreError::Panicked))?;
        written
    }

    /// The store, for what is not the room's business: backup, metrics.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// What was found when the hub was opened: an unclean stop, a damaged database.
    pub fn opened(&self) -> &Opened {
        &self.0.opened
    }

    /// The steady time.
    pub fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    /// Which hub this is.
    pub fn id(&self) -> HubId {
        self.0.id
    }

    /// Which venue.
    pub fn venue(&self) -> Arc<Venue> {
        Arc::clone(&reading(&self.0.venue))
    }

    /// Its zones, `main` first.
    pub fn zones(&self) -> Arc<[Zone]> {
        self.0.rooms.iter().map(|room| room.as_zone()).collect()
    }

    /// The zone meant where none is named.
    pub fn main_zone(&self) -> ZoneId {
        self.0.main_zone()
    }

    /// A zone by id.
    pub fn zone(&self, zone: ZoneId) -> Option<Zone> {
        self.0.room(zone).map(|room| room.as_zone())
    }

    /// When a zone's music is.
    pub fn hours(&self, zone: ZoneId) -> Option<OpenHoursView> {
        self.0.room(zone).map(|room| self.0.open_hours(room))
    }

    /// What a zone hears: the current value, then every change.
    pub fn now_playing(
        &self,
        zone: ZoneId,
    ) -> Result<watch::Receiver<Option<Arc<NowPlayingView>>>, UnknownZone> {
        Ok(self.room(zone)?.now_playing.subscribe())
    }

    /// What a zone wants.
    pub fn vibe(&self, zone: ZoneId) -> Result<watch::Receiver<Arc<VibeView>>, UnknownZone> {
        Ok(self.room(zone)?.vibe.subscribe())
    }

    /// What a zone hears next as things stand: at most 50, none where the licence hides it.
    pub fn up_next(&self, zone: ZoneId) -> Result<watch::Receiver<Arc<[Recommendation]>>, UnknownZone> {
        Ok(self.room(zone)?.up_next.subscribe())
    }

    /// All players.
    pub fn players(&self) -> watch::Receiver<Arc<[PlayerView]>> {
        self.0.players_shown.subscribe()
    }

    /// How the hub stands with the cloud.
    pub fn sync_status(&self) -> watch::Receiver<Arc<SyncStatusView>> {
        self.0.sync_status.subscribe()
    }

    /// The catalogue ranked for the zone's vibe, without draw or look-ahead: at most 50.
    pub async fn recommendations(
        &self,
        zone: ZoneId,
        first: usize,
    ) -> Result<Vec<Recommendation>, RecommendError> {
        Ok(self.0.recommend(self.room(zone)?, first.min(MOST_RECOMMENDED)).await?)
    }

    /// A song by id, withdrawn ones included.
    pub fn song(&self, song: SongId) -> Option<Arc<Song>> {
        self.0.library.get(song).map(|kept| kept.song)
    }

    /// The catalogue without withdrawn songs, by id.
    pub fn songs(&self) -> Arc<[Arc<Song>]> {
        Arc::clone(self.0.library.listed().songs())
    }

    /// The same songs with the orders in which lists of them are read.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.0.library.listed()
    }

    /// Whether a song's file is here.
    pub fn is_cached(&self, song: SongId) -> bool {
        self.0.library.get(song).is_some_and(|kept| kept.cached)
    }

    /// Who holds this token. Asking is a sign of life.
    pub fn viewer(&self, token: &str) -> Result<Viewer, NoViewer> {
        match self.holder(token) {
            Some(Holder::Here(viewer)) => Ok(viewer),
            Some(Holder::Gone(_)) => Err(NoViewer::Expired),
            None => Err(NoViewer::NotCheckedIn),
        }
    }

    /// Who holds this token, or held it until their visit ended. Asking is a sign of life.
    pub fn holder(&self, token: &str) -> Option<Holder> {
        locked(&self.0.people).holder(&hash(token), self.now())
    }

    /// Whether a session still counts (for sockets that stay open), without being a sign of life.
    pub fn is_active(&self, session: SessionId) -> bool {
        locked(&self.0.people).is_active(session, self.now())
    }

    /// Which terminal holds this token: what counts over plain HTTP.
    pub fn player_by_token(&self, token: &str) -> Option<PlayerId> {
        locked(&self.0.players).by_token(&hash(token), Way::Plain).map(|(player, _)| player)
    }

    /// Which player shows this secret on this way. The first time that a new secret is shown voids the one before.
    pub async fn player_showing(&self, token: &str, way: Way) -> Option<PlayerId> {
        self.0.player_showing(&hash(token), way).await
    }

    /// Whether anybody has ever made a manager's token.
    pub fn has_manager_token(&self) -> bool {
        locked(&self.0.manager).is_some()
    }

    /// Whether this is a manager's token.
    pub fn is_manager_token(&self, token: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        locked(&self.0.manager).as_ref().is_some_and(|manager| manager.hash.ct_eq(&hash(token)).into())
    }

    /// What is cancelled when this token opens nothing any more; `None` where it opens nothing now.
    pub fn lease(&self, token: &str, way: Way) -> Option<CancellationToken> {
        let token = hash(token);
        let manager =
            || locked(&self.0.manager).as_ref().filter(|key| key.hash == token).map(|key| key.void.clone());
        let player = || locked(&self.0.players).lease(&token, way);
        locked(&self.0.people).lease(&token).or_else(player).or_else(manager)
    }

    /// Which device a cookie belongs to.
    pub async fn device_from_cookie(&self, cookie: Option<&str>) -> Result<Option<DeviceId>, StoreError> {
        let Some(cookie) = cookie.map(hash) else { return Ok(None) };
        let device = self.0.store.read(move |conn| devices::by_cookie_hash(conn, &cookie)).await?;
        Ok(device.map(|device| device.id))
    }

    /// Brings a listener into a zone.
    pub async fn check_in(&self, input: Arrival) -> Result<CheckedIn, CheckInError> {
        self.0.check_in(input).await
    }

    /// Takes a listener out; their weight goes at once.
    pub async fn check_out(&self, viewer: &Viewer, key: IdempotencyKey) -> Result<Session, CheckOutError> {
        self.0.check_out(&self.as_now(viewer), key).await
    }

    /// Counts a like or dislike.
    pub async fn vote(&self, viewer: &Viewer, input: Opinion) -> Result<Voted, VoteError> {
        self.0.vote(&self.as_now(viewer), input).await
    }

    /// Counts a wish to leave the current song.
    pub async fn vote_to_skip(
        &self,
        viewer: &Viewer,
        key: IdempotencyKey,
    ) -> Result<Option<Arc<NowPlayingView>>, SkipError> {
        self.0.vote_to_skip(&self.as_now(viewer), key).await
    }

    /// A viewer's votes as they stand, newest first.
    pub fn viewer_votes(&self, viewer: &Viewer) -> Vec<Vote> {
        let people = locked(&self.0.people);
        let listener = people.listener(people.as_now(viewer).listener);
        let mut votes: Vec<Vote> =
            listener.map_or_else(Vec::new, |known| known.votes.values().copied().collect());
        votes.sort_unstable_by_key(|vote| std::cmp::Reverse((vote.hlc, vote.id)));
        votes
    }

    /// A viewer's vote for one song.
    pub fn viewer_vote(&self, viewer: &Viewer, song: SongId) -> Option<Vote> {
        let listener = self.as_now(viewer).listener;
        locked(&self.0.people).listener(listener)?.votes.get(&song).copied()
    }

    /// A viewer's taste, where their votes give it a direction.
    pub fn taste(&self, viewer: &Viewer) -> Option<[f64; AXES]> {
        let viewer = &self.as_now(viewer);
        let state = locked(&self.0.people).listener(viewer.listener)?.state;
        taste(&state, self.0.prior(viewer))
    }

    /// A viewer's session.
    pub fn session(&self, viewer: &Viewer) -> Option<Session> {
        locked(&self.0.people).session(viewer.session).cloned()
    }

    /// Takes the next song for a player's zone, with the look-ahead plan.
    pub async fn claim_next_song(
        &self,
        player: PlayerId,
        request: impl Into<ClaimRequest>,
    ) -> Result<Claim, ClaimError> {
        self.0.claim(player, request.into()).await
    }

    /// What a player's zone plays and the look-ahead plan, without taking anything.
    pub fn player_plan(&self, player: PlayerId) -> Option<Ahead> {
        self.0.plan_of(player)
    }

    /// Takes plays that a player tells of after they have ended, each once.
    pub async fn report_plays(
        &self,
        player: PlayerId,
        key: IdempotencyKey,
        late: Vec<LatePlay>,
    ) -> Result<LateTaken, LateError> {
        self.0.take_late_plays(player, key, late).await
    }

    /// The older plan's way: repeats the zone's pick until its length has passed or a report ended it.
    pub async fn next_song(&self, player: PlayerId) -> Result<Arc<PickView>, ClaimError> {
        self.0.next_song(player).await
    }

    /// Takes a player's heartbeat and what it plays.
    pub async fn report_playback(
        &self,
        player: PlayerId,
        key: Option<IdempotencyKey>,
        report: PlaybackReport,
    ) -> Result<PlayerView, ReportError> {
        self.0.report(player, key, report).await
    }

    /// Orders for one player: its volume and mode first, then each order; for a slow reader they end.
    pub fn player_commands(
        &self,
        player: PlayerId,
    ) -> impl Stream<Item = PlayerCommand> + Send + 'static + use<> {
        self.0.orders(player)
    }

    /// Gives a player an order. `Skip` moves its whole zone on.
    pub async fn command(
        &self,
        player: PlayerId,
        kind: PlayerCommandKind,
        volume: Option<f32>,
    ) -> Result<(), CommandError> {
        self.0.give_order(player, kind, volume).await
    }

    /// Gives a player an order of the manager's, once for each key.
    pub async fn order_once(
        &self,
        key: IdempotencyKey,
        player: PlayerId,
        kind: PlayerCommandKind,
        volume: Option<f32>,
    ) -> Result<PlayerView, CommandError> {
        self.0.order_once(key, player, kind, volume).await
    }

    /// Adds a player (`zone` by id, main where none is given); its token is shown this once.
    pub async fn add_player(
        &self,
        name: String,
        tag: Option<String>,
        zone: Option<ZoneId>,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let inner = Arc::clone(&self.0);
        self.0.whole(async move { inner.add_player(&name, tag, zone).await }).await
    }

    /// Another token for a player; the one before is void.
    pub async fn renew_player_token(&self, name: &str) -> Result<AddedPlayer, RenewTokenError> {
        self.0.renew_player_token(name).await
    }

    /// Takes a player out; whoever is connected with its secret is let go.
    pub async fn remove_player(&self, player: PlayerId) -> Result<Player, ChangePlayerError> {
        self.0.remove_player(player).await
    }

    /// Gives a player another name.
    pub async fn rename_player(&self, player: PlayerId, name: &str) -> Result<Player, ChangePlayerError> {
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        self.0.whole(async move { inner.rename_player(player, &name).await }).await
    }

    /// Another secret for a paired player, who shows the one that counts; that one counts until this one was shown.
    /// `None` where what it shows counts no longer.
    pub async fn offer_secret(&self, player: PlayerId, shown: &str) -> Result<Option<String>, StoreError> {
        self.0.offer_secret(player, hash(shown)).await
    }

    /// How every player is, by name.
    pub fn player_states(&self) -> Vec<PlayerState> {
        self.0.player_states()
    }

    /// A player by its name.
    pub fn player_named(&self, name: &str) -> Option<PlayerId> {
        locked(&self.0.players).by_name(name.trim()).map(|known| known.player.id)
    }

    /// Whether there is any terminal, which is a player that was not paired: its API is on once there is.
    pub fn has_terminals(&self) -> bool {
        locked(&self.0.players).all().any(|known| !known.player.paired)
    }

    /// A new manager's token; the one before is void.
    pub async fn mint_manager_token(&self) -> Result<String, StoreError> {
        let inner = Arc::clone(&self.0);
        let work = async move {
            let _alone = inner.changing_secrets.lock().await;
            let (token, hash) = new_token();
            inner.store.write(move |tx| hub_state::put(tx, hub_state::MANAGER, hash)).await?;
            *locked(&inner.manager) = Some(Key::new(hash));
            inner.managers.close_setup();
            Ok(token)
        };
        self.0.whole(work).await
    }

    /// What a zone's poster and screens show.
    pub fn room_code(&self, zone: ZoneId) -> Result<RoomCode, UnknownZone> {
        let required = self.room(zone)?.settings().require_rotating_code;
        Ok(reading(&self.0.codes).codes(zone, self.now(), required))
    }

    /// Makes a new poster code; posters that hang are void from now on.
    pub async fn renew_poster_code(&self) -> Result<(), StoreError> {
        let work = |tx: &crate::store::Tx<'_>| {
            let serial = hub_state::get::<i64>(tx, hub_state::POSTER)?.unwrap_or(0) + 1;
            hub_state::put(tx, hub_state::POSTER, serial)?;
            Ok(serial)
        };
        let hub = self.clone();
        let renewal = async move {
            let serial = hub.0.store.write(work).await?;
            *writing(&hub.0.codes) = CodeMaker::new(hub.secret("room codes"), serial.cast_unsigned());
            Ok(())
        };
        self.0.whole(renewal).await
    }

    /// Takes a song into the catalogue; its file is in the media folder already. It may be played at once.
    pub async fn add_song(&self, facts: SongFacts) -> Result<Added, StoreError> {
        self.0.add_song(facts).await
    }

    /// Takes a song out of the catalogue; its history stays. False where there is none.
    pub async fn withdraw_song(&self, song: SongId) -> Result<bool, StoreError> {
        self.0.withdraw_song(song).await
    }

    /// Rebuilds the index behind the running music. `add_song` and `withdraw_song` do so by themselves.
    pub fn songs_changed(&self) {
        self.0.mark_library_stale();
    }

    /// Looks for every song's file again, after files came or went behind the hub's back. Blocks.
    pub fn look_for_files(&self) {
        if self.0.library.look_for_all() {
            self.0.mark_library_stale();
        }
    }

    /// What it has counted since it started.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.0.data
    }

    /// Where media files live: `<here>/ab/ab12...`.
    pub fn media_dir(&self) -> PathBuf {
        self.0.library.media().to_owned()
    }

    /// A key for one purpose, derived from the hub's secret: the same after every restart.
    pub fn secret(&self, purpose: &str) -> [u8; 32] {
        derived(&self.0.secret, purpose)
    }

    fn room(&self, zone: ZoneId) -> Result<&Arc<ZoneRoom>, UnknownZone> {
        self.0.room(zone).ok_or(UnknownZone)
    }
}

/// A key for one purpose.
pub(crate) fn derived(secret: &[u8; 32], purpose: &str) -> [u8; 32] {
    blake3::derive_key(&format!("roomtone hub 2026 {purpose}"), secret)
}

#[cfg(test)]
pub(crate) mod tests;
