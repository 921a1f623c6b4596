//! What guests do: each is one transaction in the name of a guest of this venue, and wakes the venue's hub after it.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use roomtone_schema::id::Id as _;
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::view::{NowPlayingView, Viewer};
use roomtone_schema::visiting::{Arrival, CheckedIn, Opinion, Voted};
use roomtone_schema::vote::{Vote, VoteValue};
use roomtone_schema::{DeviceId, IdempotencyKey, ListenerId, SessionId, SongId, UnixMillis, VoteId, ZoneId};
use roomtone_server::caller::Caller;
use roomtone_server::lease::Lease;
use roomtone_server::listener::{Room as _, Unmet, UserError, UserErrorCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::people::{Hash, order, vote_for};
use super::room::GuestRoom;
use crate::bus::Topic;
use crate::config::GuestSection;
use crate::rooms::{SAME_START, millis};
use crate::store::guests::{self as store, Ballot, Seen, Skip};
use crate::uploads::random;

/// Longest name that somebody calls themselves.
const LONGEST_NAME: usize = 40;

/// Longest code that is looked at.
const LONGEST_CODE: usize = 64;

impl GuestRoom {
    /// Who shows a token.
    pub(super) async fn admit(&self, token: &str) -> Caller {
        let hash = hash(token);
        let seen = match self.ask_by_token(&hash).await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::error!(%error, "whose a guest's token is could not be looked up");
                return Caller::Unknown;
            }
        };
        let Some((session, votes)) = read(&seen) else { return Caller::Unknown };
        let viewer = viewer_of(&session);
        if seen.outcome == "here" {
            self.people().note(hash, session, votes);
            Caller::Listener(viewer)
        } else {
            self.people().end(&hash);
            Caller::Expired(viewer)
        }
    }

    /// For how long a token opens anything.
    pub(super) fn lease(&self, token: &str) -> Lease {
        self.people().lease(&hash(token)).map_or_else(Lease::endless, Lease::until)
    }

    async fn ask_by_token(&self, token: &Hash) -> Result<Seen, sqlx::Error> {
        let mut work = self.cloud.database.as_guest(Some(self.venue)).await?;
        let seen = store::by_token(&mut work, token, &limits(&self.limits), self.cloud.now()).await?;
        work.commit().await?;
        Ok(seen)
    }

    /// Lets somebody in.
    pub(super) async fn arrive(&self, arrival: Arrival) -> Result<CheckedIn, Unmet> {
        let name = cleaned(arrival.display_name.as_deref())?;
        let now = self.cloud.now();
        let (token, cookie) = (secret(), secret());
        let asked = store::Arrival {
            key: arrival.key.uuid(),
            ids: [
                SessionId::mint(now, random()).0,
                DeviceId::mint(now, random()).0,
                ListenerId::mint(now, random()).0,
            ],
            code: plain(&arrival.code),
            zone: arrival.zone.map(|zone| zone.0),
            name,
            cookie: arrival.device_cookie.as_deref().map(hash),
            new_cookie: hash(&cookie),
            token: hash(&token),
            address: arrival.address.map(network).unwrap_or_default(),
        };
        let seen =
            self.write(async |work| store::arrive(work, &asked, &limits(&self.limits), now).await).await?;
        let (session, votes) = match read(&seen) {
            Some(found) if seen.outcome == "in" => found,
            _ => return Err(turned_away(&seen)),
        };
        self.people().note(asked.token, session.clone(), votes);
        let vibe = self.vibe_of(session.zone);
        Ok(CheckedIn { session, token, new_device_cookie: seen.new_cookie.then_some(cookie), vibe })
    }

    /// Takes somebody out.
    pub(super) async fn leave(&self, viewer: Viewer, key: IdempotencyKey) -> Result<Session, Unmet> {
        let (token, now) = (self.token_of(&viewer)?, self.cloud.now());
        let seen = self
            .write(async |work| store::leave(work, &token, key.uuid(), &limits(&self.limits), now).await)
            .await?;
        match (seen.outcome.as_str(), read(&seen)) {
            ("left", Some((session, _))) => {
                self.people().end(&token);
                Ok(session)
            }
            _ => Err(not_done(&seen)),
        }
    }

    /// Counts a like or dislike.
    pub(super) async fn cast(&self, viewer: Viewer, opinion: Opinion) -> Result<Voted, Unmet> {
        let (token, now) = (self.token_of(&viewer)?, self.cloud.now());
        let ballot = Ballot {
            key: opinion.key.uuid(),
            vote: VoteId::mint(now, random()).0,
            song: opinion.song.0,
            value: if opinion.value == VoteValue::Like { 1 } else { -1 },
        };
        let seen = self
            .write(async |work| store::vote(work, &token, ballot, &limits(&self.limits), now).await)
            .await?;
        let (session, votes) = match read(&seen) {
            Some(found) if seen.outcome.starts_with("voted") => found,
            _ => return Err(not_done(&seen)),
        };
        let taste = self.taste_of(&votes);
        let vote = vote_for(&votes, opinion.song).ok_or(Unmet::Ours)?;
        self.people().note(token, session, votes);
        Ok(Voted { vote, taste })
    }

    /// Counts a wish to skip what plays. Whether it is enough is the hub's to say.
    pub(super) async fn wish(
        &self,
        viewer: Viewer,
        key: IdempotencyKey,
    ) -> Result<Option<Arc<NowPlayingView>>, Unmet> {
        let (token, now) = (self.token_of(&viewer)?, self.cloud.now());
        let playing = || self.now_playing(viewer.zone).and_then(|playing| playing.borrow().clone());
        let shown = playing();
        let asked = shown.as_ref().filter(|shown| shown.skip_votes_needed > 0);
        let skip = Skip {
            key: key.uuid(),
            vote: VoteId::mint(now, random()).0,
            song: asked.map(|shown| shown.pick.song.id.0),
            since: asked.map_or(now, |shown| shown.started_at - SAME_START),
        };
        let seen = self
            .write(async |work| store::skip(work, &token, skip, &limits(&self.limits), now).await)
            .await?;
        match (seen.outcome.as_str(), read(&seen)) {
            ("skipped", Some((session, votes))) => {
                self.people().note(token, session, votes);
                // What is shown by now: it may be the next song already.
                Ok(playing())
            }
            ("not_now", _) if shown.is_some() => {
                let why = "the room takes no votes to skip from here now; your likes and dislikes count";
                Err(no(UserErrorCode::Forbidden, why))
            }
            ("not_now", _) => Err(no(UserErrorCode::NotFound, "nothing plays that could be skipped")),
            _ => Err(not_done(&seen)),
        }
    }

    /// One transaction; the hub hears of it after its commit.
    async fn write(
        &self,
        ask: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<Seen, sqlx::Error>,
    ) -> Result<Seen, Unmet> {
        let ours = |error: sqlx::Error| {
            tracing::error!(%error, "what a guest asked for could not be done");
            Unmet::Ours
        };
        let mut work = self.cloud.database.as_guest(Some(self.venue)).await.map_err(ours)?;
        let seen = ask(&mut work).await.map_err(ours)?;
        work.commit().await.map_err(ours)?;
        self.cloud.bus.publish(Topic::Guests(self.venue));
        Ok(seen)
    }

    fn token_of(&self, viewer: &Viewer) -> Result<Hash, Unmet> {
        let known = self.people().of(viewer).map(|known| known.token);
        known.ok_or_else(|| no(UserErrorCode::Expired, "your visit has ended; check in again"))
    }
}

