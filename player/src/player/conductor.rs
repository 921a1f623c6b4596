//! The one who knows what the player is doing: hears the sound, the hub and the files, and says what comes next.
//!
//! All state is here and belongs to one task; everybody else sends it news and it waits for nobody. Questions to the
//! hub are errands that bring back news. What comes next is [`Queue`]'s to decide; that it is in the engine's hands
//! long before it is needed is decided in one place ([`Conductor::steer`]), after every piece of news.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::player::{PlayerMode, PlayerStatus};
use roomtone_schema::song::Sha256;
use roomtone_schema::view::PlayerCommandKind;
use roomtone_schema::{IdempotencyKey, PlayId, UnixMillis};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::view::{HubState, View, title_of};
use crate::engine::{Command, Engine, Event, Track};
use crate::files::Files;
use crate::hours::Told;
use crate::hub_client::{Claimed, HubClient, LateTaken, LinkError, Order};
use crate::identity::Identity;
use crate::journal::{Ended, Journal, Record};
use crate::pick::Pick;
use crate::place::{Place, SongPlace};
use crate::queue::{Chosen, Queue, Shelf, is_same};
use crate::stamp::Stamps;

mod claims;
mod keeping;
mod reports;
mod showing;

/// Between two looks at the sound: how old a status line may be.
const LOOK: Duration = Duration::from_millis(250);

/// A change of what the zone hears is turned to at once while the song here has only just begun; later it waits for
/// the song's end.
const JUST_BEGUN: Duration = Duration::from_secs(15);

/// How long a player with nothing to play waits for the file of the zone's own song, before it begins another and the
/// zone moves on with it.
const WAITS_FOR_THE_ZONE_MS: i64 = 5_000;

/// So many plays that the engine was told of are remembered: it holds two at a time.
const ANNOUNCED: usize = 16;

/// 2026-01-01 and twenty years later: a clock outside is wrong.
const BELIEVABLE: std::ops::Range<UnixMillis> =
    UnixMillis(1_767_225_600_000)..UnixMillis(1_767_225_600_000 + 20 * 365 * 86_400_000);

/// What the conductor is told.
#[derive(Debug)]
pub(super) enum News {
    /// Whom this player belongs to.
    Identity(Option<Identity>),
    /// The hub is in reach.
    Linked(HubClient),
    /// It is not, or not any more.
    Away(HubState),
    /// Somebody pretends to be the hub.
    Rogue(Option<String>),
    /// The hub wants something.
    Order(Order),
    /// A file has come.
    Arrived,
    /// What an errand brought back.
    Back(u64, Errand),
}

/// What a question to the hub was answered with.
#[derive(Debug)]
pub(super) enum Errand {
    Claimed(PlayId, Result<Claimed, LinkError>),
    Plan(Result<Claimed, LinkError>),
    Reported(Uuid, Result<(), LinkError>),
    Told(Vec<PlayId>, Result<LateTaken, LinkError>),
}

impl Errand {
    /// Whether nobody answered.
    fn hub_was_silent(&self) -> bool {
        let error = match self {
            Self::Claimed(_, answer) | Self::Plan(answer) => answer.as_ref().err(),
            Self::Reported(_, answer) => answer.as_ref().err(),
            Self::Told(_, answer) => answer.as_ref().err(),
        };
        matches!(error, Some(LinkError::Unreachable(_)))
    }
}

/// A play that the engine was told of.
#[derive(Debug, Clone)]
struct Announced {
    play: PlayId,
    chosen: Chosen,
    /// Heard of it before this program began.
    heard_before: Duration,
}

/// What sounds.
#[derive(Debug, Clone)]
struct Current {
    announced: Announced,
    /// Whether the zone has been told.
    claimed: bool,
}

