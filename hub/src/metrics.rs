//! `/metrics`: numbers for Prometheus, in its text format.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use roomtone_schema::UnixMillis;
use roomtone_schema::play::Tier;

use crate::counters::Counters;
use crate::health;
use crate::hub::Hub;
use crate::players::PlayerState;
use crate::store::{COMMIT_BOUNDS_MS, StoreStats};
use crate::view::SyncState;

#[derive(Clone)]
struct Watched {
    hub: Hub,
    /// Of each front.
    sockets: Vec<Arc<AtomicUsize>>,
    since: UnixMillis,
}

/// The routes.
pub(crate) fn router(hub: Hub, sockets: Vec<Arc<AtomicUsize>>, since: UnixMillis) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(Watched { hub, sockets, since })
}

async fn answer(State(watched): State<Watched>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, text(&watched)).into_response()
}

fn text(watched: &Watched) -> String {
    let mut page = Page::default();
    let store = watched.hub.store().stats();
    music(&mut page, &watched.hub);
    people(&mut page, &watched.hub);
    players(&mut page, &watched.hub);
    saving(&mut page, &store);
    machine(&mut page, watched);
    page.0
}

fn music(page: &mut Page, hub: &Hub) {
    let counters = hub.counters();
    page.counter("picks", "Songs decided on.", counters.picks.get());
    page.head("relaxations", "counter", "Picks for which a rule had to give way, by rule.");
    for (rule, count) in [
        ("artist", &counters.relaxed_artist),
        ("rest", &counters.relaxed_rest),
        ("kind", &counters.relaxed_kind),
        ("licence", &counters.relaxed_licence),
        ("storage", &counters.relaxed_storage),
        ("explicit", &counters.relaxed_explicit),
        ("direction", &counters.undirected_picks),
    ] {
        page.labelled("relaxations_total", "rule", rule, count.get());
    }
    page.counter(
        "picks_by_second_engine",
        "Picks served while the index was rebuilding.",
        counters.picks_by_second_engine.get(),
    );
    page.counter("skips", "Songs the room voted away.", counters.skips.get());
    page.counter("failed_plays", "Plays that failed on a player.", counters.failed_plays.get());
    page.counter(
        "missing_files",
        "Songs passed over because their file is missing.",
        counters.missing_files.get(),
    );
    let health = hub.health();
    page.gauge("songs_playable", "Songs that may be played.", health.playable_songs);
    page.gauge("songs", "Songs of the catalogue.", health.total_songs);
    page.gauge("index_ready", "1 while the exact index serves.", u8::from(health.index_ready));
}

fn people(page: &mut Page, hub: &Hub) {
    let counters = hub.counters();
    page.gauge("listeners", "People checked in.", hub.health().active_listeners);
    page.counter("votes", "Votes recorded.", counters.votes.get());
    page.counter("votes_limited", "Votes refused for their number.", counters.votes_limited.get());
    page.counter("check_ins", "Check-ins.", counters.check_ins.get());
    page.counter(
        "check_ins_by_cloud",
        "Check-ins at the cloud's page that have come down.",
        counters.check_ins_by_cloud.get(),
    );
    page.counter("wrong_codes", "Check-ins refused for a wrong code.", counters.wrong_codes.get());
    page.counter(
        "check_ins_limited",
        "Check-ins refused for their number.",
        counters.check_ins_limited.get(),
    );
    page.counter("sessions_expired", "Sessions that ran out.", counters.expired_sessions.get());
    page.gauge(
        "satisfaction_mean",
        "Mean satisfaction in the main zone, -1 to 1.",
        counters.mean_satisfaction.get(),
    );
    page.gauge("satisfaction_worst", "Satisfaction of whoever has had least.", counters.worst_listener.get());
    page.gauge(
        "drought_longest",
        "Songs in a row somebody here had against their taste.",
        counters.longest_drought.get(),
    );
}

fn players(page: &mut Page, hub: &Hub) {
    let players = hub.player_states();
    let mut each = |name: &str, kind: &str, help: &str, value: &dyn Fn(&PlayerState) -> Option<f64>| {
        page.head(name, kind, help);
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        for state in &players {
            if let Some(value) = value(state) {
                page.labelled(&name, "player", &state.player.name, value);
            }
        }
    };
    each("silence_seconds", "counter", "Unplanned silence since a player was added.", &|state| {
        Some(state.player.silence_ms as f64 / 1_000.0)
    });
    each("player_up", "gauge", "1 while a player is heard of.", &|state| {
        Some(f64::from(u8::from(state.is_online())))
    });
    each("player_silent", "gauge", "1 while nothing is heard from a player that should play.", &|state| {
        Some(f64::from(u8::from(state.is_silent())))
    });
    each("player_tier", "gauge", "Where a player's music comes from: 0 hub, 1 plan, 2 cache.", &|state| {
        Some(match state.tier {
            Tier::Hub => 0.0,
            Tier::Plan => 1.0,
            Tier::Cache => 2.0,
        })
    });
    each("player_level_db", "gauge", "How loud a player's output is, in dB below full scale.", &|state| {
        state.health.as_ref().filter(|_| state.is_online())?.level_db
    });
}

