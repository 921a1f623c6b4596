//! `/pair/*`: how a box becomes a player of this venue, and how its secret is changed. Over TLS only: elsewhere these
//! addresses do not exist.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_server::body::{self, BodyError};
use roomtone_server::front;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::door::Door;
use crate::hub::Hub;
use crate::pairing::Shut;
use crate::pairing::desk::PairError;
use crate::players::{AddPlayerError, AddedPlayer};
use crate::store::StoreError;
use crate::tls::HubKey;

/// A name and a message of the exchange.
const REQUEST_BYTES: usize = 4 * 1024;
/// For how long it may take to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Here {
    door: Door,
    key: HubKey,
}

/// The routes.
pub(super) fn router(door: Door, key: HubKey) -> Router {
    Router::new()
        .route("/pair/token", post(by_token))
        .route("/pair/hello", post(hello))
        .route("/pair/proof", post(proof))
        .route("/pair/renew", post(renew))
        .with_state(Here { door, key })
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
enum No {
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("this cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("{0}")]
    Pair(#[from] PairError),
    #[error("this needs `Authorization: Bearer SECRET` with the secret of a paired player")]
    NotAPlayer,
    #[error("{0}")]
    Renew(#[from] StoreError),
}

impl No {
    fn status(&self) -> StatusCode {
        match self {
            Self::Body(why) => why.status(),
            Self::Unreadable(_) | Self::Pair(PairError::Shut(Shut::Unreadable)) => StatusCode::BAD_REQUEST,
            Self::Pair(PairError::Shut(Shut::Closed)) => StatusCode::NOT_FOUND,
            Self::Pair(PairError::Shut(Shut::Wrong | Shut::UsedUp)) => StatusCode::FORBIDDEN,
            Self::Pair(PairError::Player(AddPlayerError::Store(_))) | Self::Renew(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Pair(PairError::Player(_)) => StatusCode::CONFLICT,
            Self::NotAPlayer => StatusCode::UNAUTHORIZED,
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = self.status();
        let sentence = if status.is_server_error() {
            tracing::error!("a player could not be paired: {self}");
            "something went wrong at our end; try again".to_owned()
        } else {
            self.to_string()
        };
        let mut response = reply(status, &json!({ "error": sentence }));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

#[derive(Deserialize)]
struct ByToken {
    name: String,
    token: String,
}

async fn by_token(State(here): State<Here>, request: Request) -> Result<Response, No> {
    let asked: ByToken = read(request).await?;
    let token = bytes(&asked.token, "token is no base64url")?;
    let added = here.door.hub.pair_by_token(&asked.name, &token).await?;
    Ok(reply(StatusCode::OK, &welcome(&here.door.hub, &added)))
}

#[derive(Deserialize)]
struct Hello {
    name: String,
    message: String,
}

async fn hello(State(here): State<Here>, request: Request) -> Result<Response, No> {
    let asked: Hello = read(request).await?;
    let message = bytes(&asked.message, "message is no base64url")?;
    let (attempt, ours) = here.door.hub.begin_pairing(&asked.name, &message, here.key)?;
    Ok(reply(StatusCode::OK, &json!({ "attempt": attempt, "message": URL_SAFE_NO_PAD.encode(ours) })))
}

#[derive(Deserialize)]
struct Proof {
    attempt: String,
    proof: String,
}

async fn proof(State(here): State<Here>, request: Request) -> Result<Response, No> {
    let asked: Proof = read(request).await?;
    let proof = bytes(&asked.proof, "proof is no base64url")?;
    let (added, ours) = here.door.hub.finish_pairing(&asked.attempt, &proof).await?;
    let mut told = welcome(&here.door.hub, &added);
    told["proof"] = json!(URL_SAFE_NO_PAD.encode(ours));
    Ok(reply(StatusCode::OK, &told))
}

async fn renew(State(here): State<Here>, headers: HeaderMap) -> Result<Response, No> {
    let shown = front::token(&headers).ok_or(No::NotAPlayer)?;
    let player = here.door.hub.player_showing(&shown, here.door.way).await.ok_or(No::NotAPlayer)?;
    let secret = here.door.hub.offer_secret(player, &shown).await?.ok_or(No::NotAPlayer)?;
    Ok(reply(StatusCode::OK, &json!({ "secret": secret })))
}

/// What a player keeps of its venue.
fn welcome(hub: &Hub, added: &AddedPlayer) -> Value {
    let zone = hub.zone(added.player.zone).map(|zone| zone.name);
    json!({
        "hub": hub.id().to_string(),
        "venue": hub.venue().id.to_string(),
        "venue_name": hub.venue().name,
        "player": added.player.id.to_string(),
        "name": added.player.name,
        "secret": added.token,
        "zone": zone,
    })
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, No> {
    let body = body::read(request, REQUEST_BYTES, REQUEST_TIME).await?;
    serde_json::from_slice(&body).map_err(|_other| No::Unreadable("it is not the JSON that is expected here"))
}

fn bytes(text: &str, why: &'static str) -> Result<Vec<u8>, No> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_other| No::Unreadable(why))
}
