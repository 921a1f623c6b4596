//! The hub: one handle to the venue's room, which everything that speaks to the outside holds.
//!
//! What the room is stands in memory and is rebuilt from the store at start. Every change goes the same way: decide
//! on what is in memory, write the fact and its outbox row in one durable transaction, then change memory, then
//! publish. So an answer never says more than the disk knows. The use cases themselves live in their own files
//! (`check_in`, `voting`, `skipping`, `playing`, `programme`); this one opens the hub and answers what it knows.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::Stream;
use roomtone_schema::session::Session;
use roomtone_schema::song::{Song, SongFacts};
use roomtone_schema::venue::{Venue, Zone, ZoneSettings};
use roomtone_schema::vote::Vote;
use roomtone_schema::{
    AXES, Clock, DeviceId, HubId, IdempotencyKey, PlayerId, SessionId, SongId, UnixMillis, ZoneId,
};
use tokio::sync::watch;

use crate::check_in::{CheckInError, CheckInInput, CheckOutError, CheckedIn, NoViewer};
use crate::limits::LimitSettings;
use crate::playing::{AddPlayerError, AddedPlayer, Claim, ClaimError, CommandError, ReportError};
use crate::room_code::RoomCode;
use crate::skipping::SkipError;
use crate::store::{OpenError, StoreError};
use crate::view::{
    NowPlayingView, PickView, PlaybackReport, PlayerCommand, PlayerCommandKind, PlayerView, Recommendation,
    SyncStatusView, VibeView, Viewer,
};
use crate::voting::{VoteError, VoteInput, Voted};

/// What a hub is opened with: its folder and the venue's configuration.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The data folder.
    pub data: PathBuf,
    /// What people call the venue.
    pub venue_name: String,
    /// IANA name of the venue's time zone.
    pub time_zone: String,
    /// Zones by name with their settings; `main` is added where it is missing.
    pub zones: Vec<(String, ZoneSettings)>,
    /// How often one may do what.
    pub limits: LimitSettings,
}

/// The hub. Cheap to clone; all clones are the same hub.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {}

/// There is no such zone in this venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this venue has no such zone; leave zoneId out for the main one")]
pub struct UnknownZone;

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

/// Whether the hub does its work.
#[derive(Debug, Clone)]
pub struct Health {
    /// The hub's steady time.
    pub now: UnixMillis,
    /// Whether the wall clock agrees with it.
    pub clock_trusted: bool,
    /// Songs that may be played.
    pub playable_songs: u64,
    /// Songs of the catalogue, playable or not.
    pub total_songs: u64,
    /// People checked in, in all zones.
    pub active_listeners: u64,
    /// Players that have been heard of lately, and all of them.
    pub players_online: u64,
    /// Players known.
    pub players: u64,
    /// Facts that the cloud does not have yet.
    pub outbox: u64,
    /// Whether writes are refused (a full or failing disk).
    pub read_only: bool,
    /// Whether the exact index serves (false: it rebuilds, and vec0 does).
    pub index_ready: bool,
}

impl Hub {
    /// Opens the hub in its data folder and rebuilds the room from what is stored there.
    pub async fn open(options: HubOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let _ = (options, clock);
        todo!()
    }

    /// Keeps the room going: expiry, decay, players out of reach, the plan and what is published. Runs until it is
    /// dropped; the supervisor holds it.
    pub async fn conduct(&self) -> anyhow::Result<()> {
        todo!()
    }

