//! The hub's answers as types, and the player's facts as the hub reads them. No network in here.

use jiff::Timestamp;
use roomtone_schema::id::Id;
use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::player::{PlayerHealth, PlayerStatus};
use roomtone_schema::song::Sha256;
use roomtone_schema::view::{LatePlay, PlaybackReport};
use roomtone_schema::{PickId, PlayId, SongId, UnixMillis};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::line::Reply;
use super::{Begun, Claimed, LateTaken, LinkError};
use crate::hours::Hours;
use crate::pick::Pick;

/// A pick as the API words it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePick {
    id: String,
    song: WireSong,
    media_url: String,
    sha256: Sha256,
    bytes: u64,
    crossfade_ms: u32,
    cue_in_ms: u32,
    cue_out_ms: u32,
    gain_db: f32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSong {
    id: String,
    title: String,
    artist: Option<String>,
    duration_ms: u32,
}

/// The zone's hours as the API words them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHours {
    as_of: Timestamp,
    is_open: bool,
    closes_at: Option<Timestamp>,
    opens_at: Option<Timestamp>,
}

impl From<WireHours> for Hours {
    fn from(told: WireHours) -> Self {
        let millis = |at: Timestamp| UnixMillis(at.as_millisecond());
        let (closes_at, opens_at) = (told.closes_at.map(millis), told.opens_at.map(millis));
        Self { as_of: millis(told.as_of), is_open: told.is_open, closes_at, opens_at }
    }
}

/// The payload of `claimNextSong`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claim {
    pick: Option<WirePick>,
    plan: Vec<WirePick>,
    hours: Option<WireHours>,
    offline_storage: Option<bool>,
}

/// The answer to `playerPlan`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    current: Option<WirePick>,
    #[serde(rename = "plan")]
    ahead: Vec<WirePick>,
    hours: Option<WireHours>,
    offline_storage: Option<bool>,
}

/// The payload of `reportPlays`.
#[derive(Debug, Deserialize)]
pub(super) struct Taken {
    taken: u32,
    unknown: Vec<String>,
}

