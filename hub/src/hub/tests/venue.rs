//! A venue for tests.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::player::PlayerStatus;
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, Sha256, SongFacts};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{
    AXES, Clock, Embedding, EmbeddingVersion, IdempotencyKey, ManualClock, PlayerId, SongId, UnixMillis,
};

use crate::check_in::CheckInError;
use crate::hub::{Added, Hub, HubOptions};
use crate::library::media_path;
use crate::limits::LimitSettings;
use crate::playing::{AddedPlayer, Claim};
use crate::secrets::new_id;
use crate::view::{NowPlayingView, PlaybackReport, Recommendation, VibeView, Viewer};
use crate::voting::VoteError;
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};

/// A Sunday noon in 2026.
pub(crate) const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

/// How long every test song is, unless a test says otherwise.
pub(crate) const SONG: Duration = Duration::from_mins(3);

pub(crate) struct Venue {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) options: HubOptions,
    pub(crate) songs: Vec<SongId>,
    folder: Arc<tempfile::TempDir>,
}

impl Venue {
    pub(crate) async fn empty() -> Self {
        Self::with(|_| {}).await
    }

    /// A venue whose options a test changes before it opens.
    pub(crate) async fn with(change: impl FnOnce(&mut HubOptions)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut options = HubOptions {
            data: folder.path().to_owned(),
            venue_name: "Café Resonance".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            zones: vec![("main".to_owned(), ZoneSettings { crossfade_ms: 0, ..ZoneSettings::default() })],
            licence: roomtone_schema::licence::Licence::default(),
            limits: LimitSettings::default(),
        };
        change(&mut options);
        let clock = Arc::new(ManualClock::at(NOON));
        let hub = Hub::open(options.clone(), clock.clone()).await.unwrap();
        Self { hub, clock, options, songs: Vec::new(), folder }
    }

    pub(crate) async fn with_songs(n: usize) -> Self {
        Self::empty().await.and_songs(n).await
    }

    pub(crate) async fn and_songs(mut self, n: usize) -> Self {
        let mut chance = Seeded::new(7);
        for _ in 0..n {
            let values = std::array::from_fn(|_| (chance.next_share() * 2.0 - 1.0) as f32);
            self.add(Some(values)).await;
        }
        self.hub.settle().await;
        self
    }

    /// Adds a song that points to `values`.
    pub(crate) async fn add(&mut self, values: Option<[f32; AXES]>) -> SongId {
        let facts = self.facts(values);
        self.add_facts(facts).await
    }

    pub(crate) async fn add_facts(&mut self, facts: SongFacts) -> SongId {
        let path = media_path(&self.hub.media_dir(), facts.sha256);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"a song").unwrap();
        let added = self.hub.add_song(facts).await.unwrap();
        let (Added::New(id) | Added::Known(id) | Added::Restored(id)) = added;
        self.songs.push(id);
        id
    }

    pub(crate) fn facts(&self, values: Option<[f32; AXES]>) -> SongFacts {
        let n = self.songs.len();
        let mut sha256 = [0; 32];
        sha256[..8].copy_from_slice(&(n as u64).to_be_bytes());
        SongFacts {
            title: format!("Song {n}"),
            artist: Some(format!("Artist {n}")),
            album: None,
            isrc: None,
            label: None,
            explicit: Explicit::Unknown,
            kind: None,
            duration_ms: SONG.as_millis() as u32,
            bpm: None,
            pulse_clarity: 0.0,
            key: None,
            key_strength: 0.0,
            loudness_lufs: Some(-16.0),
            true_peak_dbtp: Some(-3.0),
            cue_in_ms: 0,
            cue_out_ms: SONG.as_millis() as u32,
            embedding: values.map(|values| Embedding::new(values).unwrap()),
            embedding_version: EmbeddingVersion::DESC_V1,
            sha256: Sha256(sha256),
            bytes: 6,
            content_type: "audio/ogg".to_owned(),
        }
    }

    /// Stops the hub and starts it again on the same data.
    pub(crate) async fn restart(mut self) -> Self {
        self.hub.close().await.unwrap();
        let Self { clock, options, songs, folder, .. } = self;
        // A new process counts its monotonic time from another point.
        let clock = Arc::new(ManualClock::at(clock.wall()));
        self.hub = Hub::open(options.clone(), clock.clone()).await.unwrap();
        Self { hub: self.hub, clock, options, songs, folder }
    }

    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            key: key(),
            code: self.hub.room_code(self.hub.main_zone()).unwrap().poster,
            zone: None,
            display_name: None,
            device_cookie: None,
            address: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7))),
        }
    }

    pub(crate) async fn try_check_in(
        &self,
        change: impl FnOnce(&mut Arrival),
    ) -> Result<CheckedIn, CheckInError> {
        let mut input = self.arrival();
        change(&mut input);
        self.hub.check_in(input).await
    }

    /// Somebody on a phone of their own, without the limit on new phones.
    pub(crate) async fn check_in(&self, name: &str) -> Viewer {
        let checked_in = self
            .try_check_in(|input| {
                input.address = None;
                input.display_name = Some(name.to_owned());
            })
            .await
            .unwrap();
        self.hub.viewer(&checked_in.token).unwrap()
    }

    pub(crate) async fn vote(
        &self,
        viewer: &Viewer,
        song: SongId,
        value: VoteValue,
    ) -> Result<Voted, VoteError> {
        self.hub.vote(viewer, Opinion { key: key(), song, value }).await
    }

    pub(crate) async fn player(&self, name: &str) -> AddedPlayer {
        self.hub.add_player(name.to_owned(), None, None).await.unwrap()
    }

    pub(crate) async fn claim(&self, player: PlayerId) -> Claim {
        self.hub.claim_next_song(player, key()).await.unwrap()
    }

    /// A player plays its zone's songs to their ends, one after the other.
    pub(crate) async fn plays(&self, player: PlayerId, songs: usize) -> Vec<SongId> {
        let mut heard = Vec::new();
        for _ in 0..songs {
            let pick = self.claim(player).await.pick;
            heard.push(pick.song.id);
            self.pass(Duration::from_millis(u64::from(pick.song.facts.duration_ms))).await;
        }
        heard
    }

    /// Time passes, and the hub does what it does by itself.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.hub.tick().await.unwrap();
        self.hub.settle().await;
    }

    pub(crate) fn vibe(&self) -> Arc<VibeView> {
        self.hub.vibe(self.hub.main_zone()).unwrap().borrow().clone()
    }

    pub(crate) fn up_next(&self) -> Arc<[Recommendation]> {
        self.hub.up_next(self.hub.main_zone()).unwrap().borrow().clone()
    }

    pub(crate) fn now_playing(&self) -> Option<Arc<NowPlayingView>> {
        self.hub.now_playing(self.hub.main_zone()).unwrap().borrow().clone()
    }

    /// How long songs rest here.
    pub(crate) fn rest(&self) -> Duration {
        crate::locks::reading(&self.hub.0.rooms[0].order).rest_window()
    }
}

/// A new key.
pub(crate) fn key() -> IdempotencyKey {
    new_id(NOON)
}

/// A heartbeat of somebody who plays.
pub(crate) fn active() -> PlaybackReport {
    PlaybackReport { status: PlayerStatus::Active, ..PlaybackReport::default() }
}

/// Along one axis.
pub(crate) fn along(axis: usize, sign: f32) -> [f32; AXES] {
    std::array::from_fn(|at| if at == axis { sign } else { 0.05 * (at as f32 - 2.0) })
}
