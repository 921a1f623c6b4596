//! The programme of a zone: one current pick, and the plan of what follows it.
//!
//! Every decision is `Outlook` of the rules, over what is in memory. The plan is that rule run forward; it is made
//! anew, off the async threads, whenever something stirs the room. Its head is what the next advance plays, so that
//! "up next" is a promise and not a guess, unless the room changes its mind in between.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::explanation::{Explanation, Onlookers, explain};
use roomtone_schema::look_ahead::{Outlook, Planned};
use roomtone_schema::pick::{Pick, PickRules, Relaxation, Terms};
use roomtone_schema::rank::{Ranked, Ranking, Standing};
use roomtone_schema::rest::{is_resting, rests_until, window};
use roomtone_schema::room::Room;
use roomtone_schema::song::{Explicit, Song};
use roomtone_schema::vector::Axes;
use roomtone_schema::vibe::VibeSource;
use roomtone_schema::{FactId, PickId, PlayerId, SongId, UnixMillis, ZoneId};

use crate::hub::Inner;
use crate::index::{Index, ZoneOrder};
use crate::library::Shelf;
use crate::locks::{locked, reading, writing};
use crate::playing::ClaimError;
use crate::presence::RoomSettings;
use crate::room::{Current, Upcoming, ZoneRoom};
use crate::secrets::new_id;
use crate::store::picks::{self, PickRecord};
use crate::store::vec::VecEngine;
use crate::store::{Snapshot, StoreError, Tx, TxResult, hub_state, occasions, zone_plays};
use crate::view::{PickView, PlayerCommandKind, Recommendation, VibeView};

/// So many songs of what comes next are told to the cloud.
pub(crate) const TOLD_NEXT: usize = 5;

/// So many songs ahead are shown.
const SHOWN_AHEAD: usize = 50;

/// A vibe that moved by less than this on every axis is the same vibe.
const SAME_VIBE: f64 = 1e-4;

/// True peaks stay below this, in dBTP.
const PEAK_CEILING: f32 = -1.0;

/// Players hear of a changed plan at most so often: they get a whole one with every song anyway.
const PLAN_TOLD_EVERY: Duration = Duration::from_secs(10);

/// So often a pick is tried whose file turns out to be missing, before the plan is made anew.
const TRIES: usize = 8;

/// A zone at one moment, with all that a decision about it depends on.
struct Moment {
    outlook: Outlook,
    source: VibeSource,
    present: usize,
    unheard: Option<Axes>,
    shelf: Arc<Shelf>,
    away: HashSet<SongId>,
}

impl Moment {
    fn song(&self, id: SongId) -> Option<&Song> {
        self.shelf.songs.get(&id).filter(|_| !self.away.contains(&id)).map(|song| &**song)
    }

    fn onlookers<'a>(&'a self, likes: usize, song: Option<&'a Axes>) -> Onlookers<'a> {
        Onlookers { source: self.source, present: self.present, likes, unheard: self.unheard.as_ref(), song }
    }
}

/// The songs of a plan that the cloud is told of.
pub(crate) fn next_songs(plan: &VecDeque<Upcoming>) -> Vec<SongId> {
    plan.iter().take(TOLD_NEXT).map(|next| next.view.song.id).collect()
}

impl Inner {
    /// Brings what the zone shows up to date: the vibe first, for it is quick, then the plan.
    pub(crate) async fn refresh(self: &Arc<Self>, room: &Arc<ZoneRoom>) {
        self.show_vibe(room);
        self.show_now_playing(room);
        let (inner, planned) = (Arc::clone(self), Arc::clone(room));
        let plan = tokio::task::spawn_blocking(move || inner.plan(&planned));
        if let Err(panicked) = plan.await {
            tracing::error!(zone.name = room.zone.name, "the plan could not be made: {panicked}");
        }
    }

    /// Shows what the people in a zone want, where that has changed.
    pub(crate) fn show_vibe(&self, room: &ZoneRoom) {
        let now = self.clock.now();
        let (wanted, present) = {
            let people = locked(&self.people);
            let present = people.count(Some(room.zone.id), now);
            (people.room(room.zone.id, &self.room_settings(room), now), present)
        };
        let view = vibe_view(&wanted, present, now);
        self.note_fairness(room, &wanted);
        room.vibe.send_if_modified(|shown| {
            let changed = !is_same(shown, &view);
            if changed {
                *shown = Arc::new(view);
            }
            changed
        });
    }

