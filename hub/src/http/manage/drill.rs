//! Rehearsing an outage from the page.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{No, Office, read, reply};
use crate::drill::{Cut, DrillReport};
use crate::hub::Hub;

/// The drill that goes on, and what came of the last one.
pub(super) fn told(hub: &Hub) -> Value {
    let standing = hub.drills().borrow().clone();
    let running = standing.drill.map(|drill| {
        let left = if standing.is_over { 0 } else { drill.ends_at.since(hub.now()).as_secs() };
        json!({ "cut": drill.cut, "left_s": left, "is_over": standing.is_over })
    });
    json!({ "running": running, "last": standing.last.as_deref().map(|report| last(hub, report)) })
}

fn last(hub: &Hub, report: &DrillReport) -> Value {
    json!({
        "cut": report.drill.cut,
        "is_good": report.is_good(),
        "ended_ago_s": hub.now().since(report.ended_at).as_secs(),
        "lasted_s": report.ended_at.since(report.drill.began_at).as_secs(),
        "silence_s": report.silence.iter().map(|(_, ms)| ms).sum::<u64>().div_ceil(1_000),
        "plays": report.plays,
        "votes": report.votes.0,
        "votes_kept": report.votes.1,
        "missing": report.missing,
    })
}

#[derive(Deserialize)]
struct Wanted {
    cut: Cut,
    minutes: u64,
}

/// Cuts the hub off, from its cloud or from everybody.
pub(super) async fn begin(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Wanted = read(request).await?;
    office.hub.start_drill(asked.cut, Duration::from_secs(asked.minutes.saturating_mul(60)))?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

/// Ends the cut before its time.
pub(super) async fn stop(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    office.hub.stop_drill();
    Ok(reply(StatusCode::OK, &office.overview(who)))
}
