//! `GET /api/hub`: which hub this is and where players reach it. Nobody has to show anything for it; it is what mDNS
//! says, for networks that do not let mDNS through.

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::hub::Hub;

/// The route; `tls` is the port for players, where there is one.
pub(super) fn router(hub: Hub, tls: Option<u16>) -> Router {
    Router::new().route("/api/hub", get(answer)).with_state((hub, tls))
}

async fn answer(State((hub, tls)): State<(Hub, Option<u16>)>) -> Response {
    let about = json!({
        "hub": hub.id().to_string(),
        "venue": hub.venue().id.to_string(),
        "name": hub.venue().name,
        "tls": tls,
        "version": env!("CARGO_PKG_VERSION"),
    });
    ([(CACHE_CONTROL, "no-store")], Json(about)).into_response()
}
