//! What the hub answers over HTTP: the page, GraphQL, media, terminals, health and metrics, behind the same doors.
//!
//! There are two fronts over one hub: the plain one for phones, and one with TLS for players and managers, with places
//! of its own, so that a room full of phones keeps no player out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use roomtone_schema::UnixMillis;
use roomtone_server::doors::{Doors, Names};
use roomtone_server::front::{Front as GraphqlFront, FrontSettings};
use roomtone_server::serve::{Entrance, ServeSettings, serve as converse};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::door::Door;
use crate::drill::{Cut, until};
use crate::graphql::{self, HubSchema};
use crate::hub::Hub;
use crate::players::Way;
use crate::service::{Place, Successor};
use crate::tls::{Secure, Tls};
use crate::{health, media, metrics, player_api};

mod about;
mod manage;
mod pages;
mod pairing;

/// Connections that may stay open over TLS: a venue has some players and a manager or two.
const TLS_SOCKETS: usize = 64;

/// Connections over TLS at once: each player has a handful, and each costs more than a plain one.
const TLS_CONNECTIONS: usize = 256;

/// Of the places over TLS, those for whoever is neither player nor manager: phones have the plain front, and as few of
/// them as come here need no more.
const TLS_SOCKETS_FOR_GUESTS: usize = 16;

/// Connections over TLS from one address: far more than the player or the manager there needs, and one phone leaves
/// three in four to others.
const TLS_CONNECTIONS_PER_ADDRESS: usize = 64;

/// What stands at the hub's front. Cheap to clone; clones share their sockets' count and their shutdown.
#[derive(Clone)]
pub struct Front {
    door: Door,
    names: Arc<Names>,
    graphql: GraphqlFront<HubSchema, Door>,
    tls: Option<Tls>,
    /// What is around the hub: where managers and players come, and what a manager's page tells and does.
    around: manage::Around,
    /// How many stay connected at the other fronts of this hub.
    elsewhere: Vec<Arc<AtomicUsize>>,
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
        Self::at(Door { hub, way: Way::Plain }, hosts, settings)
    }

    /// The same behind TLS, with its own places.
    ///
    /// # Panics
    /// As [`Front::with_settings`].
    pub fn secure(hub: Hub, hosts: Vec<String>, mut settings: FrontSettings, tls: Tls) -> Self {
        settings.sockets = TLS_SOCKETS;
        settings.sockets_for_guests = Some(TLS_SOCKETS_FOR_GUESTS);
        let front = Self { tls: Some(tls), ..Self::at(Door { hub, way: Way::Tls }, hosts, settings) };
        front.holding(ServeSettings::default())
    }

    fn at(door: Door, hosts: Vec<String>, settings: FrontSettings) -> Self {
        let stop = CancellationToken::new();
        let schema = graphql::schema(door.hub.clone(), &settings);
        let sdl = schema.sdl();
        let graphql = GraphqlFront::new(schema, door.clone(), settings, stop.clone());
        let graphql = graphql.sharing(&sdl).expect("what a schema says of itself is a schema");
        let names = Arc::new(Names { hosts, origins: Vec::new() });
        let since = door.hub.now();
        let serving = ServeSettings::default();
        Self {
            door,
            names,
            graphql,
            tls: None,
            around: manage::Around::default(),
            elsewhere: Vec::new(),
            stop,
            since,
            serving,
        }
    }

    /// The same with another way of holding connections.
    #[must_use]
    pub fn holding(self, serving: ServeSettings) -> Self {
        if self.tls.is_none() {
            return Self { serving, ..self };
        }
        let connections = serving.connections.min(TLS_CONNECTIONS);
        let connections_per_address = Some(TLS_CONNECTIONS_PER_ADDRESS);
        Self { serving: ServeSettings { connections, connections_per_address, ..serving }, ..self }
    }

    /// The same, counting in its metrics those who stay connected at another front, too.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.elsewhere.push(other.graphql.open_sockets());
        self
    }

    /// The same, to be served once more after it was closed.
    fn anew(&self) -> Self {
        let stop = CancellationToken::new();
        Self { graphql: self.graphql.closed_by(stop.clone()), stop, ..self.clone() }
    }

    /// The same, telling where players connect.
    #[must_use]
    pub fn telling(self, secure: Option<Secure>) -> Self {
        Self { around: manage::Around { secure, ..self.around }, ..self }
    }

    /// The same, telling where the hub is, and handing on a backup that is to take the place of its store.
    #[must_use]
    pub fn standing(self, place: Place, successor: Option<Successor>) -> Self {
        let around = manage::Around { secure: place.secure.clone(), place: Some(place), successor };
        Self { around, ..self }
    }
}

/// Removes files that were on their way in when the hub ended. For before it is served.
pub fn sweep(data: &Path) {
    manage::sweep(data);
}

/// Everything that the hub answers.
pub fn router(front: Front) -> Router {
    let sockets = [vec![front.graphql.open_sockets()], front.elsewhere].concat();
    let names = Arc::clone(&front.names);
    let hub = front.door.hub.clone();
    let pages = pages::router(front.graphql.clone(), hub.clone());
    let manage = manage::router(front.graphql.clone(), hub.clone(), front.around.clone());
    let pairing = front.tls.map(|tls| pairing::router(front.door.clone(), tls.key));
    Router::new()
        .merge(front.graphql.router("/graphql"))
        .merge(media::router(front.door.clone()))
        .merge(player_api::router(front.door))
        .merge(about::router(hub.clone(), front.around.secure.as_ref().and_then(Secure::port)))
        .merge(pairing.unwrap_or_default())
        .merge(health::router(hub.clone(), front.since))
        .merge(metrics::router(hub, sockets, front.since))
        .merge(manage)
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
    let entrance = match &front.tls {
        Some(tls) => Entrance::secure(listener, Arc::clone(&tls.config)),
        None => Entrance::plain(listener),
    };
    let serving = converse(entrance, router(front), settings, stop.clone());
    let closing = async {
        stop.cancelled().await;
        sockets.cancel();
        let _in_time = tokio::time::timeout(settings.farewell, goodbyes).await;
    };
    let (served, ()) = tokio::join!(serving, closing);
    Ok(served?)
}

/// The same, but while a drill cuts the hub off: then whoever is connected is let go, and nobody is answered.
///
/// # Errors
/// As [`serve`].
pub async fn serve_but_in_drills(
    front: Front,
    listener: std::net::TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut drills = front.door.hub.drills();
    while !stop.is_cancelled() {
        let over = until(&mut drills, |standing| !standing.cuts(Cut::Hub));
        stop.run_until_cancelled(over).await.transpose()?;
        let sitting = stop.child_token();
        let listener = TcpListener::from_std(listener.try_clone()?)?;
        let serving = serve(front.anew(), listener, sitting.clone());
        tokio::pin!(serving);
        let cut = until(&mut drills, |standing| standing.cuts(Cut::Hub));
        tokio::select! {
            ended = &mut serving => return ended,
            _ = cut => {}
        }
        sitting.cancel();
        serving.await?;
    }
    Ok(())
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is nothing here; the page is at /\n").into_response()
}
