//! A venue's page for guests at `/v/<slug>`, and its API under it. Whoever knows the address may look; it is the code of the
//! venue that lets anybody in.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use roomtone_server::pages::{self, Policy};
use roomtone_server::ui::{self, Files};
use std::sync::LazyLock;

use crate::guests::Guests;

/// Longest name of a venue in an address.
const LONGEST_SLUG: usize = 64;

/// The routes.
pub(super) fn router(guests: Guests) -> Router {
    Router::new().route("/v/{slug}", get(page)).route("/v/{slug}/graphql", any(ask)).with_state(guests)
}

async fn page(State(guests): State<Guests>, Path(slug): Path<String>, headers: HeaderMap) -> Response {
    match find(&guests, &slug).await {
        Ok(Some(_)) => pages::file(ui::listener_page(), &headers, Policy::default()),
        Ok(None) => not_here(&headers),
        Err(busy) => busy,
    }
}

async fn ask(State(guests): State<Guests>, Path(slug): Path<String>, request: Request) -> Response {
    match find(&guests, &slug).await {
        Ok(Some(front)) => front.respond(request).await,
        Ok(None) => (StatusCode::NOT_FOUND, "no venue has a page for guests here\n").into_response(),
        Err(busy) => busy,
    }
}

async fn find(guests: &Guests, slug: &str) -> Result<Option<crate::guests::GuestFront>, Response> {
    if slug.len() > LONGEST_SLUG {
        return Ok(None);
    }
    guests.at(slug).await.map_err(|error| {
        tracing::error!(%error, "a venue's page for guests could not be opened");
        let why = "the cloud's database does not answer; the music plays on, try again in a moment\n";
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
    })
}

fn not_here(headers: &HeaderMap) -> Response {
    match GUESTS.find("elsewhere.html") {
        Some(asset) => pages::document(headers, StatusCode::NOT_FOUND, asset, Policy::default()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

const FILES: &[(&str, &[u8])] = roomtone_server::page_files!["ui/guests": "elsewhere.html"];

static GUESTS: LazyLock<Files> = LazyLock::new(|| Files::of(FILES));
