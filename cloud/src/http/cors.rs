//! Which pages elsewhere may read our answers: those of the configured origins, and none besides.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// For how long a browser may remember that it has asked.
const REMEMBERED: Duration = Duration::from_mins(10);

/// The layer. A token is a header, so that no cookie is sent along and none is let in.
pub(super) fn layer(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("accept")])
        .max_age(REMEMBERED)
}