/// What it works with.
pub(super) struct Parts {
    pub(super) data: PathBuf,
    pub(super) name: String,
    pub(super) stamps: Stamps,
    pub(super) engine: Engine,
    pub(super) sounds: mpsc::UnboundedReceiver<Event>,
    pub(super) files: Arc<Files>,
    pub(super) journal: Journal,
    pub(super) place: Option<Place>,
    pub(super) plan: Vec<Pick>,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) shown: watch::Sender<View>,
    /// Every file that should be here, the most urgent first.
    pub(super) wanted: watch::Sender<Vec<Pick>>,
    /// Tells the link that the hub may be gone.
    pub(super) doubt: Arc<Notify>,
}

/// See the module.
pub(super) struct Conductor {
    parts: Parts,
    queue: Queue,
    mode: PlayerMode,
    /// When there is to be music, as the hub told last.
    hours: Option<Told>,
    /// Whether it is outside of them, and was taken notice of.
    closed: bool,
    volume: f32,
    hub: HubState,
    client: Option<HubClient>,
    identity: Option<Identity>,
    rogue: Option<String>,
    announced: VecDeque<Announced>,
    /// What the engine plays after the current song.
    prepared: Option<PlayId>,
    /// What the engine was told to turn to, until it has.
    turning_to: Option<PlayId>,
    current: Option<Current>,
    /// A song that was left by a pause before this program began.
    held: Option<SongPlace>,
    /// The zone wants another song now.
    turn: bool,
    /// Since when nothing sounds that should, in milliseconds since boot.
    idle_since_ms: Option<i64>,
    /// What is shown of the disk and of what comes, as of the last look at it.
    outlook: showing::Outlook,
    claims: claims::Claims,
    keeping: keeping::Keeping,
    reports: reports::Reports,
    errands: JoinSet<(u64, Errand)>,
    /// Counts links, so that what an old one could not do says nothing about this one.
    links: u64,
}

/// The files as the queue asks for them.
struct OnDisk<'a>(&'a Files);

impl Shelf for OnDisk<'_> {
    fn has(&self, sha256: &Sha256) -> bool {
        self.0.has(sha256)
    }

    fn cached(&self) -> Vec<Pick> {
        self.0.known()
    }
}

impl Conductor {
    pub(super) fn new(parts: Parts) -> Self {
        let place = parts.place.as_ref();
        let (mode, volume) = place.map_or((PlayerMode::Playing, 1.0), |place| (place.mode, place.volume));
        let mut queue = Queue::default();
        queue.plan_is(None, parts.plan.clone());
        Self {
            queue,
            mode,
            hours: Told::load(&parts.data),
            closed: false,
            volume,
            hub: HubState::Searching,
            client: None,
            identity: None,
            rogue: None,
            announced: VecDeque::new(),
            prepared: None,
            turning_to: None,
            current: None,
            held: None,
            turn: false,
            idle_since_ms: None,
            outlook: showing::Outlook::default(),
            claims: claims::Claims::default(),
            keeping: keeping::Keeping::load(&parts.data),
            reports: reports::Reports::new(parts.place.as_ref().map(|place| place.at.clone()), mode),
            errands: JoinSet::new(),
            links: 0,
            parts,
        }
    }

