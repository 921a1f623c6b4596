//! Answers as they are written: a message or a problem, and with both the time and the version spoken.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use roomtone_schema::Clock;
use roomtone_sync::wire::{
    MEDIA_TYPE, Problem, ProblemCode, TIME_HEADER, VERSION, VERSION_HEADER, Version, encode,
};
use serde::Serialize;

/// A problem with nothing to add.
pub fn problem(code: ProblemCode, message: &str) -> Problem {
    Problem { code, message: message.to_owned(), ack: None, retry_after_ms: None }
}

/// The answer to a question.
pub fn answer<T: Serialize>(answered: Result<T, Problem>) -> Response {
    match answered {
        Ok(message) => written(StatusCode::OK, &message),
        Err(problem) => refuse(&problem),
    }
}

/// A refusal.
pub(super) fn refuse(problem: &Problem) -> Response {
    if problem.code == ProblemCode::Failed {
        tracing::warn!(why = problem.message, "a hub's question failed; it asks again by itself");
    }
    let mut response = written(status_of(problem.code), problem);
    if let Some(ms) = problem.retry_after_ms {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    response
}

/// What each problem is in the words of HTTP.
fn status_of(code: ProblemCode) -> StatusCode {
    match code {
        ProblemCode::Unauthorised => StatusCode::UNAUTHORIZED,
        ProblemCode::Revoked => StatusCode::FORBIDDEN,
        ProblemCode::Gap
        | ProblemCode::Fork
        | ProblemCode::Epoch
        | ProblemCode::Fenced
        | ProblemCode::Diverged => StatusCode::CONFLICT,
        ProblemCode::Version => StatusCode::UPGRADE_REQUIRED,
        ProblemCode::Code | ProblemCode::NotFound => StatusCode::NOT_FOUND,
        ProblemCode::Malformed => StatusCode::BAD_REQUEST,
        ProblemCode::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ProblemCode::Failed | ProblemCode::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whether a body was longer than it may be.
pub(super) fn is_too_long(body: &super::Body) -> bool {
    body.as_ref().is_err_and(|rejected| rejected.status() == StatusCode::PAYLOAD_TOO_LARGE)
}

fn written<T: Serialize>(status: StatusCode, message: &T) -> Response {
    match encode(message) {
        Ok(bytes) => {
            let head = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")];
            (status, head, bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer for a hub cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Middleware: refuses what speaks another major version, and labels every answer with ours and with the time.
pub(super) async fn label(State(clock): State<Arc<dyn Clock>>, request: Request, next: Next) -> Response {
    let spoken =
        request.headers().get(VERSION_HEADER).map(|spoken| spoken.to_str().ok().and_then(version_of));
    let mut response = match spoken {
        None => next.run(request).await,
        Some(Some(version)) if version.major == VERSION.major => next.run(request).await,
        Some(_) => {
            let why = format!("this cloud speaks sync {VERSION}; update whichever of the two is older");
            refuse(&problem(ProblemCode::Version, &why))
        }
    };
    let headers = response.headers_mut();
    headers.insert(TIME_HEADER, HeaderValue::from(clock.wall().0));
    if let Ok(version) = HeaderValue::from_str(&VERSION.to_string()) {
        headers.insert(VERSION_HEADER, version);
    }
    response
}

fn version_of(text: &str) -> Option<Version> {
    text.parse().ok()
}
