//! GraphQL over HTTP, as its specification has it, and where connections that stay open branch off.
//!
//! Queries come by POST or GET, mutations by POST, and the answer is in the form that the client likes best.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ErrorExtensionValues, Executor, ServerError};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use axum::response::Response;
use axum::routing::any;
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer;
use crate::caller::{Asker, Caller, DEVICE_COOKIE, Gate, Visit, bearer, cookie};
use crate::documents::Documents;
use crate::doors;
use crate::guard::Bounds;
use crate::lease::Stay;
use crate::operation::{Operation, Params, Refused};
use crate::places::{Place, Places};
use crate::serve::Peer;
use crate::shared::Shared;
use crate::socket;

mod media;
mod reply;
mod request;
mod stream;

use media::{Live, Plain, Wanted};
use request::No;

/// Who may ask what the schema is, and is offered the query page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Introspection {
    /// Everybody: a demo, or a hub that somebody develops against.
    Everyone,
    /// Whoever runs the venue.
    #[default]
    Managers,
}

/// What the front allows. Every bound is a setting.
#[derive(Debug, Clone)]
pub struct FrontSettings {
    /// Who may ask what the schema is.
    pub introspection: Introspection,
    /// What one document may cost.
    pub bounds: Bounds,
    /// Bytes of a request's body, and of a WebSocket message.
    pub body_bytes: usize,
    /// For how long a body may take to arrive.
    pub body_time: Duration,
    /// For how long a query or mutation may run.
    pub answer_time: Duration,
    /// Connections that stay open (`WebSocket`s, event streams) at once. A café has at most some hundreds of phones in
    /// it.
    pub sockets: usize,
    /// Of these, how many one device may have: its pages and what a bad network has not yet given back.
    pub sockets_per_device: usize,
    /// Of these, how many are for callers that are neither player nor manager; `None` where all are for everybody.
    /// Where it is set, who comes is known before a place is taken, and a player counts as a device.
    pub sockets_for_guests: Option<usize>,
    /// Operations running at once on one WebSocket.
    pub operations_per_socket: usize,
    /// For how long a WebSocket may stay silent before it has introduced itself.
    pub hello_time: Duration,
    /// For how long a message may wait for its reader to take it.
    pub write_time: Duration,
    /// How often a WebSocket is asked whether it still lives.
    pub ping_every: Duration,
    /// For how long its answer is waited for.
    pub pong_time: Duration,
    /// How often a connection that stays open is asked again whether its token still holds. It also learns at once
    /// when it does not.
    pub check_every: Duration,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            introspection: Introspection::default(),
            bounds: Bounds::default(),
            body_bytes: 64 * 1024,
            body_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(10),
            sockets: 500,
            sockets_per_device: 5,
            sockets_for_guests: None,
            operations_per_socket: 10,
            hello_time: Duration::from_secs(3),
            write_time: Duration::from_secs(5),
            ping_every: Duration::from_secs(20),
            pong_time: Duration::from_secs(30),
            check_every: Duration::from_mins(1),
        }
    }
}

/// A GraphQL endpoint: what executes, who may come in, how much is allowed. Every request has its own, so that a clone
/// costs next to nothing.
#[derive(Debug)]
pub struct Front<E, G>(Arc<Parts<E, G>>);

/// What an endpoint consists of.
#[derive(Debug, Clone)]
pub struct Parts<E, G> {
    pub(crate) executor: E,
    pub(crate) gate: G,
    pub(crate) settings: Arc<FrontSettings>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) places: Arc<Places>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl<E, G> Clone for Front<E, G> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E, G> std::ops::Deref for Front<E, G> {
    type Target = Parts<E, G>;

    fn deref(&self) -> &Parts<E, G> {
        &self.0
    }
}

impl<E, G: Gate> Front<E, G> {
    /// Who asks. Plain HTTP is read by whoever can read the network, so a manager is one on the machine itself only,
    /// or over TLS.
    pub async fn admit(&self, token: Option<&str>, visit: &Visit) -> Caller {
        match self.gate.admit(token).await {
            Caller::Manager if !visit.local && !visit.secure => Caller::Unknown,
            caller => caller,
        }
    }

    /// Whether this caller may ask what the schema is, and is offered the query page.
    pub fn may_introspect(&self, caller: &Caller) -> bool {
        self.settings.introspection == Introspection::Everyone
            || matches!(caller, Caller::Manager | Caller::User(_))
    }

    /// Whether this caller may have this operation run at all; who may see and do what in it, its fields decide.
    pub(crate) fn permit(&self, operation: &Operation, caller: &Caller) -> Result<(), Refused> {
        let asks_too_much = operation.survey.introspects && !self.may_introspect(caller);
        if asks_too_much { Err(Refused::Introspection) } else { Ok(()) }
    }
}

impl<E: Executor, G: Gate> Front<E, G> {
    /// An endpoint; `stop` closes its sockets.
    pub fn new(executor: E, gate: G, settings: FrontSettings, stop: CancellationToken) -> Self {
        Self(Arc::new(Parts {
            executor,
            gate,
            settings: Arc::new(settings),
            documents: Arc::default(),
            places: Arc::default(),
            shared: Arc::default(),
            tasks: TaskTracker::new(),
            stop,
        }))
    }

