//! The zones: what each hears, what comes next, and its week.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use roomtone_schema::fairness::Fairness;
use roomtone_schema::id::Id as _;
use roomtone_schema::schedule::Schedule;
use roomtone_schema::song::Song;
use roomtone_schema::{UnixMillis, ZoneId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{No, Office, read, reply};
use crate::faring::ZoneFares;
use crate::hub::Hub;

/// So many songs are shown of what comes.
const NEXT: usize = 3;

/// So many days are shown of how people fared.
const DAYS: u16 = 7;

/// Every zone as the page shows it.
pub(super) fn all(hub: &Hub) -> Vec<Value> {
    hub.zones().iter().filter_map(|zone| room(hub, zone.id, &zone.name)).collect()
}

fn room(hub: &Hub, zone: ZoneId, name: &str) -> Option<Value> {
    let now = hub.now_playing(zone).ok()?.borrow().clone();
    let now = now.map(|now| {
        let position = u64::from(now.position_ms) + hub.now().since(now.as_of).as_millis() as u64;
        let mut told = song(&now.pick.song);
        told["position_ms"] = json!(position.min(u64::from(now.pick.song.facts.duration_ms)));
        told["skip_votes"] = json!(now.skip_votes);
        told
    });
    let next = hub.up_next(zone).ok()?.borrow().clone();
    let next: Vec<Value> = next.iter().take(NEXT).map(|recommended| song(&recommended.song)).collect();
    let people = hub.vibe(zone).ok()?.borrow().active_listeners;
    let hours = hub.hours(zone)?;
    let at = |at: Option<UnixMillis>| at.map(|at| at.0);
    Some(json!({
        "id": zone.to_global(),
        "name": name,
        "now": now,
        "next": next,
        "people": people,
        "hours": {
            "as_of": hours.as_of.0,
            "is_open": hours.is_open,
            "closes_at": at(hours.closes_at),
            "opens_at": at(hours.opens_at),
            "daypart": hours.daypart,
        },
        "schedule": hub.schedule(zone),
    }))
}

fn song(song: &Song) -> Value {
    let axes = song.facts.embedding.map(|embedding| embedding.values().to_vec());
    json!({
        "title": song.facts.title,
        "artist": song.facts.artist,
        "duration_ms": song.facts.duration_ms,
        "axes": axes,
    })
}

/// How the people of each zone fare: now, and on the last days, the newest first.
pub(super) async fn fares(State(office): State<Office>, request: Request) -> Result<Response, No> {
    office.admit(&request).await?;
    let zones = office.hub.fares(DAYS).await?;
    let zones: Vec<Value> = zones.iter().map(fares_in).collect();
    Ok(reply(StatusCode::OK, &json!({ "zones": zones })))
}

fn fares_in(zone: &ZoneFares) -> Value {
    let days = zone.days.iter().rev().map(|day| {
        let mut told = figures(&day.figures.fares);
        told["date"] = json!(day.date.to_string());
        told["people"] = json!(day.figures.visits);
        told
    });
    let now = zone.now.map(|now| {
        let mut told = figures(&now.fares);
        told["people"] = json!(now.people);
        told
    });
    json!({ "zone": zone.zone.to_global(), "setting": zone.setting, "now": now, "days": days.collect::<Vec<_>>() })
}

fn figures(fares: &Fairness) -> Value {
    json!({
        "mean": fares.mean,
        "worst": fares.worst,
        "worst_of_mean": fares.worst_of_mean(),
        "longest_drought": fares.longest_drought,
    })
}

/// Whose the week is, and by which clock it is told.
pub(super) fn week(hub: &Hub) -> Value {
    json!({ "of_the_cloud": hub.week_is_of_the_cloud(), "time_zone": hub.venue().time_zone })
}

#[derive(Deserialize)]
struct InZone {
    zone: String,
}

/// Leaves the song that a zone hears.
pub(super) async fn skip(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: InZone = read(request).await?;
    office.hub.skip_in(zone(&asked.zone)?).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

#[derive(Deserialize)]
struct Week {
    zone: String,
    schedule: Schedule,
}

/// Gives a zone another week.
pub(super) async fn set_week(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Week = read(request).await?;
    office.hub.set_schedule(zone(&asked.zone)?, asked.schedule).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

pub(super) fn zone(id: &str) -> Result<ZoneId, No> {
    ZoneId::from_global(id).map_err(|_no_id| No::UnknownZone)
}
