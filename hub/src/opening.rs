//! Opening the hub: everything that the room is, rebuilt from what is stored.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use roomtone_schema::explanation::{Onlookers, explain};
use roomtone_schema::id::Id;
use roomtone_schema::licence::COMPLEMENT_WINDOW;
use roomtone_schema::pick::{Pick, Terms};
use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::player::{Player, PlayerStatus};
use roomtone_schema::seed::Seeded;
use roomtone_schema::session::Session;
use roomtone_schema::venue::{Zone, ZoneSettings};
use roomtone_schema::vibe::VibeSource;
use roomtone_schema::{Clock, EmbeddingVersion, HubId, ListenerId, PlayerId, SongId, UnixMillis, VenueId};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use crate::check_in::{Known, LATELY};
use crate::clock::SteadyClock;
use crate::cloud_link::{Enrolment, put_in_place, settings};
use crate::counters::Counters;
use crate::hub::{Configured, HubOptions, Inner, derived};
use crate::in_force::{InForce, volume_key};
use crate::library::Library;
use crate::locks::locked;
use crate::manager::Managers;
use crate::pairing::desk::Desk;
use crate::players::Players;
use crate::presence::{People, REMEMBERED};
use crate::programme::{counter_key, index_of, order_of, pick_view, room_window, vibe_view};
use crate::room::{Current, SKIPS_ARE_KEPT, Stage, ZoneRoom};
use crate::room_code::CodeMaker;
use crate::secrets::{Hash, Key, new_id, random};
use crate::store::down_rows::{self, Here};
use crate::store::picks::{self, PickRecord};
use crate::store::players::Kept;
use crate::store::{
    OpenError, Snapshot, Store, StoreError, Tx, TxResult, hub_state, players, plays, preferences, sessions,
    skip_votes, songs, votes, zone_plays, zones,
};
use crate::view::{SyncState, SyncStatusView};

/// The zone that every venue has.
const MAIN: &str = "main";

/// So many picks are read back, for players that ask again.
const PICKS_READ: u32 = 16;

/// What the hub knows about itself.
struct Identity {
    hub: HubId,
    venue: VenueId,
    secret: [u8; 32],
    poster_serial: u64,
    manager: Option<Hash>,
    pin: Option<String>,
}

/// Everything that was read of one zone.
struct ZoneRecord {
    plays: Vec<(u32, UnixMillis)>,
    picks: Vec<PickRecord>,
    /// Plays of the newest pick.
    newest: Vec<Play>,
    skip_votes: HashSet<ListenerId>,
    counter: u64,
    /// When it was skipped in the last hour.
    skips: Vec<UnixMillis>,
    turned_to: Option<u8>,
}

