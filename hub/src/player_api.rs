//! The older plan's API for dumb terminals: ask what to play, say what plays.
//!
//! `GET /api/player/next-song` repeats the zone's current pick until its length has passed or a report has ended it;
//! `POST /api/player/status` is the heartbeat. Both want the token that `roomtone-hub player add NAME` printed, and
//! both are off until there is one: players that were paired do not need them.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use roomtone_schema::id::Id as _;
use roomtone_schema::play::PlayEnd;
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::{PickId, PlayerId, SongId};
use roomtone_server::body::{self, BodyError};
use roomtone_server::front;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::door::Door;
use crate::media;
use crate::players::Way;
use crate::playing::{ClaimError, ReportError};
use crate::refusal::{Refusal, RefusalCode};
use crate::view::{PickView, PlaybackReport, PlayerView};

/// A report is a handful of words.
const REPORT_BYTES: usize = 16 * 1024;
/// For how long it may take to arrive.
const REPORT_TIME: Duration = Duration::from_secs(10);
/// After how many seconds a terminal should ask again where there is no music yet.
const ASK_AGAIN_S: &str = "30";

/// The routes.
pub(crate) fn router(door: Door) -> Router {
    Router::new()
        .route("/api/player/next-song", get(next_song))
        .route("/api/player/status", post(status))
        .with_state(door)
}

/// Why a terminal does not get what it asks for.
#[derive(Debug, thiserror::Error)]
enum No {
    #[error("the terminal API is off until a terminal exists: run `roomtone-hub player add NAME`")]
    Off,
    #[error(
        "this needs `Authorization: Bearer TOKEN` with the token that `roomtone-hub player add NAME` printed"
    )]
    NotAPlayer,
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("{0}")]
    Unreadable(&'static str),
    #[error("{0}")]
    Claim(#[from] ClaimError),
    #[error("{0}")]
    Report(#[from] ReportError),
}

impl No {
    fn status(&self) -> StatusCode {
        match self {
            Self::Off => StatusCode::NOT_FOUND,
            Self::NotAPlayer | Self::Claim(ClaimError::UnknownPlayer) => StatusCode::UNAUTHORIZED,
            Self::Body(why) => why.status(),
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Claim(ClaimError::NoMusic) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Claim(why) => status_of(why.code()),
            Self::Report(why) => status_of(why.code()),
        }
    }

    /// What is our fault is logged here; the terminal learns only that it was ours.
    fn sentence(&self, status: StatusCode) -> String {
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!("a terminal's request failed: {self}");
            return "something went wrong at our end; try again".to_owned();
        }
        self.to_string()
    }
}

fn status_of(code: Option<RefusalCode>) -> StatusCode {
    match code {
        None => StatusCode::INTERNAL_SERVER_ERROR,
        Some(RefusalCode::Forbidden | RefusalCode::NotCheckedIn | RefusalCode::Expired) => {
            StatusCode::UNAUTHORIZED
        }
        Some(RefusalCode::NotFound) => StatusCode::NOT_FOUND,
        Some(RefusalCode::Conflict) => StatusCode::CONFLICT,
        Some(RefusalCode::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        Some(RefusalCode::Invalid) => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = reply(status, &json!({ "error": self.sentence(status) }));
        let hint: Option<(HeaderName, &str)> = match status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, ASK_AGAIN_S)),
            _ => None,
        };
        if let Some((name, value)) =
            hint.and_then(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)))
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

async fn player(door: &Door, headers: &HeaderMap) -> Result<PlayerId, No> {
    if !door.hub.has_terminals() {
        return Err(No::Off);
    }
    let token = front::token(headers).ok_or(No::NotAPlayer)?;
    door.hub.player_showing(&token, door.way).await.ok_or(No::NotAPlayer)
}

async fn next_song(State(door): State<Door>, headers: HeaderMap) -> Result<Response, No> {
    let pick = door.hub.next_song(player(&door, &headers).await?).await?;
    Ok(reply(StatusCode::OK, &song_of(&door, &pick, &headers)))
}

