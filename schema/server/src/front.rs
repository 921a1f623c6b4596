//! GraphQL over HTTP: one operation per POST, as JSON and nothing else.
//!
//! `application/json` is the only content type that a foreign page cannot send without asking first, so no other is
//! read. GET is for WebSocket upgrades.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ErrorExtensionValues, Executor, ServerError};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue,
    VARY,
};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer;
use crate::body::{self, BodyError};
use crate::caller::{Asker, Caller, DEVICE_COOKIE, Gate, Visit, bearer, cookie};
use crate::doors;
use crate::guard::Bounds;
use crate::operation::{Malformed, Operation, Params, Refused};
use crate::places::Places;
use crate::serve::Peer;
use crate::socket;

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
    /// Connections that stay open (WebSockets, event streams) at once. A café has at most some hundreds of phones in
    /// it.
    pub sockets: usize,
    /// Of these, how many one device may have: its pages and what a bad network has not yet given back.
    pub sockets_per_device: usize,
    /// Operations running at once on one WebSocket.
    pub operations_per_socket: usize,
    /// For how long a WebSocket may stay silent before it has introduced itself.
    pub hello_time: Duration,
    /// For how long a message may wait for its reader to take it.
    pub write_time: Duration,
    /// How often a WebSocket is asked whether it still lives; twice without an answer and it is closed.
    pub ping_every: Duration,
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
            operations_per_socket: 10,
            hello_time: Duration::from_secs(3),
            write_time: Duration::from_secs(5),
            ping_every: Duration::from_secs(20),
            check_every: Duration::from_secs(60),
        }
    }
}

/// A GraphQL endpoint: what executes, who may come in, how much is allowed.
#[derive(Debug)]
pub struct Front<E, G> {
    pub(crate) executor: E,
    pub(crate) gate: G,
    pub(crate) settings: Arc<FrontSettings>,
    pub(crate) places: Arc<Places>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl<E: Clone, G: Clone> Clone for Front<E, G> {
    fn clone(&self) -> Self {
        Self {
            executor: self.executor.clone(),
            gate: self.gate.clone(),
            settings: Arc::clone(&self.settings),
            places: Arc::clone(&self.places),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        }
    }
}

impl<E, G: Gate> Front<E, G> {
    /// Who asks. Plain HTTP is read by whoever can read the network, so a manager is one on the machine itself only.
    pub async fn admit(&self, token: Option<&str>, visit: &Visit) -> Caller {
        match self.gate.admit(token).await {
            Caller::Manager if !visit.local => Caller::Unknown,
            caller => caller,
        }
    }

