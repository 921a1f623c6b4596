//! The poster that hangs on the wall.

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use roomtone_server::ui::ManagePage;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{No, Office, document, reply};
use crate::orders;
use crate::qr;
use crate::upkeep;

/// The document, which says nothing of the venue by itself.
pub(super) async fn page(request: Request) -> Response {
    document(&request, ManagePage::Poster)
}

#[derive(Deserialize)]
pub(super) struct OfZone {
    zone: Option<String>,
}

/// What stands on it.
pub(super) async fn look(
    State(office): State<Office>,
    Query(asked): Query<OfZone>,
    request: Request,
) -> Result<Response, No> {
    office.admit(&request).await?;
    told(&office, asked.zone.as_deref()).map(|told| reply(StatusCode::OK, &told))
}

/// It goes to the printer: its address should hold from now on.
pub(super) async fn printed(
    State(office): State<Office>,
    Query(asked): Query<OfZone>,
    request: Request,
) -> Result<Response, No> {
    office.admit(&request).await?;
    let place = office.around.place.as_ref().ok_or(No::Nowhere)?;
    let noted = upkeep::note_printed(&place.data, &place.to_print().to_string());
    noted.map_err(|error| No::Arriving(error.into()))?;
    told(&office, asked.zone.as_deref()).map(|told| reply(StatusCode::OK, &told))
}

/// Another code: posters that hang open nothing any more.
pub(super) async fn renew(
    State(office): State<Office>,
    Query(asked): Query<OfZone>,
    request: Request,
) -> Result<Response, No> {
    office.admit(&request).await?;
    office.hub.renew_poster_code().await?;
    told(&office, asked.zone.as_deref()).map(|told| reply(StatusCode::OK, &told))
}

fn told(office: &Office, zone: Option<&str>) -> Result<Value, No> {
    let place = office.around.place.as_ref().ok_or(No::Nowhere)?;
    let zones = office.hub.zones();
    let zone = match zone {
        Some(name) => zones.iter().find(|zone| zone.name == name).ok_or(No::UnknownZone)?,
        None => zones.first().ok_or(No::UnknownZone)?,
    };
    let code = office.hub.room_code(zone.id).map_err(|_unknown| No::UnknownZone)?;
    let poster = orders::poster_of(&office.hub, place, zone.id, &code);
    let address = place.to_print().to_string();
    // A code that changes is none for paper: whoever scans it is asked for the one on the screen.
    let url = if code.rotating_required { format!("http://{address}/") } else { poster.url };
    let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
    Ok(json!({
        "venue": poster.venue,
        "zone": zone.name,
        "zones": names,
        "url": url,
        "shown_url": format!("http://{address}/"),
        "code": poster.code,
        "picture": qr::for_print(&url).ok(),
        "address": address,
        "printed": upkeep::printed(&place.data),
        "needs_screen_code": code.rotating_required,
        "only_here": place.to_print().ip().is_loopback(),
    }))
}