    /// Makes the plan anew and shows it, from the end of the current song on.
    pub(crate) fn plan(&self, room: &ZoneRoom) {
        // Counted first: where the zone moves on while its moment is taken down, what is taken down is of no moment at all.
        let counter = locked(&room.stage).counter;
        let moment = self.moment(room, None);
        let planned = {
            // On a copy: nobody who advances waits for a plan of hundreds of songs.
            let order = {
                let mut order = writing(&room.order);
                order.expire(self.clock.now());
                order.clone()
            };
            let Ok(planned) = moment.outlook.clone().plan(&order, &|id| moment.song(id));
            self.within_licence(planned, |one| one.starts_at)
        };
        let plan = self.shown(room, &moment, planned);
        let mut stage = locked(&room.stage);
        if stage.counter == counter {
            let before = next_songs(&stage.plan);
            stage.plan = plan.into();
            let is_other = before != next_songs(&stage.plan);
            drop(stage);
            self.show_up_next(room);
            if is_other {
                // Where listeners are not shown it, the staff at the cloud are.
                self.news.notify_one();
            }
            self.tell_plan_changed(room);
        } else {
            drop(stage);
            self.stir(room);
        }
    }

    /// As much of a plan as players may hold.
    pub(crate) fn within_licence<T>(&self, plan: Vec<T>, begins: impl Fn(&T) -> UnixMillis) -> Vec<T> {
        let (licence, first) = (self.licence(), plan.first().map(&begins));
        let lies_ready = |one: &T| first.is_none_or(|first| licence.lets_lie_ready(begins(one).since(first)));
        plan.into_iter().take_while(lies_ready).collect()
    }

    /// Shows the head of the plan, where the venue's licence lets it.
    pub(crate) fn show_up_next(&self, room: &ZoneRoom) {
        let hidden = !(room.settings().show_up_next && self.licence().show_up_next);
        let stage = locked(&room.stage);
        let ahead = stage.plan.iter().take(if hidden { 0 } else { SHOWN_AHEAD });
        let shown: Arc<[Recommendation]> = ahead
            .zip(1..)
            .map(|(upcoming, rank)| Recommendation {
                rank,
                song: Arc::clone(&upcoming.view.song),
                explanation: upcoming.view.explanation.clone(),
            })
            .collect();
        drop(stage);
        room.up_next.send_if_modified(|before| {
            let same = before.len() == shown.len()
                && before
                    .iter()
                    .zip(shown.iter())
                    .all(|(a, b)| a.song.id == b.song.id && a.explanation.reasons == b.explanation.reasons);
            *before = shown;
            !same
        });
    }

    /// Tells a zone's players that the plan they hold is out of date, once in a while.
    pub(crate) fn tell_plan_changed(&self, room: &ZoneRoom) {
        let now = self.clock.now();
        let head = {
            let mut stage = locked(&room.stage);
            let head = stage.plan.front().map(|upcoming| upcoming.view.song.id);
            let told_lately = stage.told.is_some_and(|(_, at)| now.since(at) < PLAN_TOLD_EVERY);
            if told_lately || stage.told.map(|(song, _)| song) == head {
                return;
            }
            stage.told = head.map(|head| (head, now));
            head
        };
        if head.is_some() {
            for known in locked(&self.players).of_zone(room.zone.id) {
                known.order(PlayerCommandKind::PlanChanged, |_| {});
            }
        }
    }

    /// Moves the zone on to its next song, for `player`. The caller holds `advancing`.
    pub(crate) async fn advance(
        self: &Arc<Self>,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
    ) -> Result<Arc<PickView>, ClaimError> {
        let hours = room.in_force().hours;
        if !hours.is_open {
            let opens_in = hours.opens_at.map(|opens_at| opens_at.since(self.world_now()));
            return Err(ClaimError::Closed { opens_in });
        }
        let upcoming = self.choose(room).await?.ok_or(ClaimError::NoMusic)?;
        self.move_on(room, player, &upcoming.view, Some(&upcoming.planned)).await;
        Ok(upcoming.view)
    }

