//! `/health`: whether the hub does its work, for people and watchdogs.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use roomtone_schema::UnixMillis;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::locks::locked;

/// Below this the disk counts as nearly full: the store, its backups and its log need some of it to go on.
const SCARCE_BYTES: u64 = 256 * 1024 * 1024;

/// What a manager should know where guests come by the cloud only.
pub(crate) const GUESTS_CUT_OFF: &str = "guests cannot reach this hub: they come by the cloud's page, and no phone of this \
     network was seen here since. The music and their votes go on; let the guests' Wi-Fi reach the hub, or print the poster \
     with the cloud's address";

/// Whether the hub does its work.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is another question that people and watchdogs ask")]
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
    /// Players from which nothing is heard though something should be.
    pub players_silent: u64,
    /// Facts that the cloud does not have yet.
    pub outbox: u64,
    /// Whether writes are refused (a full or failing disk).
    pub read_only: bool,
    /// Whether guests come by the cloud only: their phones seem not to reach this hub.
    pub guests_cut_off: bool,
    /// Whether the exact index serves (false: it rebuilds, and vec0 does).
    pub index_ready: bool,
}

#[derive(Clone)]
struct Watched {
    hub: Hub,
    since: UnixMillis,
}

/// The routes.
pub(crate) fn router(hub: Hub, since: UnixMillis) -> Router {
    Router::new().route("/health", get(answer)).with_state(Watched { hub, since })
}

async fn answer(State(watched): State<Watched>) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(report(&watched.hub, watched.since))).into_response()
}

impl Hub {
    /// Whether the hub does its work.
    pub fn health(&self) -> Health {
        let now = self.now();
        let census = self.0.library.census();
        let stats = self.0.store.stats();
        let (players_online, players) = locked(&self.0.players).count();
        Health {
            now,
            clock_trusted: self.0.clock.is_trusted(),
            playable_songs: census.playable,
            total_songs: census.total,
            active_listeners: locked(&self.0.people).count(None, now) as u64,
            players_online,
            players,
            players_silent: self.player_states().iter().filter(|state| state.is_silent()).count() as u64,
            outbox: stats.outbox_pending,
            read_only: stats.health != crate::store::Health::Good,
            guests_cut_off: self.guests_are_cut_off(),
            index_ready: !self.0.library_is_stale(),
        }
    }
}

/// What `/health` says. `status` is `ok`, or `degraded` with the `problems` as sentences.
pub fn report(hub: &Hub, since: UnixMillis) -> Value {
    let health = hub.health();
    let disk = disk(hub);
    let problems = problems(&health, disk.as_ref());
    json!({
        "status": if problems.is_empty() { "ok" } else { "degraded" },
        "problems": problems,
        "version": env!("CARGO_PKG_VERSION"),
        "hub": hub.id().to_string(),
        "venue": hub.venue().name,
        "songs": { "playable": health.playable_songs, "total": health.total_songs },
        "listeners": health.active_listeners,
        "players": {
            "online": health.players_online,
            "total": health.players,
            "silent": health.players_silent,
            "silence_s": silence_s(hub),
        },
        "outbox": health.outbox,
        "index_ready": health.index_ready,
        "read_only": health.read_only,
        "clock_trusted": health.clock_trusted,
        "disk": disk.map(|disk| json!({ "free_bytes": disk.free, "total_bytes": disk.total })),
        "uptime_s": health.now.since(since).as_secs(),
    })
}

/// Unplanned silence of all players since they were added.
fn silence_s(hub: &Hub) -> f64 {
    hub.players().borrow().iter().map(|view| view.player.silence_ms as f64 / 1_000.0).sum()
}

pub(crate) struct Disk {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// The disk that holds the music; `None` where the system does not say.
pub(crate) fn disk(hub: &Hub) -> Option<Disk> {
    let about = rustix::fs::statvfs(hub.media_dir()).ok()?;
    Some(Disk { free: about.f_bavail * about.f_frsize, total: about.f_blocks * about.f_frsize })
}

/// What somebody should look after.
pub(crate) fn findings(hub: &Hub) -> Vec<&'static str> {
    problems(&hub.health(), disk(hub).as_ref())
}

fn problems(health: &Health, disk: Option<&Disk>) -> Vec<&'static str> {
    let scarce = disk.is_some_and(|disk| disk.free < SCARCE_BYTES);
    [
        (health.read_only, "nothing can be saved: the disk is full or failing"),
        (scarce, "the disk is nearly full"),
        (health.playable_songs == 0, "no music yet: run `roomtone-hub import DIR`"),
        (
            0 < health.players_silent,
            "a player is silent though it should play: see `roomtone-hub player list`",
        ),
        (health.guests_cut_off, GUESTS_CUT_OFF),
        (!health.clock_trusted, "the system clock jumped; times are the hub's own until it agrees again"),
    ]
    .into_iter()
    .filter_map(|(so, why)| so.then_some(why))
    .collect()
}