/// A vote as the database tells it.
#[derive(Debug, Deserialize)]
struct Told {
    id: Uuid,
    session: Uuid,
    song: Uuid,
    value: i32,
    cast_at: i64,
}

/// The presence and its listener's votes, where there is one.
fn read(seen: &Seen) -> Option<(Session, Vec<Vote>)> {
    let of = &seen.presence;
    let at = |at: Option<DateTime<Utc>>| at.map(millis);
    let is_active = of.status.as_deref() == Some("active") && seen.outcome != "gone";
    let ended =
        if of.status.as_deref() == Some("ended") { SessionStatus::Ended } else { SessionStatus::Expired };
    let session = Session {
        id: SessionId(of.id?),
        listener: ListenerId(of.listener_id?),
        device: DeviceId(of.device_id?),
        zone: ZoneId(of.zone_id?),
        display_name: of.display_name.clone(),
        status: if is_active { SessionStatus::Active } else { ended },
        checked_in_at: at(of.checked_in_at)?,
        last_seen_at: at(of.last_seen_at)?,
        expires_at: at(of.expires_at)?,
    };
    let told: Vec<Told> = serde_json::from_value(seen.votes.clone()).unwrap_or_default();
    let vote = |told: Told| Vote {
        id: VoteId(told.id),
        listener: session.listener,
        session: SessionId(told.session),
        song: SongId(told.song),
        value: if 0 < told.value { VoteValue::Like } else { VoteValue::Dislike },
        hlc: order(UnixMillis(told.cast_at)),
        cast_at: UnixMillis(told.cast_at),
    };
    let votes = told.into_iter().map(vote).collect();
    Some((session, votes))
}