    /// What `conduct` does each second; tests with a clock of their own call it themselves.
    pub async fn tick(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Brings vibe and plan up to date at once, instead of within the next moments.
    pub async fn settle(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Writes what is pending (last signs of life, the clean mark) and closes the store.
    pub async fn close(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// The store, for what is not the room's business: backup, metrics.
    pub fn store(&self) -> &crate::store::Store {
        todo!()
    }

    /// The steady time.
    pub fn now(&self) -> UnixMillis {
        todo!()
    }

    /// Which hub this is.
    pub fn id(&self) -> HubId {
        todo!()
    }

    /// Which venue.
    pub fn venue(&self) -> &Venue {
        todo!()
    }

    /// Its zones, `main` first.
    pub fn zones(&self) -> Arc<[Zone]> {
        todo!()
    }

    /// The zone meant where none is named.
    pub fn main_zone(&self) -> ZoneId {
        todo!()
    }

    /// A zone by id.
    pub fn zone(&self, zone: ZoneId) -> Option<Zone> {
        let _ = zone;
        todo!()
    }

    /// What a zone hears: the current value, then every change.
    pub fn now_playing(
        &self,
        zone: ZoneId,
    ) -> Result<watch::Receiver<Option<Arc<NowPlayingView>>>, UnknownZone> {
        let _ = zone;
        todo!()
    }

    /// What a zone wants.
    pub fn vibe(&self, zone: ZoneId) -> Result<watch::Receiver<Arc<VibeView>>, UnknownZone> {
        let _ = zone;
        todo!()
    }

    /// What a zone hears next as things stand: at most 50, none where the licence hides it.
    pub fn up_next(&self, zone: ZoneId) -> Result<watch::Receiver<Arc<[Recommendation]>>, UnknownZone> {
        let _ = zone;
        todo!()
    }

    /// All players.
    pub fn players(&self) -> watch::Receiver<Arc<[PlayerView]>> {
        todo!()
    }

    /// How the hub stands with the cloud.
    pub fn sync_status(&self) -> watch::Receiver<Arc<SyncStatusView>> {
        todo!()
    }

    /// The catalogue ranked for the zone's vibe, without draw or look-ahead.
    pub async fn recommendations(
        &self,
        zone: ZoneId,
        first: usize,
    ) -> Result<Vec<Recommendation>, UnknownZone> {
        let _ = (zone, first);
        todo!()
    }

    /// A song by id, withdrawn ones included.
    pub fn song(&self, song: SongId) -> Option<Arc<Song>> {
        let _ = song;
        todo!()
    }

    /// The catalogue without withdrawn songs, by id.
    pub fn songs(&self) -> Arc<[Arc<Song>]> {
        todo!()
    }

    /// Whether a song's file is here.
    pub fn is_cached(&self, song: SongId) -> bool {
        let _ = song;
        todo!()
    }

    /// Who holds this token. Asking is a sign of life.
    pub fn viewer(&self, token: &str) -> Result<Viewer, NoViewer> {
        let _ = token;
        todo!()
    }

    /// Whether a session still counts (for sockets that stay open), without being a sign of life.
    pub fn is_active(&self, session: SessionId) -> bool {
        let _ = session;
        todo!()
    }

    /// Which player holds this token.
    pub fn player_by_token(&self, token: &str) -> Option<PlayerId> {
        let _ = token;
        todo!()
    }

    /// Whether this is a manager's token.
    pub fn is_manager_token(&self, token: &str) -> bool {
        let _ = token;
        todo!()
    }

    /// Which device a cookie belongs to.
    pub fn device_from_cookie(&self, cookie: Option<&str>) -> Option<DeviceId> {
        let _ = cookie;
        todo!()
    }

    /// Brings a listener into a zone.
    pub async fn check_in(&self, input: CheckInInput) -> Result<CheckedIn, CheckInError> {
        let _ = input;
        todo!()
    }

    /// Takes a listener out; their weight goes at once.
    pub async fn check_out(&self, viewer: &Viewer, key: IdempotencyKey) -> Result<Session, CheckOutError> {
        let _ = (viewer, key);
        todo!()
    }

    /// Counts a like or dislike.
    pub async fn vote(&self, viewer: &Viewer, input: VoteInput) -> Result<Voted, VoteError> {
        let _ = (viewer, input);
        todo!()
    }

    /// Counts a wish to leave the current song.
    pub async fn vote_to_skip(
        &self,
        viewer: &Viewer,
        key: IdempotencyKey,
    ) -> Result<Option<Arc<NowPlayingView>>, SkipError> {
        let _ = (viewer, key);
        todo!()
    }

    /// A viewer's votes as they stand, newest first.
    pub fn viewer_votes(&self, viewer: &Viewer) -> Vec<Vote> {
        let _ = viewer;
        todo!()
    }

    /// A viewer's vote for one song.
    pub fn viewer_vote(&self, viewer: &Viewer, song: SongId) -> Option<Vote> {
        let _ = (viewer, song);
        todo!()
    }

    /// A viewer's taste, where their votes give it a direction.
    pub fn taste(&self, viewer: &Viewer) -> Option<[f64; AXES]> {
        let _ = viewer;
        todo!()
    }

    /// A viewer's session.
    pub fn session(&self, viewer: &Viewer) -> Option<Session> {
        let _ = viewer;
        todo!()
    }

    /// Takes the next song for a player's zone, with the look-ahead plan.
    pub async fn claim_next_song(&self, player: PlayerId, key: IdempotencyKey) -> Result<Claim, ClaimError> {
        let _ = (player, key);
        todo!()
    }

    /// The older plan's way: repeats the zone's pick until its length has passed or a report ended it.
    pub async fn next_song(&self, player: PlayerId) -> Result<Arc<PickView>, ClaimError> {
        let _ = player;
        todo!()
    }

    /// Takes a player's heartbeat and what it plays.
    pub async fn report_playback(
        &self,
        player: PlayerId,
        key: Option<IdempotencyKey>,
        report: PlaybackReport,
    ) -> Result<PlayerView, ReportError> {
        let _ = (player, key, report);
        todo!()
    }

    /// Orders for one player, from now on; a slow reader loses the oldest.
    pub fn player_commands(
        &self,
        player: PlayerId,
    ) -> impl Stream<Item = PlayerCommand> + Send + 'static + use<> {
        let _ = player;
        futures_util::stream::empty()
    }

    /// Gives a player an order.
    pub async fn command(
        &self,
        player: PlayerId,
        kind: PlayerCommandKind,
        volume: Option<f32>,
    ) -> Result<(), CommandError> {
        let _ = (player, kind, volume);
        todo!()
    }

    /// Adds a player (`zone` by id, main where none is given); its token is shown this once.
    pub async fn add_player(
        &self,
        name: String,
        tag: Option<String>,
        zone: Option<ZoneId>,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let _ = (name, tag, zone);
        todo!()
    }

    /// Whether there is any player: the terminal API is on once there is.
    pub fn has_players(&self) -> bool {
        todo!()
    }

    /// A new manager's token; the one before is void.
    pub async fn mint_manager_token(&self) -> Result<String, StoreError> {
        todo!()
    }

    /// What a zone's poster and screens show.
    pub fn room_code(&self, zone: ZoneId) -> Result<RoomCode, UnknownZone> {
        let _ = zone;
        todo!()
    }

    /// Makes a new poster code; posters that hang are void from now on.
    pub async fn renew_poster_code(&self) -> Result<(), StoreError> {
        todo!()
    }

    /// Takes a song into the catalogue; its file is in the media folder already.
    pub async fn add_song(&self, facts: SongFacts) -> Result<Added, StoreError> {
        let _ = facts;
        todo!()
    }

    /// Takes a song out of the catalogue; its history stays. False where there is none.
    pub async fn withdraw_song(&self, song: SongId) -> Result<bool, StoreError> {
        let _ = song;
        todo!()
    }

    /// Reads the catalogue again and rebuilds the index behind the running music. `add_song` does so by itself.
    pub fn songs_changed(&self) {
        todo!()
    }

    /// Whether the hub does its work.
    pub fn health(&self) -> Health {
        todo!()
    }

    /// What it has counted since it started.
    pub fn counters(&self) -> &crate::counters::Counters {
        todo!()
    }

    /// Where media files live: `<here>/ab/ab12...`.
    pub fn media_dir(&self) -> PathBuf {
        todo!()
    }

    /// A key for one purpose, derived from the hub's secret: the same after every restart.
    pub fn secret(&self, purpose: &str) -> [u8; 32] {
        let _ = purpose;
        todo!()
    }
}
