//! The pages: the listener's, open to everybody, and the query page, which a venue's hub shows to its manager.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, VARY, WWW_AUTHENTICATE};
use axum::response::Response;
use axum::routing::get;
use roomtone_server::front::{Front, token, visit};
use roomtone_server::pages::{self, Policy};
use roomtone_server::ui::{self, Asset, QueryPage};

use super::nothing;
use crate::door::Door;
use crate::graphql::HubSchema;
use crate::hub::Hub;

pub(super) fn router(front: Front<HubSchema, Door>, hub: Hub) -> Router {
    let query = Router::new().route("/graphiql", get(graphiql)).route("/graphiql/small", get(small));
    let query = query.with_state(front);
    let page = Router::new().route("/", get(page)).with_state(hub);
    Router::new().merge(page).route("/favicon.ico", get(file)).route("/ui/{*name}", get(file)).merge(query)
}

/// The listener's page. Whoever asks for it from elsewhere shows that phones reach this hub.
async fn page(State(hub): State<Hub>, request: Request) -> Response {
    if visit(&request).address.is_some_and(|address| !address.is_loopback()) {
        hub.phone_was_here();
    }
    file(request).await
}

/// One file of the pages.
async fn file(request: Request) -> Response {
    match ui::asset(request.uri().path()) {
        Some(asset) => pages::file(asset, request.headers(), Policy::default()),
        None => nothing().await,
    }
}

async fn graphiql(State(front): State<Front<HubSchema, Door>>, request: Request) -> Response {
    let policy = Policy { writes_styles: ui::HAS_GRAPHIQL, ..Policy::default() };
    query_page(&front, request, QueryPage::Open, policy).await
}

async fn small(State(front): State<Front<HubSchema, Door>>, request: Request) -> Response {
    query_page(&front, request, QueryPage::Small, Policy::default()).await
}

/// A query page, for whoever may ask what the schema is; for others the way to it.
async fn query_page(
    front: &Front<HubSchema, Door>,
    request: Request,
    wanted: QueryPage,
    policy: Policy<'_>,
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
    // What is shown depends on who asks.
    let mut response = pages::document(headers, status, ui::query_page(page), policy);
    response.headers_mut().append(VARY, HeaderValue::from_static("authorization"));
    if status == StatusCode::UNAUTHORIZED {
        let how = HeaderValue::from_static("Bearer realm=\"the hub's manager\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, how);
    }
    response
}

/// A document of ours that nothing between here and there may keep.
pub(super) fn document(headers: &HeaderMap, status: StatusCode, asset: &'static Asset) -> Response {
    pages::document(headers, status, asset, Policy::default())
}
