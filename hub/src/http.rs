//! What the hub answers over HTTP: the page, GraphQL, media, terminals, health and metrics, behind the same doors.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use roomtone_schema::UnixMillis;
use roomtone_server::doors::{Doors, Names};
use roomtone_server::front::{Front as GraphqlFront, FrontSettings};
use roomtone_server::serve::{ServeSettings, serve as converse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::graphql::{self, HubSchema};
use crate::hub::Hub;
use crate::{health, media, metrics, player_api};

mod pages;

/// What stands at the hub's front. Cheap to clone; clones share their sockets' count and their shutdown.
#[derive(Clone)]
pub struct Front {
    hub: Hub,
    names: Arc<Names>,
    graphql: GraphqlFront<HubSchema, Hub>,
    stop: CancellationToken,
    since: UnixMillis,
    serving: ServeSettings,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Front {
    /// A front that answers to `hosts` besides addresses, `localhost` and `.local` names.
    ///
    /// # Panics
    /// Where the schema's own text is no schema, which a test would have told.
    pub fn with_settings(hub: Hub, hosts: Vec<String>, settings: FrontSettings) -> Self {
        let stop = CancellationToken::new();
        let schema = graphql::schema(hub.clone(), &settings);
        let sdl = schema.sdl();
        let graphql = GraphqlFront::new(schema, hub.clone(), settings, stop.clone());
        let graphql = graphql.sharing(&sdl).expect("what a schema says of itself is a schema");
        let names = Arc::new(Names { hosts, origins: Vec::new() });
        let since = hub.now();
        Self { hub, names, graphql, stop, since, serving: ServeSettings::default() }
    }

    /// The same with another way of holding connections.
    #[must_use]
    pub fn holding(self, serving: ServeSettings) -> Self {
        Self { serving, ..self }
    }
}

/// Everything that the hub answers.
pub fn router(front: Front) -> Router {
    let sockets = front.graphql.open_sockets();
    let names = Arc::clone(&front.names);
    let pages = pages::router(front.graphql.clone());
    Router::new()
        .merge(front.graphql.router("/graphql"))
        .merge(media::router(front.hub.clone()))
        .merge(player_api::router(front.hub.clone()))
        .merge(health::router(front.hub.clone(), front.since))
        .merge(metrics::router(front.hub, sockets, front.since))
        .merge(pages)
        .fallback(nothing)
        .layer(Doors(names))
}

/// Answers on `listener` until `stop`; returns when sockets have said goodbye and connections are closed.
///
/// # Errors
/// Where the listener is beyond use.
pub async fn serve(front: Front, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let settings = front.serving;
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