/// A payload of which nothing is wanted but that it is one.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// The answer to `/pair/renew`.
#[derive(Deserialize)]
pub(super) struct Renewed {
    pub(super) secret: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphqlError {
    message: String,
    #[serde(default)]
    extensions: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct UserError {
    code: String,
    message: String,
}

impl WirePick {
    pub(super) fn into_pick(self) -> Result<Pick, LinkError> {
        if !self.media_url.starts_with('/') {
            return Err(LinkError::Odd(format!("a file at {} is not the hub's own", self.media_url)));
        }
        Ok(Pick {
            pick: Some(id(&self.id)?),
            song: id(&self.song.id)?,
            title: self.song.title,
            artist: self.song.artist,
            duration_ms: self.song.duration_ms,
            sha256: self.sha256,
            bytes: self.bytes,
            media_url: self.media_url,
            crossfade_ms: self.crossfade_ms,
            cue_in_ms: self.cue_in_ms,
            cue_out_ms: self.cue_out_ms,
            gain_db: self.gain_db,
        })
    }
}

impl Claim {
    pub(super) fn into_claimed(self) -> Result<Claimed, LinkError> {
        claimed(self.pick, self.plan, self.hours, self.offline_storage)
    }
}

impl Plan {
    pub(super) fn into_claimed(self) -> Result<Claimed, LinkError> {
        claimed(self.current, self.ahead, self.hours, self.offline_storage)
    }
}

impl Taken {
    pub(super) fn into_late_taken(self) -> Result<LateTaken, LinkError> {
        let unknown = self.unknown.iter().map(|song| id(song)).collect::<Result<_, _>>()?;
        Ok(LateTaken { taken: self.taken, unknown })
    }
}

impl GraphqlError {
    pub(super) fn into_link_error(self) -> LinkError {
        let code = self.extensions.get("code").and_then(Value::as_str).unwrap_or("INTERNAL").to_owned();
        refused(code, self.message)
    }
}

/// The data of a GraphQL answer.
pub(super) fn data(reply: &Reply) -> Result<Value, LinkError> {
    if reply.status == hyper::StatusCode::UNAUTHORIZED {
        return Err(LinkError::Revoked);
    }
    if !reply.is_json() {
        return Err(reply.refused_or_odd());
    }
    let answer: Answer =
        serde_json::from_slice(&reply.body).map_err(|error| reply.odd(&error.to_string()))?;
    if let Some(error) = answer.errors.into_iter().next() {
        return Err(error.into_link_error());
    }
    match answer.data {
        Some(data) if reply.status.is_success() => Ok(data),
        _ => Err(reply.refused_or_odd()),
    }
}

/// A mutation's payload, or the hub's polite no.
pub(super) fn payload<T: DeserializeOwned>(payload: Value) -> Result<T, LinkError> {
    let errors: Vec<UserError> = read(payload["userErrors"].clone())?;
    match errors.into_iter().next() {
        Some(no) => Err(refused(no.code, no.message)),
        None => read(payload),
    }
}

/// A value as the type it must be.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, LinkError> {
    serde_json::from_value(value).map_err(|error| LinkError::Odd(error.to_string()))
}

/// The input of `claimNextSong`.
pub(super) fn claim(key: Uuid, play: PlayId, begun: Option<Begun>) -> Value {
    without_nulls(json!({
        "idempotencyKey": key,
        "playId": play.to_global(),
        "begun": begun.map(|begun| begun.pick.to_global()),
        "begunSongId": begun.and_then(|begun| begun.song).map(SongId::to_global),
    }))
}

/// The input of `reportPlayback`.
pub(super) fn report(key: Uuid, report: &PlaybackReport) -> Value {
    without_nulls(json!({
        "idempotencyKey": key,
        "status": status(report.status),
        "playId": report.play.map(PlayId::to_global),
        "pickId": report.pick.map(PickId::to_global),
        "songId": report.song.map(SongId::to_global),
        "positionMs": report.position_ms,
        "heardMs": report.heard_ms,
        "silenceMs": report.silence_ms,
        "tier": report.tier.map(tier),
        "ended": report.ended.map(ended),
        "health": report.health.as_ref().map(health),
    }))
}

/// The input of `reportPlays`.
pub(super) fn late(key: Uuid, plays: &[LatePlay]) -> Value {
    let plays = plays.iter().map(|play| {
        without_nulls(json!({
            "playId": play.play.to_global(),
            "songId": play.song.to_global(),
            "pickId": play.pick.map(PickId::to_global),
            "startedAgoMs": play.started_ago_ms,
            "endedAgoMs": play.ended_ago_ms,
            "heardMs": play.heard_ms,
            "ended": ended(play.ended),
            "tier": tier(play.tier),
        }))
    });
    json!({ "idempotencyKey": key, "plays": plays.collect::<Vec<_>>() })
}

fn health(health: &PlayerHealth) -> Value {
    // JSON has no infinity: the level of nothing at all is left out.
    let level = health.level_db.filter(|level| level.is_finite());
    without_nulls(json!({
        "levelDb": level,
        "silent": health.silent,
        "diskFreeBytes": health.disk_free_bytes,
        "cachedSongs": health.cached_songs,
        "plannedMs": health.planned_ms,
        "clockTrusted": health.clock_trusted,
        "output": health.output,
        "outputTrouble": health.output_trouble,
        "version": health.version,
        "rogue": health.rogue,
    }))
}

fn claimed(
    pick: Option<WirePick>,
    plan: Vec<WirePick>,
    hours: Option<WireHours>,
    offline_storage: Option<bool>,
) -> Result<Claimed, LinkError> {
    let pick = pick.map(WirePick::into_pick).transpose()?;
    let plan = plan.into_iter().map(WirePick::into_pick).collect::<Result<_, _>>()?;
    Ok(Claimed { pick, plan, hours: hours.map(Hours::from), offline_storage })
}

/// A player that may not is a player no more: the hub knows no other reason to forbid it its own business.
fn refused(code: String, message: String) -> LinkError {
    if code == "FORBIDDEN" { LinkError::Revoked } else { LinkError::Refused { code, message } }
}

fn id<T: Id>(text: &str) -> Result<T, LinkError> {
    T::from_global(text).map_err(|error| LinkError::Odd(format!("{text}: {error}")))
}

fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

fn status(status: PlayerStatus) -> &'static str {
    match status {
        PlayerStatus::Active => "ACTIVE",
        PlayerStatus::Idle => "IDLE",
        PlayerStatus::Offline => "OFFLINE",
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Hub => "HUB",
        Tier::Plan => "PLAN",
        Tier::Cache => "CACHE",
    }
}