    /// The same, executing once for all subscribers what the schema's text marks as the same for everybody.
    ///
    /// # Errors
    /// Where the text is no schema.
    pub fn sharing(mut self, sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        Arc::make_mut(&mut self.0).shared = Arc::new(Shared::by(sdl)?);
        Ok(self)
    }

    /// The same, with another word that closes its sockets: for a server that is opened again after it was closed.
    #[must_use]
    pub fn closed_by(&self, stop: CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let (documents, places) = (Arc::clone(&self.documents), Arc::clone(&self.places));
        let (settings, shared) = (Arc::clone(&self.settings), Arc::clone(&self.shared));
        let (executor, gate) = (self.executor.clone(), self.gate.clone());
        Self(Arc::new(Parts { executor, gate, settings, documents, places, shared, tasks, stop }))
    }

    /// How many connections stay open.
    pub fn open_sockets(&self) -> Arc<AtomicUsize> {
        self.places.taken()
    }

    /// Completes when every WebSocket has said goodbye; call it after `stop`.
    pub fn goodbyes(&self) -> impl Future<Output = ()> + use<E, G> {
        let tasks = self.tasks.clone();
        async move {
            tasks.close();
            tasks.wait().await;
        }
    }

    /// The endpoint at `path`.
    pub fn router(self, path: &str) -> Router {
        Router::new().route(path, any(respond::<E, G>)).with_state(self)
    }

    /// Answers one request, for whoever finds the endpoint by more than its path.
    pub async fn respond(self, request: Request) -> Response {
        respond(State(self), request).await
    }

    /// Answers what is asked in the form that is wanted.
    async fn asked(&self, request: Request, visit: Visit, wanted: Wanted) -> Result<Response, No> {
        let token = token(request.headers());
        let operation = request::read(request, self, wanted).await?;
        if let (OperationType::Subscription, Some(live)) = (operation.kind, wanted.live) {
            return self.streamed(operation, live, token, visit).await;
        }
        let caller = self.admit(token.as_deref(), &visit).await;
        self.permit(&operation, &caller).map_err(No::Refused)?;
        let answer = self.run(operation.request.data(Asker::one(caller, visit))).await;
        Ok(match (wanted.plain, wanted.live) {
            (None, Some(live)) => reply::at_once(live, &answer),
            (plain, _) => reply::ran(plain.unwrap_or(Plain::Json), &answer),
        })
    }

    /// Begins a subscription for somebody who may stay.
    async fn streamed(
        &self,
        operation: Operation,
        live: Live,
        token: Option<String>,
        visit: Visit,
    ) -> Result<Response, No> {
        let place = Place::for_anybody(self, &visit).map_err(No::Full)?;
        let stay = Stay::begin(self, token, visit).await;
        if let Caller::Expired(_) | Caller::Unknown = stay.caller {
            return Err(No::Stranger);
        }
        let place = Place::settle(place, self, stay.visit(), stay.caller).map_err(No::Full)?;
        Ok(stream::begin(self, live, operation, stay, place))
    }

    /// Guards and parses a request.
    pub(crate) fn prepare(&self, params: Params) -> Result<Operation, Refused> {
        Operation::prepare(params, &self.settings.bounds, &self.documents)
    }

    /// Runs a query or mutation; the caller learns nothing of a panic but that it was ours.
    pub(crate) async fn run(&self, request: async_graphql::Request) -> async_graphql::Response {
        let execution = AssertUnwindSafe(self.executor.execute(request)).catch_unwind();
        match tokio::time::timeout(self.settings.answer_time, execution).await {
            Ok(Ok(response)) => answer::told(response),
            Ok(Err(_panic)) => failed("INTERNAL", "something went wrong at our end"),
            Err(_elapsed) => failed("TIMEOUT", "this took too long and was given up"),
        }
    }
}

pub(crate) fn failed(code: &str, message: &str) -> async_graphql::Response {
    async_graphql::Response::from_errors(vec![error(code, message)])
}

/// An error of ours with its code.
pub(crate) fn error(code: &str, message: &str) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    error
}

/// The code of a refusal, for programs.
pub(crate) fn refusal(refused: &Refused) -> ServerError {
    let mut error = error(refused.code(), &refused.to_string());
    error.locations = refused.places().to_vec();
    error
}

async fn respond<E: Executor, G: Gate>(State(front): State<Front<E, G>>, request: Request) -> Response {
    let visit = visit(&request);
    if socket::is_upgrade(&request) {
        return socket::upgrade(front, visit, request).await;
    }
    match request::wanted(&request) {
        Ok(wanted) => {
            let asked = front.asked(request, visit, wanted).await;
            asked.unwrap_or_else(|no| no.into_response(Some(wanted)))
        }
        Err(no) => no.into_response(None),
    }
}

/// Where a request comes from.
pub fn visit(request: &Request) -> Visit {
    let cookies = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let address = peer.map(|ConnectInfo(peer)| peer.address.ip().to_canonical());
    Visit {
        device_cookie: cookies.and_then(|header| cookie(header, DEVICE_COOKIE)).map(str::to_owned),
        address,
        local: doors::is_local(request.headers(), address),
        secure: peer.is_some_and(|ConnectInfo(peer)| peer.is_secure),
    }
}

/// The bearer token of a request.
pub fn token(headers: &HeaderMap) -> Option<String> {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer).map(str::to_owned)
}
