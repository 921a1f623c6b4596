//! Answers that are whole when they are sent.

use async_graphql::Response as Answer;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use axum::response::{IntoResponse as _, Response};

use super::media::{Live, Plain};
use crate::answer;

/// A proxy that gathers what it passes on would hold events back.
pub(super) const STREAMED: [(HeaderName, HeaderValue); 1] =
    [(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))];

/// The status of a request that was understood but not run.
///
/// The specification has dropped 200 for `application/json` meanwhile; its own suite still wants it, and so do the
/// clients that read a body only then.
pub(super) fn request_error(plain: Plain) -> StatusCode {
    match plain {
        Plain::Json => StatusCode::OK,
        Plain::GraphqlResponse => StatusCode::BAD_REQUEST,
    }
}

/// What an operation brought.
pub(super) fn ran(plain: Plain, answer: &Answer) -> Response {
    let status = if answer::is_request_error(answer) { request_error(plain) } else { StatusCode::OK };
    whole(plain, status, answer)
}

/// An answer with a status of its own.
pub(super) fn whole(plain: Plain, status: StatusCode, answer: &Answer) -> Response {
    written(status, plain.content_type(), answer, answer::bytes(answer))
}

/// A stream of one answer, for clients that read nothing else.
pub(super) fn at_once(live: Live, answer: &Answer) -> Response {
    let parts = [live.opening(), &live.next(&answer::bytes(answer)), live.end()].concat();
    written(StatusCode::OK, live.content_type(), answer, Bytes::from(parts))
}

/// The head of every answer. What the venue plays and who is asked about it is nobody else's business, and old in a
/// moment.
pub(super) fn head(content_type: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (VARY, HeaderValue::from_static("accept")),
    ]
}

fn written(status: StatusCode, content_type: HeaderValue, answer: &Answer, bytes: Bytes) -> Response {
    let mut response = (status, head(content_type), Body::from(bytes)).into_response();
    for (name, value) in &answer.http_headers {
        response.headers_mut().append(name, value.clone());
    }
    response
}
