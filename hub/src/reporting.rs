//! What players say of themselves: heartbeats, what they play, how it ended, and how long they were silent.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::song::Song;
use roomtone_schema::{FactId, IdempotencyKey, PickId, PlayId, PlayerId, SongId, UnixMillis};

use crate::hub::Inner;
use crate::locks::{locked, writing};
use crate::programme::pick_view;
use crate::refusal::{Refusal, RefusalCode};
use crate::room::{Current, ZoneRoom};
use crate::secrets::new_id;
use crate::store::{StoreError, Tx, idempotency, players, plays};
use crate::view::{Explanation, PickView, PlaybackReport, PlayerView};

/// A heartbeat that changes nothing is written down so often at most: the disk of a small box wears.
const HEARTBEAT_WRITTEN_EVERY: Duration = Duration::from_mins(1);

/// A song that has just begun moves the zone on by its claim. One that the zone's own player has played for longer, and
/// that the zone does not know, was begun while the hub was gone: it is what the zone hears.
const CLAIMED_UNTIL_MS: u32 = 20_000;

/// What a repeated report is known by.
const REPORT: &str = "report_playback";

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not one of ours (any more).
    #[error("this player is not known here; add it with `roomtone-hub player add NAME`")]
    UnknownPlayer,
    /// Never heard of it.
    #[error("this song or pick is not of this venue")]
    UnknownSong,
    /// The key belongs to something else.
    #[error("this idempotencyKey was used for something else; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the report could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for ReportError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::UnknownPlayer => Some(RefusalCode::Forbidden),
            Self::UnknownSong => Some(RefusalCode::NotFound),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        matches!(self, Self::KeyUsed).then_some(&["input", "idempotencyKey"])
    }
}

impl Inner {
    /// Takes a player's heartbeat and what it plays.
    pub(crate) async fn report(
        self: &Arc<Self>,
        player: PlayerId,
        key: Option<IdempotencyKey>,
        report: PlaybackReport,
    ) -> Result<PlayerView, ReportError> {
        let room = self.room_of_player(player).ok_or(ReportError::UnknownPlayer)?;
        let _turn = room.advancing.lock().await;
        if !self.reported_before(player, key).await? {
            let about = self.about(&room, &report)?;
            // A heartbeat says what is: said twice it changes nothing twice, and its key need not be kept.
            let counts = report.ended.is_some() || report.silence_ms.unwrap_or(0) > 0;
            self.take_report(&room, player, key.filter(|_| counts), &report, about).await;
        }
        self.show_now_playing(&room);
        self.show_players();
        self.player_view(player).ok_or(ReportError::UnknownPlayer)
    }