    /// Moves the zone on to a song that is decided: by us now, or by the plan that a player holds. The caller holds
    /// `advancing`.
    pub(crate) async fn move_on(
        self: &Arc<Self>,
        room: &Arc<ZoneRoom>,
        player: PlayerId,
        pick: &Arc<PickView>,
        planned: Option<&Planned>,
    ) {
        let now = self.clock.now();
        if let Some(planned) = planned {
            self.write_pick(room, (pick.id, planned), now).await;
            self.count_pick(&planned.pick);
        }
        if locked(&self.over_licence).contains(&pick.song.id) {
            self.counters.relaxed_storage.up();
        }
        self.hear(room, &pick.song, now);
        writing(&room.order).mark_played(pick.song.id, now);
        {
            let mut stage = locked(&room.stage);
            let goes_on = stage.play(Current::begin(Arc::clone(pick), player, now));
            // Whoever claims is handed the plan as well. Where that is one for another song, or an hour and no more and so short
            // of this song, the next one is told at once.
            let is_good = goes_on && self.licence().offline_storage;
            stage.told = stage.plan.front().filter(|_| is_good).map(|next| (next.view.song.id, now));
        }
        self.show_now_playing(room);
        self.show_up_next(room);
        self.stir(room);
    }

    /// The head of the plan where it is still good, else what a new one would begin with; `None` where nothing is
    /// playable.
    async fn choose(self: &Arc<Self>, room: &Arc<ZoneRoom>) -> Result<Option<Upcoming>, StoreError> {
        for _ in 0..TRIES {
            if let Some(head) = self.while_rebuilding(room).await {
                return Ok(Some(head));
            }
            let head = if room.is_stirred() || !self.head_is_good(room) {
                // Only the one song that somebody waits for; the plan behind it follows when it plays.
                let (inner, picked) = (Arc::clone(self), Arc::clone(room));
                let head = tokio::task::spawn_blocking(move || inner.pick_now(&picked)).await;
                head.or(Err(StoreError::Panicked))?
            } else {
                locked(&room.stage).plan.front().cloned()
            };
            let Some(head) = head else {
                if self.library_is_stale() || self.is_rebuilding() {
                    // The only songs there are have just come: now the index is worth waiting for.
                    self.rebuild().await;
                    continue;
                }
                return Ok(None);
            };
            self.library.look(head.view.song.id);
            if !self.library.is_away(head.view.song.id) {
                return Ok(Some(head));
            }
            self.counters.missing_files.up();
            tracing::warn!(
                song.id = %head.view.song.id,
                "the file of \"{}\" is missing, so another song is played; import it again to hear it",
                head.view.song.facts.title,
            );
            room.stir();
        }
        Ok(None)
    }

    /// The song that a plan made at this moment would begin with.
    pub(crate) fn pick_now(&self, room: &ZoneRoom) -> Option<Upcoming> {
        let now = self.clock.now();
        let moment = self.moment(room, Some(now));
        writing(&room.order).expire(now);
        let order = reading(&room.order);
        let Ok(picked) = moment.outlook.next(&*order, &|id| moment.song(id));
        let planned = picked.map(|pick| Planned::alone(pick, &moment.outlook, order.rest_window()));
        drop(order);
        self.shown(room, &moment, planned.into_iter().collect()).pop()
    }

    /// While shelf and index are being built, the second engine picks: no music waits for bookkeeping. `None` where
    /// the plan is to be used.
    async fn while_rebuilding(self: &Arc<Self>, room: &Arc<ZoneRoom>) -> Option<Upcoming> {
        if !self.is_rebuilding() {
            return None;
        }
        let (inner, planned) = (Arc::clone(self), Arc::clone(room));
        let picked = self.store.read(move |snapshot| inner.pick_by_second_engine(&planned, snapshot)).await;
        let picked = picked.unwrap_or_else(|error| {
            tracing::warn!("the second engine could not pick ({error}); the plan made before goes on");
            None
        });
        if picked.is_some() {
            self.counters.picks_by_second_engine.up();
        }
        picked
    }

    fn is_rebuilding(&self) -> bool {
        self.rebuilding.try_lock().is_err()
    }

    /// The next song as the database ranks it.
    pub(crate) fn pick_by_second_engine(
        &self,
        room: &ZoneRoom,
        snapshot: &Snapshot,
    ) -> TxResult<Option<Upcoming>> {
        let songs = Arc::new(self.library.as_it_is());
        let engine = VecEngine::new(snapshot, room.zone.id, room_window(&room.settings(), &songs))?;
        let now = self.clock.now();
        let moment = Moment { shelf: songs, ..self.moment(room, Some(now)) };
        let picked = moment.outlook.next(&engine, &|id| moment.song(id))?;
        let planned = picked.map(|pick| Planned::alone(pick, &moment.outlook, engine.window()));
        Ok(self.shown(room, &moment, planned.into_iter().collect()).pop())
    }