    /// Whether this caller may ask what the schema is, and is offered the query page.
    pub fn may_introspect(&self, caller: &Caller) -> bool {
        self.settings.introspection == Introspection::Everyone || *caller == Caller::Manager
    }
}

impl<E: Executor, G: Gate> Front<E, G> {
    /// An endpoint; `stop` closes its sockets.
    pub fn new(executor: E, gate: G, settings: FrontSettings, stop: CancellationToken) -> Self {
        let (settings, places) = (Arc::new(settings), Arc::default());
        Self { executor, gate, settings, places, tasks: TaskTracker::new(), stop }
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

    /// Runs a query or mutation; the caller learns nothing of a panic but that it was ours.
    pub(crate) async fn run(&self, request: async_graphql::Request) -> async_graphql::Response {
        let execution = AssertUnwindSafe(self.executor.execute(request)).catch_unwind();
        match tokio::time::timeout(self.settings.answer_time, execution).await {
            Ok(Ok(response)) => response,
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
    error(refused.code(), &refused.to_string())
}

async fn respond<E: Executor, G: Gate>(State(front): State<Front<E, G>>, request: Request) -> Response {
    let visit = visit(&request);
    if socket::is_upgrade(&request) {
        return socket::upgrade(front, visit, request).await;
    }
    if request.method() != Method::POST {
        let allow = [(ALLOW, HeaderValue::from_static("POST"))];
        return (allow, plain(StatusCode::METHOD_NOT_ALLOWED, "send GraphQL as POST with a JSON body"))
            .into_response();
    }
    let media = Media::wanted(request.headers());
    match read(&front, request, visit).await {
        Ok(operation) => media.answer(&front.run(operation.request).await),
        Err(no) => no.into_response(media),
    }
}

/// Where a request comes from.
pub fn visit(request: &Request) -> Visit {
    let cookies = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let address = peer.map(|ConnectInfo(peer)| peer.0.ip().to_canonical());
    Visit {
        device_cookie: cookies.and_then(|header| cookie(header, DEVICE_COOKIE)).map(str::to_owned),
        address,
        local: doors::is_local(request.headers(), address),
    }
}

/// Why a POST is not run.
enum No {
    NotJson,
    Body(BodyError),
    Malformed(Malformed),
    Refused(Refused),
}

impl No {
    fn into_response(self, media: Media) -> Response {
        match self {
            Self::NotJson => {
                plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json")
            }
            Self::Body(why) => plain(why.status(), &why.to_string()),
            Self::Malformed(why) => {
                media.refuse(StatusCode::BAD_REQUEST, error("BAD_REQUEST", &why.to_string()))
            }
            Self::Refused(why) => media.refuse(media.request_error(), refusal(&why)),
        }
    }
}

async fn read<E: Executor, G: Gate>(
    front: &Front<E, G>,
    request: Request,
    visit: Visit,
) -> Result<Operation, No> {
    is_json(request.headers()).then_some(()).ok_or(No::NotJson)?;
    let token = token(request.headers());
    let body =
        body::read(request, front.settings.body_bytes, front.settings.body_time).await.map_err(No::Body)?;
    let params = Params::from_bytes(&body).map_err(No::Malformed)?;
    let mut operation = Operation::prepare(params, &front.settings.bounds).map_err(No::Refused)?;
    if operation.kind == OperationType::Subscription {
        return Err(No::Refused(Refused::NeedsSocket));
    }
    let caller: Caller = front.admit(token.as_deref(), &visit).await;
    operation.request = operation.request.data(Asker::one(caller, visit));
    Ok(operation)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    json && parts.all(|part| {
        let charset = part.to_ascii_lowercase();
        !charset.starts_with("charset=")
            || charset.trim_start_matches("charset=").trim_matches('"') == "utf-8"
    })
}

/// The bearer token of a request.
pub fn token(headers: &HeaderMap) -> Option<String> {
    headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer).map(str::to_owned)
}

/// A plain sentence for whoever sent something that is no GraphQL request.
fn plain(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// The two ways of answering: the newer says by its status whether the request was run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    Json,
    GraphqlResponse,
}

impl Media {
    /// The newer one is sent to those who name it.
    fn wanted(headers: &HeaderMap) -> Self {
        let named = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let newer = named.flat_map(|value| value.split(',')).any(|range| {
            range.split(';').next().is_some_and(|kind| kind.trim() == "application/graphql-response+json")
        });
        if newer { Self::GraphqlResponse } else { Self::Json }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    /// The status of a request that was understood but not run.
    fn request_error(self) -> StatusCode {
        match self {
            Self::Json => StatusCode::OK,
            Self::GraphqlResponse => StatusCode::BAD_REQUEST,
        }
    }

    fn answer(self, response: &async_graphql::Response) -> Response {
        let status = if answer::is_request_error(response) { self.request_error() } else { StatusCode::OK };
        let mut reply = self.reply(status, answer::bytes(response));
        for (name, value) in &response.http_headers {
            reply.headers_mut().append(name, value.clone());
        }
        reply
    }

    fn refuse(self, status: StatusCode, why: ServerError) -> Response {
        self.reply(status, answer::bytes(&async_graphql::Response::from_errors(vec![why])))
    }

    fn reply(self, status: StatusCode, body: Bytes) -> Response {
        const PRIVATE: [(HeaderName, HeaderValue); 2] = [
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (VARY, HeaderValue::from_static("accept")),
        ];
        (status, PRIVATE, [(CONTENT_TYPE, self.content_type())], Body::from(body)).into_response()
    }
}