    async fn reported_before(
        &self,
        player: PlayerId,
        key: Option<IdempotencyKey>,
    ) -> Result<bool, ReportError> {
        let Some(key) = key else { return Ok(false) };
        let owner = player.to_bytes();
        let first = self.store.read(move |conn| idempotency::get::<()>(conn, owner, key, REPORT)).await;
        match first.unwrap_or(None) {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(_)) => Err(ReportError::KeyUsed),
        }
    }

    /// Which song, of which pick, a report speaks of.
    fn about(&self, room: &ZoneRoom, report: &PlaybackReport) -> Result<Option<About>, ReportError> {
        let pick = report.pick.and_then(|pick| locked(&room.stage).pick(pick));
        if let Some(pick) = pick {
            return Ok(Some(About { song: Arc::clone(&pick.song), pick: Some(pick.id) }));
        }
        let Some(song) = report.song else {
            return if report.pick.is_some() { Err(ReportError::UnknownSong) } else { Ok(None) };
        };
        let Some(kept) = self.library.get(song) else {
            // A sign of life is one whatever plays: the song may be of another life of this hub.
            return if report.play.is_some() { Ok(None) } else { Err(ReportError::UnknownSong) };
        };
        let song = kept.song;
        let current = room.current().filter(|current| current.pick.song.id == song.id);
        let pick = report.pick.or(current.map(|current| current.pick.id));
        Ok(Some(About { song, pick }))
    }

    async fn take_report(
        &self,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        key: Option<IdempotencyKey>,
        report: &PlaybackReport,
        about: Option<About>,
    ) {
        let now = self.clock.now();
        let news = self.news(room, player, report, about.as_ref(), now);
        if key.is_some() || news.is_worth_writing() {
            self.write_report(player, key, report, &news, now).await;
        }
        self.apply_report(room, player, report, about, news, now);
    }

    /// What a report changes, before anything is changed.
    fn news(
        &self,
        room: &ZoneRoom,
        player: PlayerId,
        report: &PlaybackReport,
        about: Option<&About>,
        now: UnixMillis,
    ) -> News {
        if let Some(play) = report.play {
            return self.named_news(room, (player, play), report, about, now);
        }
        let silence_ms = u64::from(report.silence_ms.unwrap_or(0));
        let players = locked(&self.players);
        let Some(known) = players.get(player) else { return News::default() };
        let (open, status) = (known.play.clone(), known.player.status);
        let saved_at = known.saved_at;
        let silence_total_ms = known.player.silence_ms + silence_ms;
        let open_song = known.player.current_song;
        drop(players);
        let is_open = about.zip(open.as_ref()).is_some_and(|(about, open)| about.is(open));
        let plays = report.status == PlayerStatus::Active && report.ended.is_none();
        let started = about.filter(|_| plays && !is_open).map(|about| {
            let position = Duration::from_millis(u64::from(report.position_ms.unwrap_or(0)));
            let tier = report.tier.unwrap_or_default();
            self.new_play(room, player, about.song.id, about.pick, tier, now - position)
        });
        let ended = match (&started, report.ended) {
            (Some(_), _) => self.ending(player, now),
            (None, Some(end)) => open.filter(|_| is_open || about.is_none()).map(|open| (open.id, end)),
            (None, None) => None,
        };
        let kept = open_song.filter(|_| ended.is_none());
        let current_song = started.as_ref().map(|play| play.song).or(kept);
        let is_due = saved_at.is_none_or(|at| now.since(at) >= HEARTBEAT_WRITTEN_EVERY);
        let changed = status != report.status || silence_ms > 0 || is_due;
        let told = started.clone();
        News { started, told, closed: None, ended, current_song, silence_ms, silence_total_ms, changed }
    }

    /// The same for a player that names its plays: nothing about another play is guessed.
    fn named_news(
        &self,
        room: &ZoneRoom,
        (player, play): (PlayerId, PlayId),
        report: &PlaybackReport,
        about: Option<&About>,
        now: UnixMillis,
    ) -> News {
        let silence_ms = u64::from(report.silence_ms.unwrap_or(0));
        let players = locked(&self.players);
        let Some(known) = players.get(player) else { return News::default() };
        let silence_total_ms = known.player.silence_ms + silence_ms;
        let is_due = known.saved_at.is_none_or(|at| now.since(at) >= HEARTBEAT_WRITTEN_EVERY);
        let changed = known.player.status != report.status || silence_ms > 0 || is_due;
        let open = known.play.clone().filter(|open| open.id == play);
        let (is_closed, open_song) = (known.has_closed(play), known.player.current_song);
        drop(players);
        let mut news =
            News { current_song: open_song, silence_ms, silence_total_ms, changed, ..News::default() };
        let so_far = report.position_ms.or(report.heard_ms).unwrap_or(0);
        let begun = about.map(|about| {
            let began = now - Duration::from_millis(u64::from(so_far));
            let tier = report.tier.unwrap_or_default();
            Play { id: play, ..self.new_play(room, player, about.song.id, about.pick, tier, began) }
        });
        let is_open = open.is_some();
        if let Some(end) = report.ended {
            let (ended_at, ended, heard_ms) = (Some(now), Some(end), report.heard_ms);
            let told = open.or(begun);
            news.told = told.map(|told| {
                let tier = report.tier.unwrap_or(told.tier);
                Play { ended_at, ended, heard_ms, tier, ..told }
            });
            // Where nobody says which song it was, the store may know.
            news.ended = news.told.is_none().then_some((play, end));
            news.closed = Some(play);
            news.current_song = open_song.filter(|_| !is_open);
        } else if report.status == PlayerStatus::Active && !is_open && !is_closed {
            news.current_song = begun.as_ref().map(|begun| begun.song).or(open_song);
            (news.told, news.started) = (begun.clone(), begun);
        }
        news
    }

    async fn write_report(
        &self,
        player: PlayerId,
        key: Option<IdempotencyKey>,
        report: &PlaybackReport,
        news: &News,
        now: UnixMillis,
    ) {
        let (op_ended, op_started, op_told): (FactId, FactId, FactId) =
            (new_id(now), new_id(now), new_id(now));
        let (told, ended) = (news.told.clone(), news.ended);
        let (status, heard_ms, silence) = (report.status, report.heard_ms, news.silence_total_ms);
        let song = news.current_song;
        let record = move |tx: &Tx<'_>| {
            if let Some((play, end)) = ended
                && plays::by_id(tx, play)?.is_some_and(|known| known.player == player)
            {
                plays::end(tx, op_ended, play, end, heard_ms, now)?;
            }
            if let Some(play) = &told {
                plays::tell(tx, (op_started, op_told), play)?;
            }
            players::heartbeat(tx, player, status, song, silence, now)?;
            match key {
                Some(key) => idempotency::put(tx, player.to_bytes(), key, REPORT, &(), now),
                None => Ok(()),
            }
        };
        self.record(record).await;
    }

    fn apply_report(
        &self,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        report: &PlaybackReport,
        about: Option<About>,
        news: News,
        now: UnixMillis,
    ) {
        self.counters.silence_ms.add(news.silence_ms);
        if report.ended == Some(PlayEnd::Failed) {
            self.counters.failed_plays.up();
        }
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.status = report.status;
            known.player.last_seen_at = Some(now);
            known.player.silence_ms = news.silence_total_ms;
            known.tier = report.tier.unwrap_or(known.tier);
            if report.health.is_some() {
                known.health.clone_from(&report.health);
            }
            if news.is_worth_writing() {
                known.saved_at = Some(now);
            }
            known.player.current_song = news.current_song;
            match news.closed {
                Some(play) => known.close(play),
                None if news.ended.is_some() => known.play = None,
                None => {}
            }
        }
        if let Some(about) = about {
            self.follow(room, player, report, &about, now);
        }
        if let Some(play) = news.started {
            self.count_kept(&play);
            self.begin_play(room, play, now);
        }
    }

    /// What a report about a song means for what the zone hears.
    fn follow(
        &self,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        report: &PlaybackReport,
        about: &About,
        now: UnixMillis,
    ) {
        let mut stage = locked(&room.stage);
        let speaks_of_current = |current: &Current| Some(current.pick.id) == about.pick;
        if let Some(current) = stage.current.as_mut().filter(|current| speaks_of_current(current)) {
            current.over |= report.ended.is_some_and(|end| end != PlayEnd::Stopped);
            // One player sets the pace; another takes its place only where that one is out of reach.
            if current.player == player || !self.is_online(current.player) {
                current.player = player;
                if let Some(position) = report.position_ms {
                    (current.position_ms, current.as_of) = (position, now);
                }
                current.tier = report.tier.unwrap_or(current.tier);
            }
            if report.ended.is_some() {
                room.stir();
            }
            return;
        }
        let silent = stage.current.as_ref().is_none_or(|current| current.is_over(now));
        let leads = stage.current.as_ref().is_some_and(|current| current.player == player);
        let for_a_while = report.position_ms.is_some_and(|ms| CLAIMED_UNTIL_MS < ms);
        if (silent || (leads && report.play.is_some() && for_a_while))
            && report.status == PlayerStatus::Active
            && report.ended.is_none()
        {
            // It played on from its plan while the hub was gone: that is what the zone hears.
            let pick = about.pick.and_then(|pick| stage.pick(pick));
            let pick =
                pick.unwrap_or_else(|| Arc::new(unexplained(room, about.pick, Arc::clone(&about.song), now)));
            let position_ms = report.position_ms.unwrap_or(0);
            let started_at = now - Duration::from_millis(u64::from(position_ms));
            let mut current = Current::begin(pick, player, started_at);
            (current.position_ms, current.as_of) = (position_ms, now);
            current.tier = report.tier.unwrap_or_default();
            let song = current.pick.song.id;
            stage.play(current);
            drop(stage);
            writing(&room.order).mark_played(song, started_at);
            self.stir(room);
        }
    }

    /// Counts a play from a player's cache where the licence lets it keep nothing: the plan had run out, and silence is
    /// worse.
    pub(crate) fn count_kept(&self, play: &Play) {
        if play.tier == Tier::Cache && !self.licence().offline_storage {
            self.counters.relaxed_storage.up();
        }
    }

    fn is_online(&self, player: PlayerId) -> bool {
        locked(&self.players).get(player).is_some_and(|known| known.player.status != PlayerStatus::Offline)
    }
}