    /// Whether the plan's head may be played at this moment as it was meant to be.
    fn head_is_good(&self, room: &ZoneRoom) -> bool {
        let now = self.clock.now();
        let rest = reading(&room.order).rest_window();
        let stage = locked(&room.stage);
        stage.plan.front().is_some_and(|head| {
            let song = head.view.song.id;
            let rests = is_resting(now, stage.played.get(&song).copied(), rest);
            let meant_to = head.planned.pick.terms.standing == Standing::Resting;
            !self.library.is_away(song) && rests == meant_to
        })
    }

    async fn write_pick(&self, room: &ZoneRoom, (id, planned): (PickId, &Planned), now: UnixMillis) {
        let (zone, op): (_, FactId) = (room.zone.id, new_id(now));
        let Pick { song, seed, terms } = planned.pick.clone();
        let occasion = self.packed_occasion(planned);
        let counter = (counter_key(room.zone.id), (locked(&room.stage).counter + 1).cast_signed());
        let record = move |tx: &Tx<'_>| {
            let terms = picks::terms(&terms)?;
            // A player may hold a plan so old that the zone has come to the same decision before.
            if picks::by_id(tx, id)?.is_none() {
                picks::insert(tx, op, &PickRecord { id, zone, song, seed, terms, decided_at: now })?;
                if let Some(occasion) = &occasion {
                    occasions::insert(tx, (id, zone, now), occasion)?;
                }
            }
            zone_plays::mark(tx, zone, song, now)?;
            hub_state::put(tx, &counter.0, counter.1)
        };
        self.record(record).await;
    }

    /// Lets everybody in the zone have heard a song.
    pub(crate) fn hear(&self, room: &ZoneRoom, song: &Song, now: UnixMillis) {
        let settings = self.room_settings(room);
        let mut people = locked(&self.people);
        let mut wanted = people.room(room.zone.id, &settings, now);
        wanted.hear(song.facts.comparable().map(|embedding| embedding.unit()).as_ref());
        people.keep_debts(room.zone.id, &wanted, now);
    }

    fn count_pick(&self, pick: &Pick) {
        self.counters.picks.up();
        for relaxed in &pick.terms.relaxed {
            match relaxed {
                Relaxation::ArtistSeparation => self.counters.relaxed_artist.up(),
                Relaxation::Rest => self.counters.relaxed_rest.up(),
                Relaxation::Kind => self.counters.relaxed_kind.up(),
                Relaxation::Licence => self.counters.relaxed_licence.up(),
                Relaxation::Explicit => self.counters.relaxed_explicit.up(),
            }
        }
        if pick.terms.similarity.abs() < f64::EPSILON {
            self.counters.undirected_picks.up();
        }
    }

    fn note_fairness(&self, room: &ZoneRoom, wanted: &Room) {
        if room.zone.id != self.main_zone() {
            return;
        }
        let fares = wanted.fairness_so_far();
        self.counters.mean_satisfaction.set(fares.map_or(0.0, |fares| fares.mean));
        self.counters.worst_listener.set(fares.map_or(0.0, |fares| fares.worst));
        self.counters.longest_drought.set(fares.map_or(0.0, |fares| f64::from(fares.longest_drought)));
    }

    /// What stands in for the people of a zone.
    pub(crate) fn room_settings(&self, room: &ZoneRoom) -> RoomSettings {
        let settings = room.settings();
        RoomSettings {
            fairness: settings.fairness,
            profile: settings.profile.map(|profile| profile.map(f64::from)),
            profile_weight: settings.profile_weight,
            catalogue: self.library.shelf().middle,
        }
    }

    fn moment(&self, room: &ZoneRoom, at: Option<UnixMillis>) -> Moment {
        let now = self.clock.now();
        let settings = room.settings();
        let (wanted, present) = {
            let people = locked(&self.people);
            let wanted = people.room(room.zone.id, &self.room_settings(room), now);
            (wanted, people.count(Some(room.zone.id), now))
        };
        let stage = locked(&room.stage);
        let begins = stage.current.as_ref().map_or(now, |current| current.next_begins(room.crossfade(), now));
        let began = stage.current.as_ref().map_or(now, |current| current.started_at);
        let outlook = Outlook {
            made_at: now.max(began),
            now: at.unwrap_or(begins),
            rules: PickRules::from(&*settings).under(&self.licence()),
            artists: stage.artists.clone(),
            heard: stage.log.clone(),
            current: stage.current.as_ref().map(|current| current.pick.song.id),
            crossfade: room.crossfade(),
            zone_seed: room.seed,
            counter: stage.counter,
            room: wanted,
        };
        drop(stage);
        let source = outlook.room.target().source;
        let unheard = unheard(&outlook.room);
        Moment { outlook, source, present, unheard, shelf: self.library.shelf(), away: self.library.away() }
    }

    /// The plan with everything that players and people see of it.
    fn shown(&self, room: &ZoneRoom, moment: &Moment, planned: Vec<Planned>) -> Vec<Upcoming> {
        let songs: HashSet<SongId> = planned.iter().map(|one| one.pick.song).collect();
        let likes = locked(&self.people).likes(room.zone.id, &songs, self.clock.now());
        let upcoming = |planned: Planned| {
            let song = Arc::clone(moment.shelf.songs.get(&planned.pick.song)?);
            let by = likes.get(&song.id).copied().unwrap_or(0);
            let direction = song.facts.comparable().map(|embedding| embedding.unit());
            let onlookers = moment.onlookers(by, direction.as_ref());
            let explanation = explain(&planned.pick, planned.starts_at, &onlookers);
            let view = pick_view(room, new_id(self.clock.now()), song, explanation);
            Some(Upcoming { planned: Arc::new(planned), view: Arc::new(view) })
        };
        planned.into_iter().filter_map(upcoming).collect()
    }

    /// The catalogue ranked for the zone's vibe, without draw or look-ahead.
    pub(crate) async fn recommend(
        self: &Arc<Self>,
        room: &Arc<ZoneRoom>,
        first: usize,
    ) -> Result<Vec<Recommendation>, StoreError> {
        let (inner, ranked) = (Arc::clone(self), Arc::clone(room));
        if self.is_rebuilding() {
            return self
                .store
                .read(move |snapshot| inner.ranked_by_second_engine(&ranked, first, snapshot))
                .await;
        }
        let by_index = tokio::task::spawn_blocking(move || {
            let moment = inner.moment(&ranked, Some(inner.clock.now()));
            let Ok(ranked) = inner.ranked(&ranked, &moment, &*reading(&ranked.order), first);
            ranked
        });
        by_index.await.or(Err(StoreError::Panicked))
    }

    fn ranked_by_second_engine(
        &self,
        room: &ZoneRoom,
        first: usize,
        snapshot: &Snapshot,
    ) -> TxResult<Vec<Recommendation>> {
        let songs = Arc::new(self.library.as_it_is());
        let engine = VecEngine::new(snapshot, room.zone.id, room_window(&room.settings(), &songs))?;
        let moment = Moment { shelf: songs, ..self.moment(room, Some(self.clock.now())) };
        self.ranked(room, &moment, &engine, first)
    }

    fn ranked<R: Ranking>(
        &self,
        room: &ZoneRoom,
        moment: &Moment,
        ranking: &R,
        first: usize,
    ) -> Result<Vec<Recommendation>, R::Error> {
        let (now, vibe) = (moment.outlook.now, moment.outlook.room.target().axes);
        let allowed =
            |song: &Song| moment.outlook.rules.allow_explicit || song.facts.explicit != Explicit::Explicit;
        let mut asked = first + moment.away.len();
        let playable = loop {
            let top = ranking.top(&vibe, asked, now)?;
            let exhausted = top.len() < asked;
            let may_play = |one: &Ranked| moment.song(one.song).is_some_and(allowed);
            let playable: Vec<Ranked> = top.into_iter().filter(may_play).take(first).collect();
            if playable.len() == first || exhausted {
                break playable;
            }
            asked *= 2;
        };
        let songs: HashSet<SongId> = playable.iter().map(|one| one.song).collect();
        let likes = locked(&self.people).likes(room.zone.id, &songs, now);
        let recommended = |(ranked, rank): (&Ranked, u32)| {
            let song = Arc::clone(moment.shelf.songs.get(&ranked.song)?);
            let by = likes.get(&song.id).copied().unwrap_or(0);
            let direction = song.facts.comparable().map(|embedding| embedding.unit());
            let rests = rests_until(now, ranked.last_played_at, ranking.window());
            let onlookers = moment.onlookers(by, direction.as_ref());
            let explanation = explain(&as_pick(ranked, vibe, rests), now, &onlookers);
            Some(Recommendation { rank, song, explanation })
        };
        Ok(playable.iter().zip(1..).filter_map(recommended).collect())
    }

    /// Builds shelf, index and every zone's order anew, behind the music.
    pub(crate) async fn rebuild(self: &Arc<Self>) {
        let turn = self.rebuilding.lock().await;
        self.rebuild_in(turn).await;
        self.to_fill.notify_one();
    }

    async fn rebuild_in(self: &Arc<Self>, _turn: tokio::sync::MutexGuard<'_, ()>) {
        let inner = Arc::clone(self);
        let rebuilt = tokio::task::spawn_blocking(move || inner.rebuild_now());
        if let Err(panicked) = rebuilt.await {
            tracing::error!("the index could not be rebuilt: {panicked}");
        }
    }

    fn rebuild_now(&self) {
        self.mark_library_fresh();
        let built = self.library.rebuild();
        let index = Arc::new(index_of(&built));
        for room in &self.rooms {
            let plays: HashMap<SongId, UnixMillis> = locked(&room.stage).played.clone();
            let order = order_of(room_window(&room.settings(), &built), &index, plays, self.clock.now());
            *writing(&room.order) = order;
            self.stir(room);
        }
    }
}