fn saving(page: &mut Page, store: &StoreStats) {
    page.head("commit_seconds", "histogram", "Time of a durable commit.");
    let mut so_far = 0;
    for (bound, count) in COMMIT_BOUNDS_MS.iter().zip(store.commits_by_ms) {
        so_far += count;
        page.labelled("commit_seconds_bucket", "le", &(*bound as f64 / 1_000.0).to_string(), so_far);
    }
    page.labelled("commit_seconds_bucket", "le", "+Inf", store.commits);
    page.value("commit_seconds_sum", store.commit_ms_total as f64 / 1_000.0);
    page.value("commit_seconds_count", store.commits);
    page.counter("writes", "Writes acknowledged.", store.writes);
    page.counter("writes_failed", "Writes refused or failed.", store.failed_writes);
    page.counter("disk_failures", "Times the disk failed.", store.disk_failures);
    page.gauge("outbox_length", "Facts that the cloud does not have yet.", store.outbox_pending);
    page.gauge("database_bytes", "Size of the database.", store.database_bytes);
    page.gauge("wal_bytes", "Size of its write-ahead log.", store.wal_bytes);
}

fn files(page: &mut Page, counters: &Counters) {
    page.counter("downloads", "Files of songs that came from the cloud.", counters.downloads.get());
    page.counter("downloaded_bytes", "Their bytes.", counters.downloaded_bytes.get());
    page.counter("uploads", "Files of songs that were put to the cloud.", counters.uploads.get());
    page.counter("uploaded_bytes", "Their bytes.", counters.uploaded_bytes.get());
    page.counter(
        "songs_let_go",
        "Files of songs that were removed because the licence does not let them be kept.",
        counters.let_go.get(),
    );
    page.counter("evictions", "Files of songs that gave way to others.", counters.evictions.get());
    page.gauge("uploads_refused", "Files that the cloud does not take.", counters.uploads_refused.get());
}

fn machine(page: &mut Page, watched: &Watched) {
    let status = watched.hub.sync_status().borrow().clone();
    let is_linked = matches!(status.state, SyncState::Synced | SyncState::Syncing);
    page.gauge("cloud_linked", "Whether the hub and its cloud talk.", u64::from(is_linked));
    page.gauge("dead_letters", "Facts that the cloud keeps apart.", status.dead_letters);
    files(page, watched.hub.counters());
    let health = watched.hub.health();
    page.gauge(
        "subscribers",
        "Connections that stay open: WebSockets and event streams.",
        watched.sockets.iter().map(|sockets| sockets.load(Ordering::Relaxed)).sum::<usize>(),
    );
    page.gauge(
        "clock_trusted",
        "1 while the system clock agrees with the hub's.",
        u8::from(health.clock_trusted),
    );
    page.gauge("uptime_seconds", "Since the hub started.", health.now.since(watched.since).as_secs());
    if let Some(disk) = health::disk(&watched.hub) {
        page.gauge("disk_free_bytes", "Room on the disk that holds the music.", disk.free);
    }
    if let Some(bytes) = resident_bytes() {
        page.gauge("resident_bytes", "Memory the hub uses.", bytes);
    }
}

/// What Linux says about this process; other systems say nothing here.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// The text format: every name begins with `roomtone_`, counters end in `_total`.
#[derive(Default)]
struct Page(String);

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.value(&format!("{name}_total"), value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.value(name, value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        let _ = writeln!(self.0, "# HELP roomtone_{name} {help}\n# TYPE roomtone_{name} {kind}");
    }

    fn value(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "roomtone_{name} {value}");
    }

    fn labelled(&mut self, name: &str, label: &str, of: &str, value: impl Display) {
        let of = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(self.0, "roomtone_{name}{{{label}=\"{of}\"}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_players_name_cannot_break_the_page() {
        let mut page = Page::default();
        page.labelled("player_up", "player", "the \"bar\"\\\n", 1);
        assert_eq!(page.0, "roomtone_player_up{player=\"the \\\"bar\\\"\\\\\\n\"} 1\n");
    }

    #[test]
    fn linux_says_how_much_memory_the_hub_uses() {
        assert!(!cfg!(target_os = "linux") || resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