/// A song, and the pick that it was played by where that is known.
struct About {
    song: Arc<Song>,
    pick: Option<PickId>,
}

impl About {
    fn is(&self, play: &Play) -> bool {
        self.song.id == play.song && (self.pick.is_none() || play.pick.is_none() || self.pick == play.pick)
    }
}

/// What a report changes.
#[derive(Debug, Default)]
struct News {
    /// A play that the player has begun, as far as memory knows.
    started: Option<Play>,
    /// What is said of a play, for the store, which knows what it knew of it before.
    told: Option<Play>,
    /// A play whose end the player tells itself.
    closed: Option<PlayId>,
    ended: Option<(PlayId, PlayEnd)>,
    current_song: Option<SongId>,
    silence_ms: u64,
    silence_total_ms: u64,
    changed: bool,
}

impl News {
    fn is_worth_writing(&self) -> bool {
        self.changed || self.told.is_some() || self.ended.is_some()
    }
}

/// A song that a player took from its cache: nobody here decided on it.
pub(crate) fn unexplained(
    room: &ZoneRoom,
    pick: Option<PickId>,
    song: Arc<Song>,
    now: UnixMillis,
) -> PickView {
    let explanation = Explanation {
        similarity: 0.0,
        penalty: 0.0,
        score: 0.0,
        last_played_at: None,
        rests_until: None,
        reasons: Vec::new(),
    };
    pick_view(room, pick.unwrap_or_else(|| new_id(now)), song, explanation)
}