/// The exact index over a shelf.
pub(crate) fn index_of(shelf: &Shelf) -> Index {
    Index::build(shelf.songs.values().map(|song| (song.id, song.facts.comparable())))
}

/// How long songs rest in a zone.
pub(crate) fn room_window(settings: &roomtone_schema::venue::ZoneSettings, shelf: &Shelf) -> Duration {
    window(settings.penalty(), shelf.length)
}

/// A zone's order over an index.
pub(crate) fn order_of(
    rest: Duration,
    index: &Arc<Index>,
    plays: impl IntoIterator<Item = (SongId, UnixMillis)>,
    now: UnixMillis,
) -> ZoneOrder {
    ZoneOrder::new(Arc::clone(index), plays, rest, now)
}

/// Where a zone's number of picks is kept.
pub(crate) fn counter_key(zone: ZoneId) -> String {
    format!("picks of {zone}")
}

/// A pick as players and people see it.
pub(crate) fn pick_view(room: &ZoneRoom, id: PickId, song: Arc<Song>, explanation: Explanation) -> PickView {
    let settings = room.settings();
    let gain_db = gain(&song, settings.loudness_lufs);
    PickView { id, song, crossfade_ms: settings.crossfade_ms, gain_db, explanation }
}

/// What brings a song to `target` LUFS without its true peak rising above the ceiling; nothing where it is unknown.
pub(crate) fn gain(song: &Song, target: f32) -> f32 {
    let Some(loudness) = song.facts.loudness_lufs else { return 0.0 };
    let room = song.facts.true_peak_dbtp.map_or(f32::INFINITY, |peak| PEAK_CEILING - peak);
    (target - loudness).min(room)
}

