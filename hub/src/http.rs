//! What the hub answers over HTTP: the page, GraphQL, media, terminals, health and metrics, behind the same doors.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH,
};
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use roomtone_schema::UnixMillis;
use roomtone_server::doors::{self, Names};
use roomtone_server::front::{Front as GraphqlFront, FrontSettings};
use roomtone_server::serve::{ServeSettings, serve as converse};
use roomtone_server::ui::{self, Asset};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::graphql::{self, HubSchema};
use crate::hub::Hub;
use crate::{health, media, metrics, player_api};

/// What stands at the hub's front. Cheap to clone; clones share their sockets' count and their shutdown.
#[derive(Clone)]
pub struct Front {
    hub: Hub,
    names: Arc<Names>,
    graphql: GraphqlFront<HubSchema, Hub>,
    stop: CancellationToken,
    since: UnixMillis,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Front {
    /// A front that answers to `hosts` besides addresses, `localhost` and `.local` names.
    pub fn new(hub: Hub, hosts: Vec<String>) -> Self {
        Self::with_settings(hub, hosts, FrontSettings::default())
    }

    /// The same with bounds of its own.
    pub fn with_settings(hub: Hub, hosts: Vec<String>, settings: FrontSettings) -> Self {
        let stop = CancellationToken::new();
        let graphql = GraphqlFront::new(graphql::schema(hub.clone()), hub.clone(), settings, stop.clone());
        let names = Arc::new(Names { hosts, origins: Vec::new() });
        let since = hub.now();
        Self { hub, names, graphql, stop, since }
    }
}

/// Everything that the hub answers.
pub fn router(front: Front) -> Router {
    let sockets = front.graphql.open_sockets();
    let names = Arc::clone(&front.names);
    Router::new()
        .merge(front.graphql.router("/graphql"))
        .merge(media::router(front.hub.clone()))
        .merge(player_api::router(front.hub.clone()))
        .merge(health::router(front.hub.clone(), front.since))
        .merge(metrics::router(front.hub, sockets, front.since))
        .route("/", get(page))
        .route("/favicon.ico", get(page))
        .route("/ui/{*name}", get(page))
        .fallback(nothing)
        .layer(from_fn_with_state(names, doors::keep))
        .layer(from_fn(doors::label))
}

/// Answers on `listener` until `stop`; returns when sockets have said goodbye and connections are closed.
///
/// # Errors
/// Where the listener is beyond use.
pub async fn serve(front: Front, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let settings = ServeSettings::default();
    let goodbyes = front.graphql.goodbyes();
    let sockets = front.stop.clone();
    let serving = converse(listener, router(front), settings, stop.clone());
    let closing = async {
        stop.cancelled().await;
        sockets.cancel();
        let _in_time = tokio::time::timeout(settings.farewell, goodbyes).await;
    };
    let (served, ()) = tokio::join!(serving, closing);
    Ok(served?)
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here; the page is at /\n").into_response()
}

/// One file of the page, or 304 where the browser has it.
async fn page(State(()): State<()>, uri: Uri, request: Request) -> Response {
    let Some(asset) = ui::asset(uri.path()) else { return nothing().await };
    let headers = request.headers();
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let tag = [(ETAG, asset.etag.as_str()), (CACHE_CONTROL, "no-cache")];
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == asset.etag)) {
        return (StatusCode::NOT_MODIFIED, tag).into_response();
    }
    (tag, policy(headers), typed(asset)).into_response()
}

fn typed(asset: &Asset) -> impl IntoResponse + use<> {
    ([(CONTENT_TYPE, asset.content_type)], asset.bytes)
}

/// The page loads nothing from anywhere else, and talks to nobody else. Older Safaris do not count a WebSocket as
/// `'self'`, so it is named; a Host that fits no header has not come this far.
fn policy(headers: &HeaderMap) -> [(axum::http::HeaderName, HeaderValue); 1] {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         font-src 'self'; manifest-src 'self'; connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let strictest = HeaderValue::from_static("default-src 'none'");
    [(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strictest))]
}
