//! What a client asks, as HTTP carries it: by POST as JSON, or by GET in the address.
//!
//! `application/json` is the only content type that a foreign page cannot send without asking first, so no other is
//! read; and what comes by GET, which every page can make a browser send, may change nothing.

use std::borrow::Cow;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Response as Answer, ServerError};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use super::media::{Plain, WRITTEN, Wanted};
use super::{Front, FrontSettings, error, refusal, reply};
use crate::body::{self, BodyError};
use crate::caller::Gate;
use crate::operation::{Malformed, Operation, Params, Refused};
use crate::places::{COME_BACK_S, Full};

/// What is told to a person who opened this address in a browser.
const FOR_VISITORS: &str = "This address answers GraphQL: send a query by POST as a JSON object, or by GET as ?query={...}.\n\
     A page to write queries in is at /graphiql, for those who may see it.\n";

/// Why a request is not run.
#[derive(Debug)]
pub(super) enum No {
    /// Neither GET nor POST.
    Method,
    /// Somebody opened this address to see what is here.
    Visitor,
    /// The client can read nothing that is written here.
    Unreadable,
    /// The body is not said to be JSON.
    MediaType,
    /// The body did not come.
    Body(BodyError),
    /// The body came, with nothing in it.
    Empty,
    /// A parameter is given more than once.
    Twice,
    Malformed(Malformed),
    Refused(Refused),
    /// By GET nothing is changed.
    Changes,
    /// A subscription, for somebody who reads no stream.
    Subscription,
    /// Whose token opens nothing may not hold a connection open.
    Stranger,
    /// As many are connected as may be.
    Full(Full),
}

/// Reads what is asked and guards it; nothing has run yet.
pub(super) async fn read<E: Executor, G: Gate>(
    request: Request,
    front: &Front<E, G>,
    wanted: Wanted,
) -> Result<Operation, No> {
    let is_post = request.method() == Method::POST;
    let params = if is_post { posted(request, &front.settings).await? } else { named(request.uri())? };
    let operation = front.prepare(params).map_err(No::Refused)?;
    match operation.kind {
        OperationType::Mutation if !is_post => Err(No::Changes),
        OperationType::Subscription if wanted.live.is_none() => Err(No::Subscription),
        _ => Ok(operation),
    }
}

/// Whether this method asks at all, and whether the answer can be read.
pub(super) fn wanted(request: &Request) -> Result<Wanted, No> {
    match *request.method() {
        Method::POST => {}
        Method::GET | Method::HEAD => look_in(request)?,
        _ => return Err(No::Method),
    }
    Wanted::of(request.headers()).ok_or(No::Unreadable)
}

/// A GET: a content type that is not JSON would be somebody's attempt to look harmless.
fn look_in(request: &Request) -> Result<(), No> {
    let headers = request.headers();
    if headers.contains_key(CONTENT_TYPE) && !is_json(headers) {
        return Err(No::MediaType);
    }
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asks = pairs(request.uri()).any(|(name, _)| name == "query");
    if !asks && accept.contains("text/html") { Err(No::Visitor) } else { Ok(()) }
}

async fn posted(request: Request, settings: &FrontSettings) -> Result<Params, No> {
    is_json(request.headers()).then_some(()).ok_or(No::MediaType)?;
    let body = body::read(request, settings.body_bytes, settings.body_time).await.map_err(No::Body)?;
    if body.is_empty() {
        return Err(No::Empty);
    }
    Params::from_bytes(&body).map_err(No::Malformed)
}

/// The parameters in an address; an empty one is one that is not given.
fn named(uri: &Uri) -> Result<Params, No> {
    let mut object = Map::new();
    for (name, text) in pairs(uri).filter(|(_, text)| !text.is_empty()) {
        let value = match name.as_ref() {
            "query" | "operationName" => Value::from(text),
            "variables" => {
                serde_json::from_str(&text).map_err(|_syntax| No::Malformed(Malformed::Variables))?
            }
            "extensions" => {
                serde_json::from_str(&text).map_err(|_syntax| No::Malformed(Malformed::Extensions))?
            }
            _ => continue,
        };
        if object.insert(name.into_owned(), value).is_some() {
            return Err(No::Twice);
        }
    }
    Params::from_json(Value::Object(object)).map_err(No::Malformed)
}

fn pairs(uri: &Uri) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
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

impl No {
    /// The refusal in a form that the client reads; `wanted` is unknown where the request was not worth asking.
    pub(super) fn into_response(self, wanted: Option<Wanted>) -> Response {
        let plain = wanted.and_then(|wanted| wanted.plain);
        match (self, plain, wanted.and_then(|wanted| wanted.live)) {
            (Self::Visitor, ..) => (StatusCode::BAD_REQUEST, FOR_VISITORS).into_response(),
            // Whoever reads only a stream is told there: `EventSource` shows its page nothing of a refusal.
            (Self::Refused(why), None, Some(live)) => {
                reply::at_once(live, &Answer::from_errors(vec![refusal(&why)]))
            }
            (no, plain, _) => no.refusal(plain.unwrap_or(Plain::Json)),
        }
    }

    fn refusal(self, plain: Plain) -> Response {
        let (status, why) = self.told(plain);
        let mut response = reply::whole(plain, status, &Answer::from_errors(vec![why]));
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn told(&self, plain: Plain) -> (StatusCode, ServerError) {
        let bad = |why: &str| (StatusCode::BAD_REQUEST, error("BAD_REQUEST", why));
        let method = |why: &str| (StatusCode::METHOD_NOT_ALLOWED, error("METHOD_NOT_ALLOWED", why));
        let unreadable = |code: &str, why: &str| {
            (StatusCode::NOT_ACCEPTABLE, error(code, &format!("{why}; what is written here is {WRITTEN}")))
        };
        match self {
            Self::Method => method("send GraphQL by POST as JSON, or a query by GET"),
            Self::Changes => method("by GET nothing is changed: send a mutation by POST as JSON"),
            Self::Visitor => bad(FOR_VISITORS),
            Self::Unreadable => unreadable("NOT_ACCEPTABLE", "\"accept\" names nothing that is written here"),
            Self::Subscription => {
                unreadable("NEEDS_STREAM", "a subscription needs a WebSocket, or an \"accept\" for a stream")
            }
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                error(
                    "UNSUPPORTED_MEDIA_TYPE",
                    "the content type must be application/json: send a JSON object with \"query\"",
                ),
            ),
            Self::Body(why) => (why.status(), error(why.code(), &why.to_string())),
            Self::Empty => bad("the body is empty: send a JSON object with \"query\""),
            Self::Twice => {
                bad("\"query\", \"operationName\", \"variables\" and \"extensions\" may be given once")
            }
            Self::Malformed(why) => bad(&why.to_string()),
            Self::Refused(why) => (reply::request_error(plain), refusal(why)),
            Self::Stranger => (
                StatusCode::UNAUTHORIZED,
                error("UNAUTHORIZED", "this token opens nothing here (any more): check in again"),
            ),
            Self::Full(why) => (why.status(), why.error()),
        }
    }

    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::Method => Some((ALLOW, "GET, POST")),
            Self::Changes => Some((ALLOW, "POST")),
            Self::MediaType => Some((ACCEPT, "application/json")),
            Self::Stranger => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::Full(_) => Some((RETRY_AFTER, COME_BACK_S)),
            _ => None,
        }
    }
}