/// What a zone shows of what its people want.
pub(crate) fn vibe_view(wanted: &Room, present: usize, now: UnixMillis) -> VibeView {
    let target = wanted.target();
    let vibe = wanted.vibe();
    VibeView {
        axes: vibe.map_or(target.axes, |vibe| vibe.axes),
        consensus: vibe.map_or(0.0, |vibe| vibe.consensus),
        active_listeners: present as u32,
        source: target.source,
        updated_at: now,
    }
}

fn is_same(a: &VibeView, b: &VibeView) -> bool {
    let near = a.axes.iter().zip(&b.axes).all(|(a, b)| (a - b).abs() < SAME_VIBE);
    near && a.active_listeners == b.active_listeners
        && a.source == b.source
        && (a.consensus - b.consensus).abs() < SAME_VIBE
}

/// The taste of whoever has had least, where fairness has raised their weight.
fn unheard(room: &Room) -> Option<Axes> {
    let raised = room.listeners.iter().filter(|one| one.taste.is_some() && one.weight > 0.0);
    let least =
        raised.max_by(|a, b| a.debt.factor(room.fairness).total_cmp(&b.debt.factor(room.fairness)))?;
    least.taste.filter(|_| least.debt.factor(room.fairness) > 1.0)
}

/// A ranking's place as a pick that nobody drew, to be explained like one.
fn as_pick(ranked: &Ranked, vibe: Axes, rests_until: Option<UnixMillis>) -> Pick {
    let terms = Terms {
        vibe,
        standing: ranked.standing,
        similarity: ranked.similarity,
        penalty: ranked.penalty,
        misery: 0.0,
        drought: 0.0,
        jump: 0.0,
        score: ranked.score,
        last_played_at: ranked.last_played_at,
        rests_until,
        relaxed: Vec::new(),
        place: 1,
        drawn_from: Vec::new(),
    };
    Pick { song: ranked.song, seed: 0, terms }
}
