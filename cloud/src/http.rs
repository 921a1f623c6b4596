//! What the cloud answers over HTTP: GraphQL, health and metrics, and the manager's page, behind the same doors.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use roomtone_server::doors::{Doors, Names};
use roomtone_server::front::{Front as GraphqlFront, FrontSettings};
use roomtone_server::serve::{Entrance, ServeSettings, serve as converse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::Gatekeeper;
use crate::cloud::Cloud;
use crate::config::GuestSection;
use crate::graphql::{self, CloudSchema};
use crate::guests::Guests;

pub mod admin;
mod cors;
mod guests;
mod health;
mod metrics;

/// What stands at the cloud's front. Clones share their sockets' count and their shutdown.
#[derive(Clone)]
pub struct Front {
    cloud: Cloud,
    gate: Gatekeeper,
    names: Arc<Names>,
    graphql: GraphqlFront<CloudSchema, Gatekeeper>,
    /// Routes beside its own: those of hubs, and what only a trial has.
    extra: Router,
    page: admin::Page,
    guests: Guests,
    stop: CancellationToken,
    serving: ServeSettings,
    since_ms: i64,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Front {
    /// A front that answers to `names` besides addresses and `localhost`.
    pub fn new(cloud: Cloud, gate: Gatekeeper, names: Names, settings: FrontSettings) -> Self {
        let stop = CancellationToken::new();
        let schema = graphql::schema(cloud.clone(), &settings);
        let guests = Guests::new(cloud.clone(), GuestSection::default(), &settings, stop.child_token());
        let graphql = GraphqlFront::new(schema, gate.clone(), settings, stop.clone());
        let since_ms = cloud.clock.monotonic_ms();
        let (names, serving) = (Arc::new(names), ServeSettings::default());
        let (extra, page) = (Router::new(), admin::Page::default());
        Self { cloud, gate, names, graphql, extra, page, guests, stop, serving, since_ms }
    }

    /// The same with another way of holding connections.
    #[must_use]
    pub fn holding(self, serving: ServeSettings) -> Self {
        Self { serving, ..self }
    }

    /// The same with more routes.
    #[must_use]
    pub fn with(self, extra: Router) -> Self {
        Self { extra: self.extra.merge(extra), ..self }
    }

    /// The same with a manager's page.
    #[must_use]
    pub fn showing(self, page: admin::Page) -> Self {
        Self { page, ..self }
    }

    /// The same with other pages for guests; whoever serves it keeps them up to date.
    #[must_use]
    pub fn welcoming(self, guests: Guests) -> Self {
        Self { guests, ..self }
    }

    /// Cancelled when whoever waits for news is to let go.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// Everything that the cloud answers.
pub fn router(front: Front) -> Router {
    let watched = health::Watched {
        cloud: front.cloud,
        gate: front.gate,
        sockets: front.graphql.open_sockets(),
        since_ms: front.since_ms,
        strays: Arc::default(),
    };
    Router::new()
        .merge(front.graphql.router("/graphql"))
        .layer(cors::layer(&front.names.origins))
        .merge(health::router(watched.clone()))
        .merge(metrics::router(watched))
        .merge(front.extra)
        .merge(admin::router(front.page))
        .merge(guests::router(front.guests))
        .fallback(nothing)
        .layer(Doors(front.names))
}

/// Answers on `listener` until `stop`; returns when sockets have said goodbye and connections are closed.
///
/// # Errors
/// Where the listener is beyond use.
pub async fn serve(front: Front, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let settings = front.serving;
    let (goodbyes, guests) = (front.graphql.goodbyes(), front.guests.clone());
    let sockets = front.stop.clone();
    let serving = converse(Entrance::plain(listener), router(front), settings, stop.clone());
    let closing = async {
        stop.cancelled().await;
        sockets.cancel();
        let all = async { tokio::join!(goodbyes, guests.goodbyes()) };
        let _in_time = tokio::time::timeout(settings.farewell, all).await;
    };
    let (served, ()) = tokio::join!(serving, closing);
    Ok(served?)
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here; GraphQL is at /graphql\n").into_response()
}
