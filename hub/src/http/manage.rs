//! `/manage` and `/api/manage/*`: what whoever runs the venue sees of it, and does with it, without any cloud. For whoever
//! has shown the PIN, over TLS alone; or the manager's token, over TLS or on the hub's own machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use roomtone_schema::PlayerId;
use roomtone_schema::id::Id as _;
use roomtone_server::body::{self, BodyError};
use roomtone_server::caller::Caller;
use roomtone_server::front::{Front, token, visit};
use roomtone_server::ui::{self, ManagePage};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::pages;
use crate::cloud_link::EnrolError;
use crate::dead_letters::DeadLetterError;
use crate::door::Door;
use crate::drill::DrillError;
use crate::graphql::HubSchema;
use crate::health::GUESTS_CUT_OFF;
use crate::hub::Hub;
use crate::import::ImportError;
use crate::manager::{PinError, SetPinError};
use crate::ordering::SkipZoneError;
use crate::orders::pairing::code;
use crate::orders::players::{PlayerOrder, lines};
use crate::pairing::Meant;
use crate::playing::{ChangePlayerError, CommandError};
use crate::qr;
use crate::scheduling::SetWeekError;
use crate::service::{Place, Successor};
use crate::store::StoreError;
use crate::tls::Secure;
use crate::trouble::sentence;

mod arriving;
mod backup;
mod door;
mod drill;
mod facts;
mod poster;
mod rooms;
mod songs;

use door::Who;

/// An order with a name in it.
const REQUEST_BYTES: usize = 4 * 1024;
/// For how long it may take to arrive.
const REQUEST_TIME: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Office {
    front: Front<HubSchema, Door>,
    hub: Hub,
    around: Around,
    /// Files that may be on their way in at once.
    arriving: Arc<Semaphore>,
}

/// What is around the hub where it is served.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    /// Where players and managers are told to come.
    pub(super) secure: Option<Secure>,
    /// Where the hub is, for what goes to a printer.
    pub(super) place: Option<Place>,
    /// Where a backup is handed in; `None` where the hub cannot begin anew by itself.
    pub(super) successor: Option<Successor>,
}

/// Removes what an earlier run left behind.
pub(super) fn sweep(data: &Path) {
    arriving::sweep(data);
}

/// The routes.
pub(super) fn router(front: Front<HubSchema, Door>, hub: Hub, around: Around) -> Router {
    let arriving = Arc::new(Semaphore::new(arriving::AT_ONCE));
    Router::new()
        .route("/manage", get(page))
        .route("/manage/poster", get(poster::page))
        .route("/api/manage", get(overview))
        .route("/api/manage/order", post(order))
        .route("/api/manage/rename", post(rename))
        .route("/api/manage/remove", post(remove))
        .route("/api/manage/pairing", post(open).delete(close))
        .route("/api/manage/door", get(door::look))
        .route("/api/manage/sign-in", post(door::sign_in))
        .route("/api/manage/sign-out", post(door::sign_out))
        .route("/api/manage/pin", post(door::set_pin))
        .route("/api/manage/set-up", post(door::set_up))
        .route("/api/manage/skip", post(rooms::skip))
        .route("/api/manage/week", post(rooms::set_week))
        .route("/api/manage/fares", get(rooms::fares))
        .route("/api/manage/songs", post(songs::take))
        .route("/api/manage/enrol", post(facts::enrol))
        .route("/api/manage/facts", get(facts::list).post(facts::decide))
        .route("/api/manage/poster", get(poster::look).post(poster::printed).delete(poster::renew))
        .route("/api/manage/drill", post(drill::begin).delete(drill::stop))
        .route("/api/manage/backup", get(backup::give))
        .route("/api/manage/restore", post(backup::take))
        .with_state(Office { front, hub, around, arriving })
}

/// The page; where a token could be read by others, the way to where it could not.
async fn page(request: Request) -> Response {
    document(&request, ManagePage::Open)
}

