//! Answers that are whole when they are sent.

use async_graphql::{Response as Answer, Value};
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
    whole(plain, status(plain, answer), answer)
}

/// What did not come about for our own fault is no fault of the request, and has nobody look for one in it.
fn status(plain: Plain, answer: &Answer) -> StatusCode {
    if !answer::is_request_error(answer) {
        return StatusCode::OK;
    }
    let extensions = answer.errors.first().and_then(|error| error.extensions.as_ref());
    match extensions.and_then(|extensions| extensions.get("code")) {
        Some(Value::String(code)) if code == "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
        Some(Value::String(code)) if code == "TIMEOUT" => StatusCode::SERVICE_UNAVAILABLE,
        _ => request_error(plain),
    }
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

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, value};
    use rstest::rstest;

    use super::*;
    use crate::front::failed;

    #[rstest]
    #[case::it_ran(Answer::new(value!({ "a": 1 })), 200, 200)]
    #[case::it_could_not_run(Answer::from_errors(vec![ServerError::new("no", None)]), 200, 400)]
    #[case::it_broke(failed("INTERNAL", "oh"), 500, 500)]
    #[case::it_took_too_long(failed("TIMEOUT", "oh"), 503, 503)]
    fn the_status_says_whose_fault_it_is(#[case] answer: Answer, #[case] json: u16, #[case] newer: u16) {
        assert_eq!(status(Plain::Json, &answer), json);
        assert_eq!(status(Plain::GraphqlResponse, &answer), newer);
    }
}