    /// Keeps the music going until told to stop. Then what sounds is left where it is: whoever starts next goes on there.
    pub(super) async fn conduct(mut self, stop: CancellationToken) {
        self.begin();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                sound = self.parts.sounds.recv() => match sound {
                    Some(sound) => self.hear(sound),
                    None => break,
                },
                Some(news) = self.parts.news.recv() => self.learn(news),
                Some(back) = self.errands.join_next() => match back {
                    Ok((link, errand)) => self.learn(News::Back(link, errand)),
                    Err(error) => tracing::error!("an errand to the hub failed: {error}"),
                },
                _ = looks.tick() => self.look(),
            }
        }
        self.save_place();
    }

    /// Takes up what the last run left.
    fn begin(&mut self) {
        let now = self.parts.stamps.now();
        let left = self.parts.place.as_ref().and_then(|place| place.to_take_up(&now)).cloned();
        let left = left.filter(|song| self.parts.files.has(&song.pick.sha256));
        let taken_up = left.as_ref().map(|song| song.play);
        self.close_open_plays(taken_up);
        self.closed = !self.is_open();
        match left {
            Some(song) if self.is_to_play() => self.take_up(&song),
            left => self.held = left,
        }
        self.steer();
    }

    /// Ends what a killed player could not.
    fn close_open_plays(&mut self, but: Option<PlayId>) {
        let place = self
            .parts
            .place
            .as_ref()
            .and_then(|place| place.song.clone().map(|song| (song, place.at.clone())));
        let open: Vec<PlayId> = self.parts.journal.open_plays().map(|record| record.play).collect();
        for play in open.into_iter().filter(|play| Some(*play) != but) {
            let known = place.as_ref().filter(|(song, _)| song.play == play);
            let heard_ms = known.map_or(0, |(song, _)| u32::try_from(song.heard_ms).unwrap_or(u32::MAX));
            let at = known.map_or_else(|| self.parts.stamps.now(), |(_, at)| at.clone());
            self.write(|journal| journal.ended(play, Ended { at, end: PlayEnd::Stopped, heard_ms }));
        }
    }

    fn take_up(&mut self, song: &SongPlace) {
        let chosen = Chosen { pick: song.pick.clone(), tier: song.tier };
        let heard_before = Duration::from_millis(song.heard_ms);
        let from = Duration::from_millis(song.position_ms);
        let track = self.announce(Announced { play: song.play, chosen, heard_before }, Some(from));
        self.turning_to = Some(song.play);
        self.parts.engine.send(Command::Play(track));
    }

    fn hear(&mut self, sound: Event) {
        match sound {
            Event::Started { play } => self.started(play),
            Event::Ended { play, end, heard, why } => self.ended(play, end, heard, why.as_deref()),
            Event::Dry => {
                if self.is_to_play() && self.turning_to.is_none() {
                    tracing::warn!(
                        "there is nothing to play: no song of the plan or the cache is on this disk"
                    );
                }
            }
            Event::Output { trouble: Some(trouble) } => {
                tracing::warn!(
                    "the output does not play: {trouble}. The player keeps trying; the song holds its place."
                );
            }
            Event::Output { trouble: None } => tracing::info!("the output plays"),
        }
        self.steer();
    }

    fn started(&mut self, play: PlayId) {
        let Some(announced) = self.announced.iter().find(|known| known.play == play).cloned() else { return };
        self.prepared = self.prepared.filter(|prepared| *prepared != play);
        self.turning_to = self.turning_to.filter(|turning| *turning != play);
        let pick = announced.chosen.pick.clone();
        self.queue.began(&pick);
        self.parts.files.played(&pick.sha256);
        // So that a restart without the hub goes on behind this song.
        super::plan::save(&self.parts.data, self.queue.plan());
        let began = self.parts.stamps.now();
        let Chosen { tier, .. } = announced.chosen;
        let record = Record { play, song: pick.song, pick: pick.pick, tier, began, ended: None };
        self.write(|journal| journal.began(record));
        tracing::info!(song.id = %pick.song, "plays {} ({})", titled(&pick), tier_word(tier));
        self.current = Some(Current { announced, claimed: false });
        self.outlook.is_old();
        self.reports.hurry();
    }

    fn ended(&mut self, play: PlayId, end: PlayEnd, heard: Duration, why: Option<&str>) {
        let announced = self.announced.iter().find(|known| known.play == play).cloned();
        self.announced.retain(|known| known.play != play);
        self.prepared = self.prepared.filter(|prepared| *prepared != play);
        self.turning_to = self.turning_to.filter(|turning| *turning != play);
        let Some(announced) = announced else { return };
        let pick = &announced.chosen.pick;
        if end == PlayEnd::Failed {
            let why = why.unwrap_or("it could not be read");
            tracing::warn!(song.id = %pick.song, "{} cannot be played ({why}); another song takes its place", titled(pick));
            // A copy that is damaged is mended by the hub; a file that is no music, or a disk that hangs, is not.
            if self.queue.broke(pick) == 1
                && self.client.is_some()
                && let Err(error) = self.parts.files.discard(&pick.sha256)
            {
                tracing::debug!("it could not be removed: {error}");
            }
        } else if end == PlayEnd::Finished {
            self.queue.healed(pick);
        }
        let at = self.parts.stamps.now();
        if self.parts.journal.get(play).is_none() {
            let Chosen { tier, .. } = announced.chosen;
            let record =
                Record { play, song: pick.song, pick: pick.pick, tier, began: at.clone(), ended: None };
            self.write(|journal| journal.began(record));
        }
        let heard_ms = u32::try_from((announced.heard_before + heard).as_millis()).unwrap_or(u32::MAX);
        self.write(|journal| journal.ended(play, Ended { at, end, heard_ms }));
        if self.current.as_ref().is_some_and(|current| current.announced.play == play) {
            self.current = None;
            self.queue.silent();
        }
        self.reports.hurry();
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Identity(identity) => {
                if identity.is_none() {
                    self.hub = HubState::NotPaired;
                }
                let key = |identity: &Option<Identity>| identity.as_ref().map(|identity| identity.key);
                if key(&identity) != key(&self.identity) {
                    self.rogue = None;
                }
                self.identity = identity;
            }
            News::Linked(client) => self.linked(client),
            News::Away(why) => self.away(why),
            News::Rogue(rogue) => self.rogue = rogue,
            News::Order(order) => self.obey(order),
            News::Arrived => {}
            News::Back(link, errand) => self.take_back(link, errand),
        }
        self.steer();
    }

    fn linked(&mut self, client: HubClient) {
        tracing::info!("the hub is in reach at {}", client.address());
        self.hub = HubState::Linked { address: client.address().to_string() };
        self.client = Some(client);
        self.links += 1;
        self.reports.hurry();
        self.claims.plan_is_old();
        // What began while the hub was away and only just now: the zone moves on with it.
        if let Some(current) = &mut self.current {
            current.claimed = false;
        }
    }

    fn away(&mut self, why: HubState) {
        let plan = self.queue.lasts(&OnDisk(&self.parts.files)).as_secs() / 60;
        match &why {
            HubState::Away { why } if self.client.is_some() => {
                tracing::info!(
                    "the hub is out of reach ({why}); the music goes on, from the plan for {plan} min"
                );
            }
            HubState::Revoked if self.hub != HubState::Revoked => tracing::warn!(
                "the hub does not accept this player any more; it plays what it has until it is paired again"
            ),
            _ => {}
        }
        self.client = None;
        self.hub = why;
    }

    fn obey(&mut self, order: Order) {
        match order.kind {
            PlayerCommandKind::Volume => {
                if let Some(volume) = order.volume {
                    self.volume = volume.clamp(0.0, 1.0);
                    self.parts.engine.send(Command::Volume(self.volume));
                }
            }
            PlayerCommandKind::Pause => self.change_mode(PlayerMode::Paused),
            PlayerCommandKind::Stop => self.change_mode(PlayerMode::Stopped),
            PlayerCommandKind::Resume => self.change_mode(PlayerMode::Playing),
            PlayerCommandKind::Skip => {
                if let Some(pick) = order.pick {
                    self.know([&pick]);
                    self.queue.follow(pick);
                }
                self.turn = true;
                self.claims.plan_is_old();
            }
            PlayerCommandKind::PlanChanged => {
                if let Some(pick) = order.pick {
                    self.know([&pick]);
                    self.queue.follow(pick);
                }
                self.claims.plan_is_old();
            }
        }
        self.save_place();
        self.reports.hurry();
    }

    fn change_mode(&mut self, mode: PlayerMode) {
        if mode == self.mode {
            return;
        }
        self.mode = mode;
        tracing::info!(
            "{}",
            match mode {
                PlayerMode::Playing => "plays on, as ordered",
                PlayerMode::Paused => "paused, as ordered",
                PlayerMode::Stopped => "stopped, as ordered",
            }
        );
        if mode != PlayerMode::Playing {
            self.reports.is_planned();
        }
        match mode {
            PlayerMode::Paused => self.parts.engine.send(Command::Pause),
            PlayerMode::Stopped => self.fall_silent(),
            PlayerMode::Playing if self.closed => {}
            PlayerMode::Playing => self.go_on(),
        }
    }

    fn fall_silent(&mut self) {
        self.let_go_of_held();
        // What the engine had not begun, it drops without a word.
        (self.prepared, self.turning_to) = (None, None);
        self.parts.engine.send(Command::Stop);
    }

    fn go_on(&mut self) {
        match self.held.take() {
            Some(song) if self.parts.files.has(&song.pick.sha256) => self.take_up(&song),
            left => {
                self.held = left;
                self.let_go_of_held();
                // Also where nothing sounds: a song that was waiting for its first sample goes on waiting.
                self.parts.engine.send(Command::Resume);
            }
        }
    }

    /// Whether music is meant to sound.
    fn is_to_play(&self) -> bool {
        self.mode == PlayerMode::Playing && !self.closed
    }

    fn is_open(&self) -> bool {
        self.hours.as_ref().is_none_or(|told| told.is_open(&self.parts.stamps.now()))
    }

    /// Falls silent when the zone closes, and plays when it opens, whether or not the hub is there to say so.
    fn mind_the_hours(&mut self) {
        let closed = !self.is_open();
        if closed == std::mem::replace(&mut self.closed, closed) {
            return;
        }
        if self.mode == PlayerMode::Playing {
            if closed {
                tracing::info!("the zone is closed: silent until it opens");
                self.reports.is_planned();
                self.fall_silent();
            } else {
                tracing::info!("the zone opens: plays on");
                self.go_on();
            }
        }
        self.claims.plan_is_old();
        self.save_place();
        self.reports.hurry();
    }

    /// A song that was left by the last run is not taken up any more.
    fn let_go_of_held(&mut self) {
        let Some(song) = self.held.take() else { return };
        let (at, end) = (self.parts.stamps.now(), PlayEnd::Stopped);
        let heard_ms = u32::try_from(song.heard_ms).unwrap_or(u32::MAX);
        self.write(|journal| journal.ended(song.play, Ended { at, end, heard_ms }));
    }

    /// Puts into the engine's hands what comes next, and tells the zone what began. Does nothing where all is said.
    fn steer(&mut self) {
        self.mind_the_hours();
        self.keep_files();
        self.run_errands();
        if !self.is_to_play() || self.turning_to.is_some() {
            return;
        }
        if self.waits_for_the_zone() {
            return;
        }
        let linked = self.client.is_some();
        let Some(chosen) = self.queue.next(&OnDisk(&self.parts.files), linked) else { return };
        let turn = std::mem::take(&mut self.turn);
        if turn || self.current.is_none() {
            let play = self.prepared_as(&chosen).unwrap_or_else(|| self.new_play());
            let track = self.announce(Announced { play, chosen, heard_before: Duration::ZERO }, None);
            self.turning_to = Some(play);
            self.prepared = None;
            self.parts.engine.send(Command::Play(track));
        } else if self.prepared_as(&chosen).is_none() {
            let play = self.new_play();
            let track = self.announce(Announced { play, chosen, heard_before: Duration::ZERO }, None);
            self.prepared = Some(play);
            self.parts.engine.send(Command::Next(Some(track)));
        }
    }

    /// Whether the zone's own song is on its way and worth the wait: who begins another one moves all players on.
    fn waits_for_the_zone(&mut self) -> bool {
        if self.current.is_some() {
            self.idle_since_ms = None;
            return false;
        }
        let now_ms = self.parts.stamps.now().since_boot_ms;
        let waited_ms = now_ms - *self.idle_since_ms.get_or_insert(now_ms);
        let on_its_way = self.client.is_some() && self.queue.awaits_zone(&OnDisk(&self.parts.files));
        on_its_way && waited_ms < WAITS_FOR_THE_ZONE_MS
    }

    /// The play under which this very choice lies ready in the engine.
    fn prepared_as(&self, chosen: &Chosen) -> Option<PlayId> {
        let prepared = self.prepared?;
        let known = self.announced.iter().find(|known| known.play == prepared)?;
        is_same(&known.chosen.pick, &chosen.pick).then_some(prepared)
    }

    /// Sends a question to the hub; the answer comes as news.
    fn send(&mut self, errand: impl Future<Output = Errand> + Send + 'static) {
        let link = self.links;
        self.errands.spawn(async move { (link, errand.await) });
    }

    /// Remembers a play that the engine is about to be told of; how it is to be played.
    fn announce(&mut self, announced: Announced, from: Option<Duration>) -> Track {
        let track = track(&announced, &self.parts.files, from);
        self.announced.retain(|known| known.play != announced.play);
        self.announced.push_back(announced);
        // What was replaced before it began is forgotten by the engine without a word; never what sounds or comes next.
        while ANNOUNCED < self.announced.len() {
            let current = self.current.as_ref().map(|current| current.announced.play);
            let needed =
                [current, self.turning_to, self.prepared, self.announced.back().map(|last| last.play)];
            let spare = self.announced.iter().position(|known| !needed.contains(&Some(known.play)));
            let Some(spare) = spare else { break };
            self.announced.remove(spare);
        }
        track
    }

    fn new_play(&self) -> PlayId {
        PlayId::mint(self.parts.stamps.now().wall, random())
    }

    /// A key for one question: sent again it is the same question.
    fn new_key(&self) -> Uuid {
        IdempotencyKey::mint(self.parts.stamps.now().wall, random()).uuid()
    }

    /// Writes to the journal. A disk that takes nothing stops no music: the play is told from memory.
    fn write(&mut self, entry: impl FnOnce(&mut Journal) -> std::io::Result<()>) {
        if let Err(error) = entry(&mut self.parts.journal) {
            tracing::warn!(
                "a play could not be written down ({error}); it is told to the hub if this program lives until then"
            );
        }
    }
}

fn track(announced: &Announced, files: &Files, from: Option<Duration>) -> Track {
    let pick = &announced.chosen.pick;
    let ms = |ms: u32| Duration::from_millis(ms.into());
    Track {
        play: announced.play,
        // A file that has gone since then is a song that fails, and another takes its place.
        path: files.path(&pick.sha256).unwrap_or_default(),
        gain_db: pick.gain_db,
        cue_in: ms(pick.cue_in_ms),
        cue_out: ms(pick.cue_out_ms),
        from: from.unwrap_or(ms(pick.cue_in_ms)),
        crossfade: ms(pick.crossfade_ms),
    }
}

/// As people call a song.
fn titled(pick: &Pick) -> String {
    title_of(&pick.title, pick.artist.as_deref())
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Hub => "as the hub decided",
        Tier::Plan => "from the plan, the hub is out of reach",
        Tier::Cache => "from the cache, the plan has run out",
    }
}

/// Random bytes from the system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system always has random bytes once it has started");
    bytes
}

/// What a player says that it is doing.
fn status_of(mode: PlayerMode, plays: bool) -> PlayerStatus {
    if mode == PlayerMode::Playing && plays { PlayerStatus::Active } else { PlayerStatus::Idle }
}