fn document(request: &Request, wanted: ManagePage) -> Response {
    let visit = visit(request);
    let page = if visit.secure || visit.local { wanted } else { ManagePage::Elsewhere };
    let status = if page == wanted { StatusCode::OK } else { StatusCode::FORBIDDEN };
    pages::document(request.headers(), status, ui::manage_page(page))
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
enum No {
    #[error(
        "this needs the PIN, over TLS, or the manager's token, over TLS or on the hub itself; `roomtone-hub manager token` \
         makes one"
    )]
    NotTheManager,
    #[error("a PIN is taken over TLS only, where nobody else on the network reads it")]
    InTheOpen,
    #[error("{0}")]
    Pin(#[from] PinError),
    #[error("{0}")]
    SetPin(#[from] SetPinError),
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("this cannot be read")]
    Unreadable,
    #[error("there is no such player any more")]
    Unknown,
    #[error("this venue has no such zone")]
    UnknownZone,
    #[error("players cannot connect to this hub")]
    Unreachable,
    #[error("nobody knows where this hub is, so there is nothing to print")]
    Nowhere,
    #[error("{0}")]
    Skip(#[from] SkipZoneError),
    #[error("{0}")]
    Week(#[from] SetWeekError),
    #[error("{0}")]
    Arriving(#[from] arriving::NotTaken),
    #[error("{0}")]
    Import(#[from] ImportError),
    #[error("{0}")]
    Backup(#[from] backup::NoBackup),
    #[error("{0}")]
    Drill(#[from] DrillError),
    #[error("{0}")]
    Fact(#[from] DeadLetterError),
    #[error("{0}")]
    Enrol(#[from] EnrolError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Change(#[from] ChangePlayerError),
    #[error("{0}")]
    Order(#[from] CommandError),
}

impl No {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotTheManager => StatusCode::UNAUTHORIZED,
            Self::InTheOpen | Self::Pin(PinError::Wrong) => StatusCode::FORBIDDEN,
            Self::Pin(PinError::TooOften { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Body(why) => why.status(),
            Self::Arriving(why) => why.status(),
            Self::Backup(why) => why.status(),
            Self::SetPin(SetPinError::NoPin | SetPinError::TooPlain)
            | Self::Week(SetWeekError::Unsound(_))
            | Self::Enrol(EnrolError::NoAddress(_) | EnrolError::Plain)
            | Self::Drill(DrillError::Length)
            | Self::Unreadable
            | Self::Order(CommandError::BadVolume | CommandError::NoOrder) => StatusCode::BAD_REQUEST,
            Self::Unknown
            | Self::UnknownZone
            | Self::Nowhere
            | Self::Skip(SkipZoneError::NothingPlays)
            | Self::Week(SetWeekError::UnknownZone)
            | Self::Fact(DeadLetterError::Unknown)
            | Self::Change(ChangePlayerError::Unknown)
            | Self::Order(CommandError::UnknownPlayer) => StatusCode::NOT_FOUND,
            Self::Pin(PinError::NoneSet)
            | Self::Drill(_)
            | Self::Skip(SkipZoneError::Licence(_))
            | Self::Week(SetWeekError::OfTheCloud)
            | Self::Fact(DeadLetterError::KeyUsed)
            | Self::SetPin(SetPinError::SetupOver)
            | Self::Enrol(EnrolError::Code | EnrolError::NoAnswer(_) | EnrolError::NotEnrolled)
            | Self::Unreachable
            | Self::Change(ChangePlayerError::BadName | ChangePlayerError::NameTaken) => StatusCode::CONFLICT,
            Self::Change(ChangePlayerError::Store(_))
            | Self::Order(_)
            | Self::Pin(PinError::Store(_))
            | Self::SetPin(_)
            | Self::Skip(SkipZoneError::Store(_))
            | Self::Week(SetWeekError::Store(_))
            | Self::Import(_)
            | Self::Enrol(EnrolError::Key(_) | EnrolError::Store(_))
            | Self::Fact(DeadLetterError::Store(_))
            | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = self.status();
        let sentence = if status.is_server_error() {
            tracing::error!("a manager's request failed: {self}");
            "something went wrong at our end; try again".to_owned()
        } else {
            self.to_string()
        };
        let mut response = reply(status, &json!({ "error": sentence }));
        if status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"the hub's manager\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, how);
        }
        response
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

impl Office {
    /// Reads who asks before anything is awaited, for a request cannot be shared between threads.
    fn admit<'a>(&'a self, request: &Request) -> impl Future<Output = Result<Who, No>> + Send + use<'a> {
        let (visit, token) = (visit(request), token(request.headers()));
        let secret = door::session_shown(request.headers(), &visit);
        async move {
            let session = secret.as_deref().and_then(|secret| self.hub.manager_session(secret));
            if let Some(session) = session {
                return Ok(Who::ByPin(session));
            }
            let caller = self.front.admit(token.as_deref(), &visit).await;
            if caller == Caller::Manager { Ok(Who::ByToken) } else { Err(No::NotTheManager) }
        }
    }

    /// Everything that the page shows all the time.
    fn overview(&self, who: Who) -> Value {
        let zones: Vec<String> = self.hub.zones().iter().map(|zone| zone.name.clone()).collect();
        let news = self.hub.pairing_news().borrow().clone();
        let zone = |id| self.hub.zone(id).map(|zone| zone.name);
        let paired = news.paired.map(|paired| json!({ "name": paired.name, "zone": zone(paired.zone) }));
        json!({
            "venue": self.hub.venue().name,
            "zones": zones,
            "players": lines(&self.hub),
            "pairing": self.pairing(),
            "paired": paired,
            "rooms": rooms::all(&self.hub),
            "guests_cut_off": self.hub.guests_are_cut_off().then(|| sentence(GUESTS_CUT_OFF)),
            "week": rooms::week(&self.hub),
            "sync": facts::standing(&self.hub),
            "drill": drill::told(&self.hub),
            "me": who.told(&self.hub),
            "can_restore": self.around.successor.is_some(),
        })
    }

    fn pairing(&self) -> Option<Value> {
        let (secure, shown) = (self.around.secure.as_ref()?, self.hub.pairing()?);
        let code = code(&self.hub, secure, &shown);
        let picture = qr::for_screen(&code.uri).ok();
        let mut told = serde_json::to_value(code).ok()?;
        told["picture"] = json!(picture);
        Some(told)
    }
}

async fn overview(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

#[derive(Deserialize)]
struct Ordered {
    player: String,
    order: PlayerOrder,
}

async fn order(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Ordered = read(request).await?;
    let (kind, volume) = asked.order.as_command();
    office.hub.command(player(&asked.player)?, kind, volume).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

#[derive(Deserialize)]
struct Renamed {
    player: String,
    name: String,
}

async fn rename(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Renamed = read(request).await?;
    office.hub.rename_player(player(&asked.player)?, &asked.name).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

#[derive(Deserialize)]
struct Removed {
    player: String,
}

async fn remove(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Removed = read(request).await?;
    office.hub.remove_player(player(&asked.player)?).await?;
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Opened {
    name: Option<String>,
    zone: Option<String>,
}

async fn open(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    let asked: Opened = read(request).await?;
    office.around.secure.as_ref().ok_or(No::Unreachable)?;
    let name = asked.name.filter(|name| !name.trim().is_empty());
    if name.as_deref().is_some_and(|name| crate::players::usable(name).is_none()) {
        return Err(ChangePlayerError::BadName.into());
    }
    let zones = office.hub.zones();
    let named = |name: String| zones.iter().find(|zone| zone.name == name).map(|zone| zone.id);
    let zone = asked.zone.map(|name| named(name).ok_or(No::UnknownZone)).transpose()?;
    office.hub.open_pairing(Meant { name, zone });
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

async fn close(State(office): State<Office>, request: Request) -> Result<Response, No> {
    let who = office.admit(&request).await?;
    if let Some(shown) = office.hub.pairing() {
        office.hub.close_pairing(shown.id);
    }
    Ok(reply(StatusCode::OK, &office.overview(who)))
}

fn player(id: &str) -> Result<PlayerId, No> {
    PlayerId::from_global(id).map_err(|_no_id| No::Unknown)
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, No> {
    let body = body::read(request, REQUEST_BYTES, REQUEST_TIME).await?;
    serde_json::from_slice(&body).map_err(|_other| No::Unreadable)
}
