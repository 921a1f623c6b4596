//! Signing in by the PIN, and what a signed-in browser shows.
//!
//! The session is a cookie that no script reads and that goes nowhere but here, over TLS. Another page's request may carry it
//! all the same where a browser is old, so it counts only together with a header that no other page can set unasked.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::Response;
use roomtone_server::caller::{Visit, cookie};
use roomtone_server::front::visit;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{No, Office, read, reply};
use crate::hub::Hub;
use crate::manager::{SESSION, SignedIn};

/// Browsers take a cookie of such a name over TLS only, for this host alone.
const SESSION_COOKIE: &str = "__Host-roomtone_manager";

/// What our own page sets on each request. A page elsewhere has to ask first, and is told no.
const OURS: (&str, &str) = ("x-roomtone", "manage");

/// How a manager was known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    /// By the token that the hub printed.
    ByToken,
    /// By the PIN.
    ByPin(SignedIn),
}

impl Who {
    /// What the page shows of it.
    pub(super) fn told(self, hub: &Hub) -> Value {
        let has_pin = hub.has_pin();
        match self {
            Self::ByToken => json!({ "by": "token", "has_pin": has_pin }),
            Self::ByPin(session) => json!({
                "by": "pin",
                "has_pin": has_pin,
                "until_s": session.until.since(hub.now()).as_secs(),
                "wrong_before": session.wrong_before,
            }),
        }
    }
}

/// The session's secret, where it came as it must.
pub(super) fn session_shown(headers: &HeaderMap, visit: &Visit) -> Option<String> {
    let is_ours = headers.get(OURS.0).is_some_and(|value| value == OURS.1);
    if !is_ours || !visit.secure {
        return None;
    }
    let mut cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.find_map(|header| cookie(header, SESSION_COOKIE)).map(str::to_owned)
}

/// What a page needs to know before anybody has signed in.
pub(super) async fn look(State(office): State<Office>, request: Request) -> Response {
    let visit = visit(&request);
    let is_in = office.admit(&request).await.is_ok();
    let port = office.around.secure.as_ref().and_then(crate::tls::Secure::port);
    reply(
        StatusCode::OK,
        &json!({
            "has_pin": office.hub.has_pin(),
            "awaits_setup": office.hub.awaits_setup(),
            "secure": visit.secure,
            "signed_in": is_in,
            "tls_port": port,
        }),
    )
}

#[derive(Deserialize)]
struct Shown {
    pin: String,
}

/// Lets somebody in who shows the PIN.
pub(super) async fn sign_in(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let visit = over_tls(&request)?;
    let asked: Shown = read(request).await?;
    let_in(&office, &asked.pin, &visit).await
}

/// A session for whoever shows this PIN.
async fn let_in(office: &Office, pin: &str, visit: &Visit) -> Result<Response, No> {
    let secret = office.hub.sign_in_by_pin(pin, visit.address).await?;
    let session = office.hub.manager_session(&secret).ok_or(No::NotTheManager)?;
    let mut response = reply(StatusCode::OK, &office.overview(Who::ByPin(session)));
    response.headers_mut().insert(SET_COOKIE, set_cookie(&secret, SESSION.as_secs()));
    Ok(response)
}

/// Ends the session that is shown.
pub(super) async fn sign_out(State(office): State<Office>, request: Request) -> Response {
    if let Some(secret) = session_shown(request.headers(), &visit(&request)) {
        office.hub.sign_out_manager(&secret);
    }
    let mut response = reply(StatusCode::OK, &json!({}));
    response.headers_mut().insert(SET_COOKIE, set_cookie("", 0));
    response
}

#[derive(Deserialize)]
struct SetUp {
    code: String,
    pin: String,
}

/// Makes the first PIN, for whoever has read the setup code where the hub was started, and lets them in.
pub(super) async fn set_up(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let visit = over_tls(&request)?;
    let asked: SetUp = read(request).await?;
    office.hub.set_up(&asked.code, &asked.pin).await?;
    let_in(&office, &asked.pin, &visit).await
}

#[derive(Deserialize)]
struct NewPin {
    pin: String,
    /// The one before: whoever comes to a desk that somebody left has not got it.
    current: Option<String>,
}

/// Makes another PIN. Who signed in by the PIN shows it once more; who has the token does not need to.
pub(super) async fn set_pin(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let visit = over_tls(&request)?;
    let asked: NewPin = read(request).await?;
    if matches!(who, Who::ByPin(_)) {
        crate::manager::new_pin(&asked.pin)?;
        office.hub.check_pin(asked.current.as_deref().unwrap_or_default(), visit.address).await?;
    }
    office.hub.set_pin(&asked.pin).await?;
    let_in(&office, &asked.pin, &visit).await
}

/// A PIN never goes where others could read it, and a page elsewhere cannot sign anybody in.
fn over_tls(request: &Request) -> Result<Visit, No> {
    let visit = visit(request);
    let is_ours = request.headers().get(OURS.0).is_some_and(|value| value == OURS.1);
    if visit.secure && is_ours { Ok(visit) } else { Err(No::InTheOpen) }
}

fn set_cookie(secret: &str, seconds: u64) -> HeaderValue {
    let cookie =
        format!("{SESSION_COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    HeaderValue::from_str(&cookie).expect("a secret is base64url")
}
