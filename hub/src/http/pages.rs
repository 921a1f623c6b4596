//! The pages: the listener's, open to everybody, and the query page, which a venue's hub shows to its manager.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST,
    HeaderMap, HeaderValue, IF_NONE_MATCH, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use roomtone_server::front::{Front, token, visit};
use roomtone_server::ui::{self, Asset, QueryPage, Sent};

use super::nothing;
use crate::door::Door;
use crate::graphql::HubSchema;

pub(super) fn router(front: Front<HubSchema, Door>) -> Router {
    let query = Router::new().route("/graphiql", get(graphiql)).route("/graphiql/small", get(small));
    let query = query.with_state(front);
    Router::new()
        .route("/", get(file))
        .route("/favicon.ico", get(file))
        .route("/ui/{*name}", get(file))
        .merge(query)
}

/// One file of the pages.
async fn file(request: Request) -> Response {
    match ui::asset(request.uri().path()) {
        Some(asset) => send(asset, request.headers()),
        None => nothing().await,
    }
}

async fn graphiql(State(front): State<Front<HubSchema, Door>>, request: Request) -> Response {
    let styles = if ui::HAS_GRAPHIQL { Styles::Written } else { Styles::Ours };
    query_page(&front, request, QueryPage::Open, styles).await
}

async fn small(State(front): State<Front<HubSchema, Door>>, request: Request) -> Response {
    query_page(&front, request, QueryPage::Small, Styles::Ours).await
}

/// A query page, for whoever may ask what the schema is; for others the way to it.
async fn query_page(
    front: &Front<HubSchema, Door>,
    request: Request,
    wanted: QueryPage,
    styles: Styles,
) -> Response {
    let visit = visit(&request);
    let headers = &request.into_parts().0.headers;
    let caller = front.admit(token(headers).as_deref(), &visit).await;
    let (status, page) = if front.may_introspect(&caller) {
        (StatusCode::OK, wanted)
    } else if visit.local {
        (StatusCode::UNAUTHORIZED, QueryPage::SignIn)
    } else {
        (StatusCode::FORBIDDEN, QueryPage::Elsewhere)
    };
    let asset = ui::query_page(page);
    // What is shown depends on who asks, so nothing between here and there may keep it.
    let kept = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let page = whole(asset, asset.sent(takes_gzip(headers)));
    let mut response = (status, kept, policy(headers, styles), page).into_response();
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization"));
    if status == StatusCode::UNAUTHORIZED {
        let how = HeaderValue::from_static("Bearer realm=\"the hub's manager\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
    }
    response
}

/// A document that nothing between here and there may keep.
pub(super) fn document(headers: &HeaderMap, status: StatusCode, asset: &'static Asset) -> Response {
    let kept = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, kept, policy(headers, Styles::Ours), whole(asset, asset.sent(takes_gzip(headers))))
        .into_response()
}

/// A file, or 304 where the browser has it.
fn send(asset: &Asset, headers: &HeaderMap) -> Response {
    let sent = asset.sent(takes_gzip(headers));
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == sent.etag));
    let tag = [(ETAG, sent.etag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, tag, [(VARY, "accept-encoding")]).into_response();
    }
    (tag, policy(headers, Styles::Ours), whole(asset, sent)).into_response()
}

fn whole(asset: &Asset, sent: Sent) -> Response {
    let kind = [(CONTENT_TYPE, asset.content_type), (VARY, "accept-encoding")];
    let mut response = (kind, sent.bytes).into_response();
    if sent.is_packed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether a reader takes gzip: it is named, and not with a weight of nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok());
        is_gzip && weight.is_none_or(|weight| 0.0 < weight)
    })
}

/// Whose styles a page applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Styles {
    /// Those of its files.
    Ours,
    /// Also those that its script writes: Monaco, which `GraphiQL` is made of, cannot do without.
    Written,
}

/// The pages load nothing from anywhere else, and talk to nobody else. Older Safaris do not count a WebSocket as
/// `'self'`, so it is named; a Host that fits no header has not come this far.
fn policy(headers: &HeaderMap, styles: Styles) -> [(HeaderName, HeaderValue); 1] {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let written = if styles == Styles::Written { " 'unsafe-inline'; worker-src 'self'" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{written}; img-src 'self' data: blob:; \
         media-src 'self' blob:; font-src 'self'; manifest-src 'self'; connect-src 'self' ws://{host} wss://{host}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let strictest = HeaderValue::from_static("default-src 'none'");
    [(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strictest))]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("gzip, deflate, br", true)]
    #[case("br;q=1.0, GZIP;q=0.5", true)]
    #[case("gzip;q=0", false)]
    #[case("identity", false)]
    #[case("", false)]
    fn gzip_is_sent_to_those_who_take_it(#[case] value: &str, #[case] expected: bool) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
        assert_eq!(takes_gzip(&headers), expected);
    }
}
