//! The pages: the listener's, open to everybody, and the query page, which a venue's hub shows to its manager.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH,
    VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use roomtone_server::front::{Front, token, visit};
use roomtone_server::ui::{self, Asset, QueryPage};

use super::nothing;
use crate::graphql::HubSchema;
use crate::hub::Hub;

pub(super) fn router(front: Front<HubSchema, Hub>) -> Router {
    let query = Router::new().route("/graphiql", get(query_page)).with_state(front);
    Router::new()
        .route("/", get(file))
        .route("/favicon.ico", get(file))
        .route("/ui/{*name}", get(file))
        .merge(query)
}

/// One file of the pages.
async fn file(request: Request) -> Response {
    match ui::asset(request.uri().path()) {
        Some(asset) => send(asset, request.headers()),
        None => nothing().await,
    }
}

/// The query page, for whoever may ask what the schema is; for others the way to it.
async fn query_page(State(front): State<Front<HubSchema, Hub>>, request: Request) -> Response {
    let visit = visit(&request);
    let caller = front.admit(token(request.headers()).as_deref(), &visit).await;
    let (status, page) = if front.may_introspect(&caller) {
        (StatusCode::OK, QueryPage::Open)
    } else if visit.local {
        (StatusCode::UNAUTHORIZED, QueryPage::SignIn)
    } else {
        (StatusCode::FORBIDDEN, QueryPage::Elsewhere)
    };
    // What is shown depends on who asks, so nothing between here and there may keep it.
    let kept = [(CACHE_CONTROL, "no-store"), (VARY, "authorization")];
    let mut response = (status, kept, whole(ui::query_page(page), request.headers())).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let how = HeaderValue::from_static("Bearer realm=\"the hub's manager\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
    }
    response
}

/// A file, or 304 where the browser has it.
fn send(asset: &Asset, headers: &HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let tag = [(ETAG, asset.etag.as_str()), (CACHE_CONTROL, "no-cache")];
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == asset.etag)) {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    (tag, whole(asset, headers)).into_response()
}

fn whole(asset: &Asset, headers: &HeaderMap) -> impl IntoResponse + use<> {
    (policy(headers), [(CONTENT_TYPE, asset.content_type)], asset.bytes)
}

/// The pages load nothing from anywhere else, and talk to nobody else. Older Safaris do not count a WebSocket as
/// `'self'`, so it is named; a Host that fits no header has not come this far.
fn policy(headers: &HeaderMap) -> [(HeaderName, HeaderValue); 1] {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         font-src 'self'; manifest-src 'self'; connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let strictest = HeaderValue::from_static("default-src 'none'");
    [(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strictest))]
}
