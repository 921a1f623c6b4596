//! A zone as it is right now: what plays, what comes next, what it has heard.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use roomtone_schema::licence::HeardLog;
use roomtone_schema::look_ahead::Planned;
use roomtone_schema::pick::ArtistLog;
use roomtone_schema::play::Tier;
use roomtone_schema::replay::Figures;
use roomtone_schema::song::Song;
use roomtone_schema::venue::{Zone, ZoneSettings};
use roomtone_schema::{ListenerId, PickId, PlayerId, SongId, UnixMillis, ZoneId};
use tokio::sync::watch;

use crate::in_force::InForce;
use crate::index::ZoneOrder;
use crate::locks::{locked, reading, writing};
use crate::view::{NowPlayingView, PickView, Recommendation, VibeView};

/// So many past picks are kept at hand, for players that ask again or report late.
const REMEMBERED_PICKS: usize = 32;

/// A song that has been over for so long, without anybody asking for the next, is no longer what plays.
const LINGERS: Duration = Duration::from_secs(15);

/// A licence counts skips by the hour.
pub(crate) const SKIPS_ARE_KEPT: Duration = Duration::from_hours(1);

/// How people fared, by day.
pub(crate) type DaysTold = Vec<(i32, Figures)>;

/// What plays, what the zone wants, and what comes next.
pub(crate) type Shown = (
    watch::Receiver<Option<Arc<NowPlayingView>>>,
    watch::Receiver<Arc<VibeView>>,
    watch::Receiver<Arc<[Recommendation]>>,
);

/// A zone with everything that changes in it.
#[derive(Debug)]
pub(crate) struct ZoneRoom {
    pub(crate) zone: Which,
    /// As configured and as the cloud has told, before the hour has its say.
    own: RwLock<Arc<ZoneSettings>>,
    in_force: RwLock<Arc<InForce>>,
    /// How people fared by day, as the cloud was told last, and when that was counted.
    pub(crate) days_told: Mutex<Option<(UnixMillis, DaysTold)>>,
    /// The volume that its players were last turned to by the hour.
    pub(crate) turned_to: Mutex<Option<u8>>,
    pub(crate) seed: u64,
    pub(crate) stage: Mutex<Stage>,
    /// The exact index in this zone's order.
    pub(crate) order: RwLock<ZoneOrder>,
    /// Held while the zone moves on to another song: one at a time.
    pub(crate) advancing: tokio::sync::Mutex<()>,
    pub(crate) now_playing: watch::Sender<Option<Arc<NowPlayingView>>>,
    pub(crate) vibe: watch::Sender<Arc<VibeView>>,
    pub(crate) up_next: watch::Sender<Arc<[Recommendation]>>,
    stirred: AtomicBool,
}

/// Which zone it is.
#[derive(Debug, Clone)]
pub(crate) struct Which {
    pub(crate) id: ZoneId,
    pub(crate) name: String,
}

/// What plays and what comes.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) current: Option<Current>,
    pub(crate) plan: VecDeque<Upcoming>,
    /// How many picks the zone has made.
    pub(crate) counter: u64,
    pub(crate) played: HashMap<SongId, UnixMillis>,
    pub(crate) artists: ArtistLog,
    /// What was heard in the last hours, as a licence counts it.
    pub(crate) log: HeardLog,
    /// When it was skipped in the last hour.
    pub(crate) skips: VecDeque<UnixMillis>,
    /// The next song that players were told of, and when.
    pub(crate) told: Option<(SongId, UnixMillis)>,
    pub(crate) recent: VecDeque<Arc<PickView>>,
}

/// A song of the look-ahead plan.
#[derive(Debug, Clone)]
pub(crate) struct Upcoming {
    pub(crate) planned: Arc<Planned>,
    pub(crate) view: Arc<PickView>,
}

/// What plays.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) pick: Arc<PickView>,
    /// Who advanced to it.
    pub(crate) player: PlayerId,
    /// Who has been given it.
    pub(crate) given_to: BTreeSet<PlayerId>,
    pub(crate) started_at: UnixMillis,
    pub(crate) position_ms: u32,
    pub(crate) as_of: UnixMillis,
    /// Somebody ended it before its length had passed, or its player said it was done.
    pub(crate) over: bool,
    /// Everybody who wants to skip it, also those who have left since.
    pub(crate) skip_votes: HashSet<ListenerId>,
    pub(crate) tier: Tier,
}

impl ZoneRoom {
    pub(crate) fn new(zone: Zone, seed: u64, in_force: InForce, order: ZoneOrder, vibe: VibeView) -> Self {
        let Zone { id, name, settings } = zone;
        Self {
            zone: Which { id, name },
            own: RwLock::new(Arc::new(settings)),
            in_force: RwLock::new(Arc::new(in_force)),
            days_told: Mutex::default(),
            turned_to: Mutex::default(),
            seed,
            stage: Mutex::default(),
            order: RwLock::new(order),
            advancing: tokio::sync::Mutex::new(()),
            now_playing: watch::Sender::new(None),
            vibe: watch::Sender::new(Arc::new(vibe)),
            up_next: watch::Sender::new(Arc::from([])),
            stirred: AtomicBool::new(true),
        }
    }

    /// How the zone behaves, as of now: the hour changes it, and a manager may while it plays.
    pub(crate) fn settings(&self) -> Arc<ZoneSettings> {
        Arc::clone(&reading(&self.in_force).settings)
    }