/// Opens the store and rebuilds everything. Blocks for as long as that takes: nothing is served yet.
pub(crate) async fn open(options: HubOptions, clock: Arc<dyn Clock>) -> Result<Inner, OpenError> {
    let opening = tokio::task::spawn_blocking(move || open_now(options, clock));
    opening.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

fn open_now(mut options: HubOptions, clock: Arc<dyn Clock>) -> Result<Inner, OpenError> {
    let (store, opened) = Store::open(&options.data, Arc::clone(&clock))?;
    tell(&opened);
    let last = read(&store, hub_state::last_time)?;
    let clock = SteadyClock::start(clock, (last.0 > 0).then_some(last));
    let now = clock.now();
    let identity = write(&store, move |tx| identify(tx, now))?;
    finish_what_came_down(&store, now)?;
    let configured = configured(&mut options);
    let told = read(&store, settings::told)?;
    let zones = write_zones(&store, &told.zones_over(&configured), now)?;
    let venue = told.venue_over(&configured, identity.venue);
    let library = read_library(&store, &options.data)?;
    let shelf = library.shelf();
    let index = Arc::new(index_of(&shelf));
    let by_row = library.by_row();
    let rules = told.rules_over(&configured);
    let outside = clock.world(0);
    let mut rooms = Vec::new();
    for zone in &zones {
        let id = zone.id;
        let record = read(&store, move |conn| read_zone(conn, id, now))?;
        let seed =
            Seeded::new(u64::from_le_bytes(first_eight(&derived(&identity.secret, &zone.id.to_string()))));
        let plays: HashMap<SongId, UnixMillis> =
            record.plays.iter().filter_map(|(row, at)| Some((*by_row.get(row)?, *at))).collect();
        let order = order_of(room_window(&zone.settings, &shelf), &index, plays.clone(), now);
        let empty = vibe_view(&roomtone_schema::room::Room::default(), 0, now);
        let in_force = InForce::at(&zone.settings, outside, &rules.time_zone);
        let room = ZoneRoom::new(zone.clone(), seed.clone().next_u64(), in_force, order, empty);
        *locked(&room.turned_to) = record.turned_to;
        *locked(&room.stage) = stage(&room, &library, record, plays, now);
        rooms.push(Arc::new(room));
    }
    let people = read_people(&store, &options, now)?;
    let enrolment = read(&store, Enrolment::read)?;
    let ticket_keys = read(&store, |conn| hub_state::get::<Vec<u8>>(conn, hub_state::TICKET_KEYS))?;
    let ticket_keys = ticket_keys.unwrap_or_default().as_chunks().0.to_vec();
    let players = read_players(&store, &zones)?;
    let inner = Inner {
        codes: RwLock::new(CodeMaker::new(derived(&identity.secret, "room codes"), identity.poster_serial)),
        address_secret: derived(&identity.secret, "addresses"),
        id: identity.hub,
        venue: RwLock::new(Arc::new(venue)),
        configured,
        rules: RwLock::new(rules),
        manager: Mutex::new(identity.manager.map(Key::new)),
        managers: Managers::new(identity.pin),
        secret: identity.secret,
        store,
        clock,
        data: options.data,
        rooms,
        people: Mutex::new(people),
        players: Mutex::new(players),
        changing_secrets: tokio::sync::Mutex::new(()),
        wholes: TaskTracker::new(),
        desk: Desk::default(),
        players_shown: watch::Sender::new(Arc::from([])),
        sync_status: watch::Sender::new(Arc::new(nothing_synced(enrolment.is_some()))),
        drills: watch::Sender::default(),
        library,
        library_stale: AtomicBool::new(false),
        limits: options.limits,
        counters: Counters::default(),
        stirred: Notify::new(),
        news: Arc::default(),
        cataloguing: tokio::sync::Mutex::new(()),
        rebuilding: tokio::sync::Mutex::new(()),
        to_fill: Notify::new(),
        opened,
        backlog: crate::history::Backlog::default(),
        chores: Mutex::default(),
        joined: watch::Sender::new(0),
        ticket_keys: RwLock::new(ticket_keys),
        keys_changed: Notify::new(),
        songs_came: Notify::new(),
        over_licence: Mutex::default(),
        pairings_came: watch::Sender::new(()),
        cloud_ahead_ms: AtomicI64::new(0),
        reach: crate::reach::Reach::default(),
        enrolment: RwLock::new(enrolment),
    };
    inner.hear_again();
    inner.to_fill.notify_one();
    Ok(inner)
}

impl Inner {
    /// Lets everybody who is here hear again what was played since they came: fairness goes on where it was, as far
    /// as today's tastes tell.
    fn hear_again(&self) {
        let now = self.clock.now();
        for room in &self.rooms {
            let earliest = locked(&self.people).earliest(room.zone.id);
            let Some(earliest) = earliest else { continue };
            let mut heard: Vec<(UnixMillis, SongId)> = locked(&room.stage)
                .played
                .iter()
                .filter(|(_, at)| **at >= earliest)
                .map(|(song, at)| (*at, *song))
                .collect();
            heard.sort_unstable();
            for song in heard.into_iter().filter_map(|(_, song)| self.library.get(song)) {
                self.hear(room, &song.song, now);
            }
        }
    }
}

/// A catalogue that was being put in place when the hub ended is in place before anybody reads of it.
fn finish_what_came_down(store: &Store, now: UnixMillis) -> Result<(), OpenError> {
    let Some(what) = read(store, down_rows::unstaging)? else { return Ok(()) };
    let enrolment = read(store, Enrolment::read)?;
    let me = enrolment.map_or(HubId(uuid::Uuid::nil()), |enrolment| enrolment.hub);
    put_in_place(store, Here { me, now, shift_ms: 0 }, &what).map(drop).map_err(while_opening)
}

/// Says what was found, where a person should know.
fn tell(opened: &crate::store::Opened) {
    if opened.created {
        tracing::info!("this is a new hub; its data folder was empty");
    }
    if opened.unclean {
        tracing::info!(
            "the hub was not stopped in order the last time; its database was checked and is sound"
        );
    }
    if 0 < opened.unsound_facts {
        tracing::error!(
            "{} facts in the database are not what was written: its disk may be dying; make a backup elsewhere",
            opened.unsound_facts
        );
    }
    if let Some(restored) = &opened.restored {
        tracing::error!("{restored}");
    }
}

/// Who this hub is; made at the first start.
fn identify(tx: &Tx<'_>, now: UnixMillis) -> TxResult<Identity> {
    let hub = id_of(tx, hub_state::HUB_ID, now)?;
    let venue = id_of(tx, hub_state::VENUE_ID, now)?;
    let secret = if let Some(secret) = hub_state::get::<[u8; 32]>(tx, hub_state::SECRET)? {
        secret
    } else {
        let secret = random::<32>();
        hub_state::put(tx, hub_state::SECRET, secret)?;
        secret
    };
    hub_state::keep_time(tx, now)?;
    let poster_serial = hub_state::get::<i64>(tx, hub_state::POSTER)?.unwrap_or(0).cast_unsigned();
    let (manager, pin) =
        (hub_state::get(tx, hub_state::MANAGER)?, hub_state::get(tx, hub_state::MANAGER_PIN)?);
    Ok(Identity { hub, venue, secret, poster_serial, manager, pin })
}

fn id_of<I: Id>(tx: &Tx<'_>, key: &str, now: UnixMillis) -> TxResult<I> {
    if let Some(bytes) = hub_state::get::<[u8; 16]>(tx, key)? {
        return Ok(I::from_bytes(bytes));
    }
    let id: I = new_id(now);
    hub_state::put(tx, key, id.to_bytes())?;
    Ok(id)
}

/// What is configured of the venue and its zones, `main` first.
fn configured(options: &mut HubOptions) -> Configured {
    let mut zones = std::mem::take(&mut options.zones);
    if !zones.iter().any(|(name, _)| name == MAIN) {
        zones.push((MAIN.to_owned(), ZoneSettings::default()));
    }
    zones.sort_by_key(|(name, _)| name != MAIN);
    let (venue_name, time_zone) = (options.venue_name.clone(), options.time_zone.clone());
    Configured { venue_name, time_zone, licence: options.licence, zones }
}

/// The zones with their lasting ids.
fn write_zones(
    store: &Store,
    wanted: &[(String, ZoneSettings)],
    now: UnixMillis,
) -> Result<Vec<Zone>, OpenError> {
    let names: Vec<String> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let ids = write(store, move |tx| {
        for name in &names {
            zones::insert(tx, new_id(now), name)?;
        }
        zones::all(tx)
    })?;
    let ids: HashMap<String, _> = ids.into_iter().map(|(id, name)| (name, id)).collect();
    let zone = |(name, settings): &(String, ZoneSettings)| {
        Some(Zone { id: *ids.get(name)?, name: name.clone(), settings: settings.clone() })
    };
    Ok(wanted.iter().filter_map(zone).collect())
}

fn read_library(store: &Store, data: &Path) -> Result<Library, OpenError> {
    const PAGE: u32 = 5_000;
    let mut all = Vec::new();
    let mut after = None;
    loop {
        // In pages, each within a reader's deadline also on a slow disk.
        let page = read(store, move |conn| songs::page(conn, after, PAGE))?;
        let full = page.len() == PAGE as usize;
        after = page.last().map(|last| last.song.id);
        all.extend(page.into_iter().map(|one| (one.row, one.song)));
        if !full {
            return Ok(Library::new(data.join("media"), all));
        }
    }
}

/// The whole catalogue at once, for whoever has no deadline.
pub(crate) fn read_all_songs(conn: &Snapshot) -> TxResult<Vec<(u32, roomtone_schema::song::Song)>> {
    let all = songs::page(conn, None, u32::MAX)?;
    Ok(all.into_iter().map(|one| (one.row, one.song)).collect())
}

/// By whose clock the venue's days are told.
pub(crate) fn calendar(conn: &Snapshot, options: &HubOptions) -> TxResult<jiff::tz::TimeZone> {
    let configured = configured(&mut options.clone());
    Ok(settings::told(conn)?.rules_over(&configured).time_zone)
}

fn read_zone(conn: &Snapshot, zone: roomtone_schema::ZoneId, now: UnixMillis) -> TxResult<ZoneRecord> {
    let picks = picks::recent(conn, zone, PICKS_READ)?;
    let newest = match picks.first() {
        Some(pick) => plays::recent(conn, zone, pick.decided_at, 64)?
            .into_iter()
            .filter(|play| play.pick == Some(pick.id))
            .collect(),
        None => Vec::new(),
    };
    let skip_votes = match picks.first() {
        Some(pick) => skip_votes::of_pick(conn, pick.id)?.into_iter().collect(),
        None => HashSet::new(),
    };
    let counter = hub_state::get::<i64>(conn, &counter_key(zone))?.unwrap_or(0).cast_unsigned();
    let lately = plays::recent(conn, zone, now - SKIPS_ARE_KEPT, 256)?;
    let skips = lately.iter().filter(|play| play.ended == Some(PlayEnd::Skipped));
    // One song that several players left is one skip.
    let skips: HashMap<_, _> = skips.filter_map(|play| Some((play.pick?, play.ended_at?))).collect();
    let skips = skips.into_values().collect();
    let turned_to = hub_state::get::<u8>(conn, &volume_key(zone))?;
    Ok(ZoneRecord {
        plays: zone_plays::of_zone(conn, zone)?,
        picks,
        newest,
        skip_votes,
        counter,
        skips,
        turned_to,
    })
}

/// What plays in a zone, and what it has heard.
fn stage(
    room: &ZoneRoom,
    library: &Library,
    record: ZoneRecord,
    played: HashMap<SongId, UnixMillis>,
    now: UnixMillis,
) -> Stage {
    let mut stage = Stage { counter: record.counter, ..Stage::default() };
    let separation = Duration::from_mins(u64::from(room.settings().artist_separation_min));
    stage.skips = record.skips.into();
    let longest = separation.max(COMPLEMENT_WINDOW);
    let mut lately: Vec<_> = played.iter().filter(|(_, at)| now.since(**at) < longest).collect();
    lately.sort_unstable_by_key(|(song, at)| (**at, **song));
    for (song, at) in lately {
        let Some(kept) = library.get(*song) else { continue };
        stage.log.hear(&kept.song, *at);
        if now.since(*at) < separation {
            stage.artists.hear(&kept.song, *at);
        }
    }
    stage.played = played;
    for pick in &record.picks {
        if let Some(view) = view_of(room, library, pick) {
            stage.remember(Arc::new(view));
        }
    }
    if let Some(newest) = record.picks.first() {
        stage.current = stage.pick(newest.id).map(|pick| {
            let given_to: BTreeSet<PlayerId> = record.newest.iter().map(|play| play.player).collect();
            let first = record.newest.iter().min_by_key(|play| (play.started_at, play.id));
            let leader = first.map_or(PlayerId(uuid::Uuid::nil()), |play| play.player);
            let mut current = Current::begin(pick, leader, newest.decided_at);
            current.given_to = given_to;
            current.over = record.newest.iter().any(was_ended);
            current.tier = first.map_or(Tier::Hub, |play| play.tier);
            current.skip_votes = record.skip_votes;
            current
        });
    }
    stage
}

fn was_ended(play: &Play) -> bool {
    play.ended.is_some_and(|end| end != PlayEnd::Stopped)
}

fn view_of(room: &ZoneRoom, library: &Library, record: &PickRecord) -> Option<crate::view::PickView> {
    let song = library.get(record.song)?.song;
    let terms: Terms = serde_json::from_value(record.terms.clone()).ok()?;
    let pick = Pick { song: record.song, seed: record.seed, terms };
    let nobody = Onlookers { source: VibeSource::Listeners, present: 0, likes: 0, unheard: None, song: None };
    let explanation = explain(&pick, record.decided_at, &nobody);
    Some(pick_view(room, record.id, song, explanation))
}

fn read_people(store: &Store, options: &HubOptions, now: UnixMillis) -> Result<People, OpenError> {
    let idle = Duration::from_mins(u64::from(options.limits.idle_minutes));
    let since = now - Duration::from_hours(24);
    let mut people = People::new(idle);
    for (session, token) in read(store, move |conn| sessions::ended_since(conn, since, REMEMBERED as u32))? {
        people.remember_gone(token, &session);
    }
    let active: Vec<(Session, Hash)> = read(store, sessions::active)?;
    let mut all_known = read_known(store, now)?;
    for (session, token) in active {
        // Of several sessions of one listener the first brings what is known.
        let known = all_known.remove(&session.listener).unwrap_or_default();
        people.enter(session, token, known.into());
    }
    Ok(people)
}

/// What the store has of everybody who is checked in: a question for each kind of row, not for each person.
fn read_known(store: &Store, now: UnixMillis) -> Result<HashMap<ListenerId, Known>, OpenError> {
    let mut all: HashMap<ListenerId, Known> = HashMap::new();
    for (listener, state) in read(store, |conn| preferences::all_active(conn, EmbeddingVersion::CURRENT))? {
        all.entry(listener).or_default().state = state;
    }
    for vote in read(store, votes::effective_of_active)? {
        all.entry(vote.listener).or_default().effective.push(vote);
    }
    for (listener, at) in read(store, move |conn| votes::all_cast_since(conn, now - LATELY))? {
        all.entry(listener).or_default().recent.push(at);
    }
    Ok(all)
}

fn read_players(store: &Store, zones: &[Zone]) -> Result<Players, OpenError> {
    let mut found = Players::default();
    let mut open: HashMap<PlayerId, Play> =
        read(store, |conn| plays::open(conn, None))?.into_iter().map(|play| (play.player, play)).collect();
    for kept in read(store, players::all)? {
        let player = kept.player;
        // A zone that was taken out of the configuration: its players play in the main one.
        let known = zones.iter().any(|zone| zone.id == player.zone);
        let zone = if known { player.zone } else { zones[0].id };
        let play = open.remove(&player.id);
        let player = Player { status: PlayerStatus::Offline, zone, ..player };
        found.put(Kept { player, ..kept }, play);
    }
    Ok(found)
}

fn nothing_synced(enrolled: bool) -> SyncStatusView {
    SyncStatusView {
        state: SyncState::Offline,
        enrolled,
        dead_letters: 0,
        last_pushed_at: None,
        last_pulled_at: None,
        pending: 0,
        oldest_pending_at: None,
        cached_songs: 0,
        total_songs: 0,
        cached_bytes: 0,
        last_error: None,
    }
}

fn first_eight(bytes: &[u8; 32]) -> [u8; 8] {
    std::array::from_fn(|index| bytes[index])
}

fn read<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Snapshot) -> TxResult<T> + Send + 'static,
) -> Result<T, OpenError> {
    store.read_blocking(work).map_err(while_opening)
}

fn write<T: Send + 'static>(
    store: &Store,
    work: impl Fn(&Tx<'_>) -> TxResult<T> + Send + 'static,
) -> Result<T, OpenError> {
    store.write_blocking(work).map_err(while_opening)
}

fn while_opening(error: StoreError) -> OpenError {
    OpenError::Io(std::io::Error::other(error))
}
