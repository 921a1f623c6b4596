//! `/metrics`: numbers for Prometheus, in its text format. Nothing of any venue or person is among them.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::health::Watched;

/// The route.
pub(super) fn router(watched: Watched) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(watched)
}

async fn answer(State(watched): State<Watched>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, text(&watched).await).into_response()
}

async fn text(watched: &Watched) -> String {
    let mut page = Page::default();
    page.gauge("up", "1 while the database answers.", u8::from(watched.database_answers().await));
    page.gauge("uptime_seconds", "Since this replica began.", watched.uptime().as_secs());
    page.gauge("sockets", "Connections that stay open for events.", watched.sockets.load(Ordering::Relaxed));
    let pool = watched.cloud.database.pool();
    page.gauge("database_connections", "Connections to the database.", pool.size());
    page.gauge("database_connections_idle", "Of these, without work.", pool.num_idle());
    if let Some(strays) = watched.stray_facts().await {
        page.gauge(
            "stray_facts",
            "Facts outside every week that there is: an alarm where it is not 0.",
            strays,
        );
    }
    people(&mut page, watched);
    if let Some(link) = watched.cloud.bus.link() {
        let (sent, heard) = link.counts();
        page.gauge("bus_connected", "1 while replicas wake each other.", u8::from(link.is_connected()));
        page.counter("bus_sent", "Messages to other replicas.", sent);
        page.counter("bus_heard", "Changes that other replicas told.", heard);
    }
    page.0
}

fn people(page: &mut Page, watched: &Watched) {
    let (admitted, refused) = watched.gate.counts();
    page.counter("tokens_admitted", "Requests with a good token.", admitted);
    page.head("tokens_refused", "counter", "Requests with a token that opens nothing, by reason.");
    for (reason, count) in refused {
        let _ = writeln!(page.0, "roomtone_cloud_tokens_refused_total{{reason=\"{reason}\"}} {count}");
    }
    let keys = watched.gate.keys();
    page.gauge("issuer_keys", "Published keys that are here.", keys.count());
    let age = keys.age().map_or(-1, |age| age.as_secs() as i64);
    page.gauge("issuer_keys_age_seconds", "Since they came; -1 where there are none.", age);
    page.counter("issuer_keys_asked", "Times that they were asked for.", keys.asks());
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        let _ = writeln!(self.0, "roomtone_cloud_{name}_total {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "roomtone_cloud_{name} {value}");
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let name = format!("roomtone_cloud_{name}{suffix}");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
}