    /// What holds in it now.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&reading(&self.in_force))
    }

    /// Works out what holds in it at `now`: what held before and what holds, where that is not the same.
    pub(crate) fn mind_the_hour(
        &self,
        now: UnixMillis,
        venue: &TimeZone,
    ) -> Option<(Arc<InForce>, Arc<InForce>)> {
        let holds = Arc::new(InForce::at(&reading(&self.own), now, venue));
        let mut kept = writing(&self.in_force);
        if *kept == holds {
            return None;
        }
        Some((std::mem::replace(&mut *kept, Arc::clone(&holds)), holds))
    }

    /// Lets it behave otherwise; whether that is another way.
    pub(crate) fn behave(&self, settings: ZoneSettings) -> bool {
        let mut kept = writing(&self.own);
        let is_other = **kept != settings;
        if is_other {
            *kept = Arc::new(settings);
        }
        is_other
    }

    /// The zone as it is now.
    pub(crate) fn as_zone(&self) -> Zone {
        let Which { id, name } = self.zone.clone();
        Zone { id, name, settings: (*self.settings()).clone() }
    }

    /// What it shows, for whoever wants to know of each change.
    pub(crate) fn shown(&self) -> Shown {
        (self.now_playing.subscribe(), self.vibe.subscribe(), self.up_next.subscribe())
    }

    /// Says that vibe and plan may be out of date.
    pub(crate) fn stir(&self) {
        self.stirred.store(true, Ordering::Release);
    }

    /// Whether they may be, and resets it.
    pub(crate) fn take_stirred(&self) -> bool {
        self.stirred.swap(false, Ordering::AcqRel)
    }

    /// Whether they may be.
    pub(crate) fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }

    /// Overlap of two songs.
    pub(crate) fn crossfade(&self) -> Duration {
        Duration::from_millis(u64::from(self.settings().crossfade_ms))
    }

    /// What plays, if it does.
    pub(crate) fn current(&self) -> Option<Current> {
        locked(&self.stage).current.clone()
    }
}

impl Stage {
    /// Moves on to a song that has just been decided. Whether the plan goes on from it; else it was made for another one, and
    /// serves until the next.
    pub(crate) fn play(&mut self, current: Current) -> bool {
        let song = &current.pick.song;
        self.counter += 1;
        self.played.insert(song.id, current.started_at);
        self.artists.hear(song, current.started_at);
        self.log.hear(song, current.started_at);
        self.recent.push_front(Arc::clone(&current.pick));
        self.recent.truncate(REMEMBERED_PICKS);
        let place = self.plan.iter().position(|upcoming| upcoming.view.song.id == song.id);
        // Also where it comes later: who holds such a plan would hear it again too soon.
        place.and_then(|place| self.plan.remove(place));
        self.current = Some(current);
        place == Some(0)
    }

    /// Takes out of the plan what a player has passed over.
    pub(crate) fn pass_over_to(&mut self, pick: PickId) {
        let place = self.plan.iter().position(|upcoming| upcoming.view.id == pick);
        self.plan.drain(..place.unwrap_or(0));
    }

    /// Notes that the zone heard a song at some time that lies behind.
    pub(crate) fn heard(&mut self, song: &Song, at: UnixMillis) {
        let last = self.played.entry(song.id).or_insert(at);
        *last = at.max(*last);
        self.artists.hear(song, at);
        self.log.hear(song, at);
    }

    /// Notes that a song was skipped.
    pub(crate) fn skipped(&mut self, at: UnixMillis) {
        self.skips.retain(|before| at.since(*before) < SKIPS_ARE_KEPT);
        self.skips.push_back(at);
    }

    /// A pick that was made lately, is planned, or plays.
    pub(crate) fn pick(&self, pick: PickId) -> Option<Arc<PickView>> {
        let planned = self.plan.iter().map(|upcoming| &upcoming.view);
        self.recent.iter().chain(planned).find(|view| view.id == pick).cloned()
    }

    /// Puts a pick back into memory after a restart.
    pub(crate) fn remember(&mut self, pick: Arc<PickView>) {
        self.recent.push_back(pick);
    }
}

impl Current {
    /// A song that begins now, and is to be given to `player` first.
    pub(crate) fn begin(pick: Arc<PickView>, player: PlayerId, now: UnixMillis) -> Self {
        Self {
            pick,
            player,
            given_to: BTreeSet::new(),
            started_at: now,
            position_ms: 0,
            as_of: now,
            over: false,
            skip_votes: HashSet::new(),
            tier: Tier::Hub,
        }
    }

    /// Where in the song the zone is at `now`, as far as anybody knows.
    pub(crate) fn position(&self, now: UnixMillis) -> Duration {
        Duration::from_millis(u64::from(self.position_ms)) + now.since(self.as_of)
    }

    /// Whether its length has passed or somebody ended it.
    pub(crate) fn is_over(&self, now: UnixMillis) -> bool {
        self.over || self.position(now) >= length(&self.pick.song)
    }

    /// Whether it is long over and nobody has asked for another.
    pub(crate) fn has_faded(&self, now: UnixMillis) -> bool {
        self.position(now) >= length(&self.pick.song) + LINGERS
    }

    /// When the next song would begin.
    pub(crate) fn next_begins(&self, crossfade: Duration, now: UnixMillis) -> UnixMillis {
        if self.over {
            return now;
        }
        let left =
            sounding_until(&self.pick.song).saturating_sub(crossfade).saturating_sub(self.position(now));
        now + left
    }
}

/// A song's whole length.
pub(crate) fn length(song: &Song) -> Duration {
    Duration::from_millis(u64::from(song.facts.duration_ms))
}

fn sounding_until(song: &Song) -> Duration {
    let cue = Duration::from_millis(u64::from(song.facts.cue_out_ms));
    if cue.is_zero() { length(song) } else { cue.min(length(song)) }
}