fn viewer_of(session: &Session) -> Viewer {
    let Session { id, listener, device, zone, .. } = *session;
    Viewer { session: id, listener, device, zone }
}

fn no(code: UserErrorCode, why: impl Into<String>) -> Unmet {
    UserError::new(code, why).into()
}

fn too_often(seen: &Seen, what: &str) -> Unmet {
    no(UserErrorCode::RateLimited, format!("{what}; try again in {} seconds", seen.retry_s))
}

/// Why somebody is not let in. In the words of the hub, where it has them.
fn turned_away(seen: &Seen) -> Unmet {
    let at = |code, why: &str, field| Unmet::from(UserError::new(code, why).at(["input", field]));
    match seen.outcome.as_str() {
        "wrong_code" => at(
            UserErrorCode::Forbidden,
            "this is not the room's code (any more); scan it again or ask the staff",
            "venueCode",
        ),
        "screen_code" => at(
            UserErrorCode::Forbidden,
            "this zone asks for the code on its screen, which only the room's own network can check; join its Wi-Fi",
            "venueCode",
        ),
        "unknown_zone" => at(
            UserErrorCode::NotFound,
            "this venue has no such zone; leave zoneId out for the main one",
            "zoneId",
        ),
        "key_used" => at(
            UserErrorCode::Conflict,
            "this idempotencyKey was used before; check in again with a new one",
            "idempotencyKey",
        ),
        "not_heard" => no(
            UserErrorCode::Conflict,
            "nothing has been heard from the room yet; try again when its music plays",
        ),
        "closed" => no(UserErrorCode::NotFound, "this page is closed; ask the staff"),
        "full" => no(UserErrorCode::RateLimited, "the room is full; try again when somebody has left"),
        "too_often" => too_often(seen, "too many tries from here"),
        _ => Unmet::Ours,
    }
}

fn not_done(seen: &Seen) -> Unmet {
    match seen.outcome.as_str() {
        "nobody" => no(UserErrorCode::NotCheckedIn, "check in first: scan the room's code or type it in"),
        "gone" => no(UserErrorCode::Expired, "your visit has ended; check in again"),
        "unknown_song" => UserError::new(
            UserErrorCode::NotFound,
            "this song is not in the venue's catalogue; reload the page",
        )
        .at(["input", "songId"])
        .into(),
        "too_often" => too_often(seen, "that is a lot of votes"),
        "key_used" => {
            UserError::new(UserErrorCode::Conflict, "this idempotencyKey was used before; take a new one")
                .at(["input", "idempotencyKey"])
                .into()
        }
        _ => Unmet::Ours,
    }
}

/// The limits as the functions of the database read them.
fn limits(settings: &GuestSection) -> Value {
    json!(settings)
}

/// A name as it may be shown; blank is none.
fn cleaned(name: Option<&str>) -> Result<Option<String>, Unmet> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let why = "a name may have 1 to 40 characters, all of them printable";
        return Err(UserError::new(UserErrorCode::Invalid, why).at(["input", "displayName"]).into());
    }
    Ok(Some(name.to_owned()))
}

/// A code without what only makes it legible, and with the letters that are meant.
fn plain(code: &str) -> String {
    let letter = |c: char| match c.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        c => c,
    };
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(letter);
    letters.take(LONGEST_CODE).collect()
}

/// What an address counts as: an IPv6 house is one /64.
fn network(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => v4.to_string(),
        std::net::IpAddr::V6(v6) => v6.segments()[..4].iter().fold(String::new(), |mut text, part| {
            let _a_string_takes_all = write!(text, "{part:x}:");
            text
        }),
    }
}

/// 256 random bits, as they are shown once.
fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        assert_eq!(plain(" 7k3m-xoil "), "7K3MX011");
        assert_eq!(plain(&"A".repeat(1_000)).len(), LONGEST_CODE);
        assert_eq!(plain("\0'é"), "");
    }

    #[test]
    fn a_house_is_one_network() {
        let of = |address: &str| network(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn a_name_is_short_and_can_be_shown() {
        assert_eq!(cleaned(Some("  Ada ")), Ok(Some("Ada".to_owned())));
        assert_eq!(cleaned(Some("   ")), Ok(None));
        assert!(cleaned(Some("a\u{7}")).is_err() && cleaned(Some(&"a".repeat(41))).is_err());
    }
}