fn ended(ended: PlayEnd) -> &'static str {
    match ended {
        PlayEnd::Finished => "FINISHED",
        PlayEnd::Skipped => "SKIPPED",
        PlayEnd::Failed => "FAILED",
        PlayEnd::Stopped => "STOPPED",
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::*;

    fn reply(status: u16, content_type: &str, body: &'static str) -> Reply {
        Reply::made(status, content_type, Bytes::from_static(body.as_bytes()))
    }

    #[rstest]
    #[case::captive_portal(200, "text/html", "<html>hotel</html>")]
    #[case::json_of_somebody_else(200, "application/json", "{\"status\":\"ok\"}")]
    #[case::no_json(200, "application/json", "<html>")]
    #[case::data_of_another_shape(200, "application/json", "[]")]
    fn what_no_hub_says_is_odd(#[case] status: u16, #[case] kind: &str, #[case] body: &'static str) {
        let error = data(&reply(status, kind, body)).unwrap_err();
        assert!(matches!(error, LinkError::Odd(_)), "{error:?}");
    }

    #[test]
    fn a_forbidden_player_is_revoked_and_other_refusals_keep_their_words() {
        let no = |code: &str| json!({ "userErrors": [{ "code": code, "message": "why" }] });
        assert_eq!(payload::<Nothing>(no("FORBIDDEN")).unwrap_err(), LinkError::Revoked);
        let invalid = LinkError::Refused { code: "INVALID".to_owned(), message: "why".to_owned() };
        assert_eq!(payload::<Nothing>(no("INVALID")).unwrap_err(), invalid);
        assert!(matches!(payload::<Nothing>(Value::Null).unwrap_err(), LinkError::Odd(_)));
    }

    #[test]
    fn a_file_elsewhere_is_not_taken_from_there() {
        let pick = json!({
            "id": "UGljazowMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDE",
            "song": { "id": "x", "title": "t", "artist": null, "durationMs": 1 },
            "mediaUrl": "https://elsewhere.example/song", "sha256": "0".repeat(64), "bytes": 1,
            "crossfadeMs": 0, "cueInMs": 0, "cueOutMs": 1, "gainDb": 0.0,
        });
        let pick: WirePick = read(pick).unwrap();
        assert!(matches!(pick.into_pick().unwrap_err(), LinkError::Odd(_)));
    }

    #[test]
    fn a_report_says_nothing_of_what_is_not_known() {
        let health = PlayerHealth { level_db: Some(f64::NEG_INFINITY), ..PlayerHealth::default() };
        let told = PlaybackReport {
            status: PlayerStatus::Idle,
            silence_ms: Some(0),
            tier: Some(Tier::Cache),
            health: Some(health),
            ..PlaybackReport::default()
        };
        let expected = json!({
            "idempotencyKey": Uuid::nil(), "status": "IDLE", "silenceMs": 0, "tier": "CACHE",
            "health": { "silent": false },
        });
        assert_eq!(report(Uuid::nil(), &told), expected);
    }
}