/// The song as the plan words it, and what newer terminals may use: seconds for lengths, milliseconds for crossfade.
fn song_of(door: &Door, pick: &PickView, headers: &HeaderMap) -> Value {
    let facts = &pick.song.facts;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if door.way == Way::Tls { "https" } else { "http" };
    json!({
        "url": format!("{scheme}://{host}{}", media::url(&door.hub, &facts.sha256)),
        "title": facts.title,
        "artist": facts.artist,
        "crossfade": pick.crossfade_ms,
        "duration": f64::from(facts.duration_ms) / 1_000.0,
        "song_id": pick.song.id.to_string(),
        "pick_id": pick.id.to_string(),
        "album": facts.album,
        "bpm": facts.bpm,
        "key": facts.key,
        "sha256": facts.sha256.to_string(),
        "gain_db": pick.gain_db,
        "cue_in": f64::from(facts.cue_in_ms) / 1_000.0,
        "cue_out": f64::from(facts.cue_out_ms) / 1_000.0,
    })
}

/// What a terminal says; all but the status may be missing.
#[derive(Debug, Deserialize)]
struct Report {
    status: PlayerStatus,
    song_id: Option<String>,
    pick_id: Option<String>,
    position: Option<f64>,
    ended: Option<PlayEnd>,
}

impl Report {
    fn parse(body: &[u8]) -> Result<PlaybackReport, No> {
        let report: Self = serde_json::from_slice(body).map_err(|_unreadable| {
            No::Unreadable(
                "send JSON such as {\"status\": \"active\", \"song_id\": \"...\", \"position\": 12.5}; status is active, \
                 idle or offline, ended is finished, skipped or failed",
            )
        })?;
        let position_ms = report.position.map(milliseconds).transpose()?;
        Ok(PlaybackReport {
            status: report.status,
            pick: report.pick_id.as_deref().map(pick_id).transpose()?,
            song: report.song_id.as_deref().map(song_id).transpose()?,
            position_ms,
            // A terminal plays from the beginning: where it ended is how much was heard.
            heard_ms: report.ended.and(position_ms),
            ended: report.ended,
            ..PlaybackReport::default()
        })
    }
}

/// An id as `next-song` gave it, or as the GraphQL API writes it.
fn song_id(text: &str) -> Result<SongId, No> {
    text.parse()
        .or_else(|_| SongId::from_global(text))
        .map_err(|_neither| No::Unreadable("song_id is none of ours"))
}

fn pick_id(text: &str) -> Result<PickId, No> {
    text.parse()
        .or_else(|_| PickId::from_global(text))
        .map_err(|_neither| No::Unreadable("pick_id is none of ours"))
}

fn milliseconds(seconds: f64) -> Result<u32, No> {
    let fits = seconds.is_finite() && (0.0..=f64::from(u32::MAX / 1_000)).contains(&seconds);
    fits.then_some((seconds * 1_000.0) as u32)
        .ok_or(No::Unreadable("position is a number of seconds, 0 or more"))
}

async fn status(State(door): State<Door>, request: Request) -> Result<Response, No> {
    let player = player(&door, request.headers()).await?;
    let report = Report::parse(&body::read(request, REPORT_BYTES, REPORT_TIME).await?)?;
    let view = door.hub.report_playback(player, None, report).await?;
    Ok(reply(StatusCode::OK, &player_of(&view)))
}

fn player_of(view: &PlayerView) -> Value {
    json!({
        "name": view.player.name,
        "status": view.player.status,
        "current_song_id": view.player.current_song.map(|song| song.to_string()),
        "last_poll_at": view.player.last_seen_at.and_then(|at| chrono::DateTime::from_timestamp_millis(at.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_needs_nothing_but_a_status() {
        let report = Report::parse(br#"{"status":"idle"}"#).unwrap();
        assert_eq!(report.status, PlayerStatus::Idle);
        assert_eq!(report.position_ms, None);
    }

    #[test]
    fn a_report_is_read_in_seconds() {
        let report = Report::parse(br#"{"status":"active","position":12.5,"ended":"skipped"}"#).unwrap();
        assert_eq!(report.position_ms, Some(12_500));
        assert_eq!(report.heard_ms, Some(12_500), "it is history now");
        assert_eq!(report.ended, Some(PlayEnd::Skipped));
        let report = Report::parse(br#"{"status":"active","position":12.5}"#).unwrap();
        assert_eq!(report.heard_ms, None, "it goes on");
    }

    #[test]
    fn what_is_no_report_is_told_what_would_be_one() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"status":"dancing"}"#,
            r#"{"status":"active","position":-1}"#,
            r#"{"status":"active","position":1e300}"#,
            r#"{"status":"active","song_id":"x"}"#,
            r#"{"status":"active","ended":"bored"}"#,
        ] {
            assert!(matches!(Report::parse(body.as_bytes()), Err(No::Unreadable(_))), "{body}");
        }
    }
}
