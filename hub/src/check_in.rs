//! Checking in and out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::taste::TasteState;
use roomtone_schema::visiting::{Arrival, CheckedIn};
use roomtone_schema::vote::Vote;
use roomtone_schema::{EmbeddingVersion, FactId, IdempotencyKey, ListenerId, SessionId, UnixMillis, ZoneId};

use crate::hub::Inner;
use crate::limits::{Allowance, TooOften};
use crate::locks::{locked, reading};
use crate::presence::Listener;
use crate::refusal::{Refusal, RefusalCode};
use crate::room_code::Matched;
use crate::secrets::{Hash, hash, new_id, new_token};
use crate::store::devices::{self, Device};
use crate::store::{Snapshot, StoreError, Tx, TxResult, idempotency, limits, preferences, sessions, votes};
use crate::view::Viewer;

/// What a repeated check-in is known by.
const CHECK_IN: &str = "check_in";

/// What a repeated check-out is known by.
const CHECK_OUT: &str = "check_out";

/// Sessions that one phone may have at once; beyond that its oldest ends.
const SESSIONS_PER_DEVICE: usize = 5;

/// Longest name that somebody calls themselves.
const LONGEST_NAME: usize = 40;

/// Why a token is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoViewer {
    /// Never heard of it.
    #[error("check in first: scan the room's code or type it in")]
    NotCheckedIn,
    /// It was good once.
    #[error("your visit has ended; check in again to vote")]
    Expired,
}

impl Refusal for NoViewer {
    fn code(&self) -> Option<RefusalCode> {
        Some(match self {
            Self::NotCheckedIn => RefusalCode::NotCheckedIn,
            Self::Expired => RefusalCode::Expired,
        })
    }
}

/// Why somebody could not check in.
#[derive(Debug, thiserror::Error)]
pub enum CheckInError {
    /// No such code, or no longer.
    #[error("this is not the room's code (any more); scan it again or ask the staff")]
    WrongCode,
    /// The poster's code where the screen's is wanted.
    #[error("this zone asks for the code on the screen, not the one on the poster")]
    RotatingCodeNeeded,
    /// A zone of another venue, or none.
    #[error("this venue has no such zone; leave zoneId out for the main one")]
    UnknownZone,
    /// Too long, or with control characters.
    #[error("a name may have 1 to 40 characters, all of them printable")]
    BadName,
    /// Too many wrong codes, or too many new phones.
    #[error("too many tries from here; try again in {retry_s} seconds")]
    TooOften {
        /// When to try again.
        retry_s: u64,
    },
    /// The venue's cap on sessions.
    #[error("the room is full; try again when somebody has left")]
    Full,
    /// The key belongs to something else, or to a check-in that has ended.
    #[error("this idempotencyKey was used before; check in again with a new one")]
    KeyUsed,
    /// Ours.
    #[error("the check-in could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for CheckInError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::WrongCode | Self::RotatingCodeNeeded => Some(RefusalCode::Forbidden),
            Self::UnknownZone => Some(RefusalCode::NotFound),
            Self::BadName => Some(RefusalCode::Invalid),
            Self::TooOften { .. } | Self::Full => Some(RefusalCode::RateLimited),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::WrongCode | Self::RotatingCodeNeeded => Some(&["input", "venueCode"]),
            Self::UnknownZone => Some(&["input", "zoneId"]),
            Self::BadName => Some(&["input", "displayName"]),
            Self::KeyUsed => Some(&["input", "idempotencyKey"]),
            Self::TooOften { .. } | Self::Full | Self::Store(_) => None,
        }
    }
}

/// Why somebody could not check out.
#[derive(Debug, thiserror::Error)]
pub enum CheckOutError {
    /// Not here any more.
    #[error(transparent)]
    NotHere(#[from] NoViewer),
    /// The key belongs to something else.
    #[error("this idempotencyKey was used before; take a new one")]
    KeyUsed,
    /// Ours.
    #[error("the check-out could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for CheckOutError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::NotHere(why) => why.code(),
            Self::KeyUsed => Some(RefusalCode::Conflict),
            Self::Store(_) => None,
        }
    }

    fn field(&self) -> Option<&'static [&'static str]> {
        matches!(self, Self::KeyUsed).then_some(&["input", "idempotencyKey"])
    }
}

/// A check-in as it goes to the store, with all that it may need made before.
#[derive(Clone)]
struct Entry {
    key: IdempotencyKey,
    now: UnixMillis,
    /// Where the code lets them in; `None` where it is wrong.
    zone: Option<ZoneId>,
    /// The code could have been guessed.
    guessable: bool,
    display_name: Option<String>,
    cookie: Option<Hash>,
    new_cookie: Hash,
    token: Hash,
    /// The address as a keyed hash.
    address: Option<String>,
    expires_at: UnixMillis,
    op: FactId,
}

/// What the store made of an arrival.
enum Arrived {
    In { session: Session, new_cookie: bool, known: Box<Known> },
    Again { session: SessionId, new_cookie: bool },
    WrongCode,
    KeyUsed,
    TooOften(TooOften),
}

impl Inner {
    /// Brings a listener into a zone.
    pub(crate) async fn check_in(&self, input: Arrival) -> Result<CheckedIn, CheckInError> {
        let display_name = cleaned(input.display_name.as_deref())?;
        let zone = self.zone_by_code(&input)?;
        let now = self.clock.now();
        self.make_room(&input, now).await?;
        let is_elsewhere = input.address.is_some_and(|address| !address.to_canonical().is_loopback());
        let (token, token_hash) = new_token();
        let (cookie, cookie_hash) = new_token();
        let arrival = Entry {
            key: input.key,
            now,
            zone: zone.map(|(zone, _)| zone),
            guessable: zone.is_none_or(|(_, matched)| matched != Matched::Poster),
            display_name,
            cookie: input.device_cookie.as_deref().map(hash),
            new_cookie: cookie_hash,
            token: token_hash,
            address: input.address.map(|address| self.address_key(address)),
            expires_at: now + Duration::from_hours(u64::from(self.limits.session_hours)),
            op: new_id(now),
        };
        let allowances =
            [self.limits.new_devices(), self.limits.code_guesses(), self.limits.device_check_ins()];
        let arrived = self.store.write(move |tx| arrive(tx, &arrival, allowances)).await?;
        let (session, new_cookie) = self.let_in(arrived, token_hash)?;
        if is_elsewhere {
            self.reach.came_here(now);
        }
        let room = self.room(session.zone).ok_or(CheckInError::UnknownZone)?;
        self.end_surplus(&session).await?;
        self.show_vibe(room);
        self.show_now_playing(room);
        self.stir(room);
        let vibe = room.vibe.borrow().clone();
        Ok(CheckedIn { session, token, new_device_cookie: new_cookie.then_some(cookie), vibe })
    }

    /// Takes a listener out.
    pub(crate) async fn check_out(
        self: &Arc<Self>,
        viewer: &Viewer,
        key: IdempotencyKey,
    ) -> Result<Session, CheckOutError> {
        let now = self.clock.now();
        let (op, id, owner): (FactId, _, _) = (new_id(now), viewer.session, viewer.listener.to_bytes());
        let is_here = locked(&self.people).check(viewer, now).is_ok();
        let work = move |tx: &Tx<'_>| {
            if let Some(first) = idempotency::get::<Session>(tx, owner, key, CHECK_OUT)? {
                return Ok(first.or(Err(CheckOutRefused::KeyUsed)));
            }
            if !is_here {
                return Ok(Err(CheckOutRefused::NotHere));
            }
            let Some(ended) = sessions::end(tx, op, id, SessionStatus::Ended, now)? else {
                return Ok(Err(CheckOutRefused::NotHere));
            };
            idempotency::put(tx, owner, key, CHECK_OUT, &ended, now)?;
            Ok(Ok(ended))
        };
        let ended = self.store.write(work).await?.map_err(|refused| match refused {
            CheckOutRefused::KeyUsed => CheckOutError::KeyUsed,
            CheckOutRefused::NotHere => CheckOutError::NotHere(NoViewer::Expired),
        })?;
        locked(&self.people).leave(id);
        self.somebody_left(viewer.zone).await?;
        Ok(ended)
    }

    /// Ends sessions that have run out.
    pub(crate) async fn sweep_sessions(self: &Arc<Self>, now: UnixMillis) -> Result<(), StoreError> {
        let out = locked(&self.people).run_out(now);
        if out.is_empty() {
            return Ok(());
        }
        let expired = self.end_sessions(&out, SessionStatus::Expired, now).await?;
        self.counters.expired_sessions.add(expired.len() as u64);
        let zones: std::collections::BTreeSet<ZoneId> = expired.iter().map(|session| session.zone).collect();
        for zone in zones {
            self.somebody_left(zone).await?;
        }
        Ok(())
    }

    /// What a smaller room means for what is shown and for the song that some want to skip.
    pub(crate) async fn somebody_left(self: &Arc<Self>, zone: ZoneId) -> Result<(), StoreError> {
        let Some(room) = self.room(zone) else { return Ok(()) };
        self.show_vibe(room);
        self.stir(room);
        let _turn = room.advancing.lock().await;
        self.skip_if_wanted(room).await?;
        self.show_now_playing(room);
        Ok(())
    }

    async fn end_sessions(
        &self,
        ids: &[SessionId],
        status: SessionStatus,
        now: UnixMillis,
    ) -> Result<Vec<Session>, StoreError> {
        let ends: Vec<(SessionId, FactId)> = ids.iter().map(|id| (*id, new_id(now))).collect();
        let work = move |tx: &Tx<'_>| {
            for (id, op) in &ends {
                sessions::end(tx, *op, *id, status, now)?;
            }
            Ok(())
        };
        self.store.write(work).await?;
        let mut people = locked(&self.people);
        Ok(ids.iter().filter_map(|id| people.leave(*id)).collect())
    }

    /// Which zone the code lets into, and what code it is.
    fn zone_by_code(&self, input: &Arrival) -> Result<Option<(ZoneId, Matched)>, CheckInError> {
        if input.zone.is_some_and(|zone| self.room(zone).is_none()) {
            return Err(CheckInError::UnknownZone);
        }
        let zones = self.rooms.iter().map(|room| room.zone.id);
        let matched = reading(&self.codes).matched(&input.code, zones, self.clock.now());
        let zone = match matched {
            None => return Ok(None),
            Some(Matched::Rotating(zone)) if input.zone.is_some_and(|wanted| wanted != zone) => {
                return Ok(None);
            }
            Some(Matched::Rotating(zone)) => zone,
            Some(Matched::Poster) => input.zone.unwrap_or(self.main_zone()),
        };
        let needs_rotating = self.room(zone).is_some_and(|room| room.settings().require_rotating_code);
        if matched == Some(Matched::Poster) && needs_rotating {
            return Err(CheckInError::RotatingCodeNeeded);
        }
        Ok(matched.map(|matched| (zone, matched)))
    }

    /// Refuses whoever comes to a full room, unless they have been here all along.
    async fn make_room(&self, input: &Arrival, now: UnixMillis) -> Result<(), CheckInError> {
        if locked(&self.people).sessions() < self.limits.sessions as usize {
            return Ok(());
        }
        let out = locked(&self.people).run_out(now);
        self.end_sessions(&out, SessionStatus::Expired, now).await?;
        let is_full = locked(&self.people).sessions() >= self.limits.sessions as usize;
        let key = input.key;
        let again = self
            .store
            .read(move |conn| idempotency::get::<SessionId>(conn, idempotency::NOBODY, key, CHECK_IN));
        if is_full && again.await?.is_none() { Err(CheckInError::Full) } else { Ok(()) }
    }

    /// Brings into memory what the store knows by now.
    fn let_in(&self, arrived: Arrived, token: Hash) -> Result<(Session, bool), CheckInError> {
        let mut people = locked(&self.people);
        match arrived {
            Arrived::In { session, new_cookie, known } => {
                people.enter(session.clone(), token, (*known).into());
                self.counters.check_ins.up();
                Ok((session, new_cookie))
            }
            Arrived::Again { session, new_cookie } => {
                people.renew_token(session, token);
                let session = people.session(session).cloned().ok_or(CheckInError::KeyUsed)?;
                Ok((session, new_cookie))
            }
            Arrived::WrongCode => {
                self.counters.wrong_codes.up();
                Err(CheckInError::WrongCode)
            }
            Arrived::KeyUsed => Err(CheckInError::KeyUsed),
            Arrived::TooOften(refused) => {
                self.counters.check_ins_limited.up();
                Err(CheckInError::TooOften { retry_s: refused.retry_s() })
            }
        }
    }

    /// Ends a phone's oldest sessions where it has too many.
    async fn end_surplus(&self, newest: &Session) -> Result<(), StoreError> {
        let mut own = locked(&self.people).of_device(newest.device);
        own.retain(|id| *id != newest.id);
        let surplus = own.len().saturating_sub(SESSIONS_PER_DEVICE - 1);
        if surplus > 0 {
            self.end_sessions(&own[..surplus], SessionStatus::Ended, self.clock.now()).await?;
        }
        Ok(())
    }

    /// What an address is known by: nothing that anybody could read it from. An IPv6 house is one /64.
    pub(crate) fn address_key(&self, address: IpAddr) -> String {
        let mut bytes = match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
        };
        bytes.push(address.is_ipv4().into());
        blake3::keyed_hash(&self.address_secret, &bytes).to_hex()[..32].to_owned()
    }
}

enum CheckOutRefused {
    KeyUsed,
    NotHere,
}

/// The whole of a check-in in one transaction: repeated, limited, let in.
fn arrive(
    tx: &Tx<'_>,
    arrival: &Entry,
    [new_devices, guesses, device_check_ins]: [Allowance; 3],
) -> TxResult<Arrived> {
    if let Some(first) = idempotency::get::<SessionId>(tx, idempotency::NOBODY, arrival.key, CHECK_IN)? {
        return first.map_or(Ok(Arrived::KeyUsed), |session| arrive_again(tx, arrival, session));
    }
    let device = arrival.cookie.map(|cookie| devices::by_cookie_hash(tx, &cookie)).transpose()?.flatten();
    if let Some(address) = arrival.address.as_ref()
        && (arrival.zone.is_none() || (arrival.guessable && device.is_none()))
        && let Err(refused) = take(tx, &format!("guess {address}"), guesses, arrival.now)?
    {
        return Ok(Arrived::TooOften(refused));
    }
    let Some(zone) = arrival.zone else { return Ok(Arrived::WrongCode) };
    let (key, allowance) = match (&device, &arrival.address) {
        (Some(device), _) => (Some(format!("check-in {}", device.id)), device_check_ins),
        (None, address) => (address.as_ref().map(|address| format!("device {address}")), new_devices),
    };
    if let Some(key) = key
        && let Err(refused) = take(tx, &key, allowance, arrival.now)?
    {
        return Ok(Arrived::TooOften(refused));
    }
    enter(tx, arrival, zone, device)
}

/// Uses up one of an allowance, durably.
fn take(tx: &Tx<'_>, key: &str, allowance: Allowance, now: UnixMillis) -> TxResult<Result<(), TooOften>> {
    match allowance.take(limits::get(tx, key)?, now) {
        Ok(state) => limits::put(tx, key, state).map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}

/// The same session with a fresh token; the one before is void.
fn arrive_again(tx: &Tx<'_>, arrival: &Entry, session: SessionId) -> TxResult<Arrived> {
    let found = sessions::by_id(tx, session)?;
    let is_active =
        |session: &Session| session.status == SessionStatus::Active && session.expires_at > arrival.now;
    let Some(found) = found.filter(is_active) else { return Ok(Arrived::KeyUsed) };
    sessions::renew_token(tx, session, &arrival.token)?;
    let device = arrival.cookie.map(|cookie| devices::by_cookie_hash(tx, &cookie)).transpose()?.flatten();
    let new_cookie = device.is_none_or(|device| device.id != found.device);
    if new_cookie {
        devices::renew_cookie(tx, found.device, &arrival.new_cookie)?;
    }
    Ok(Arrived::Again { session, new_cookie })
}

fn enter(tx: &Tx<'_>, arrival: &Entry, zone: ZoneId, device: Option<Device>) -> TxResult<Arrived> {
    let now = arrival.now;
    let new_cookie = device.is_none();
    let device = if let Some(device) = device {
        devices::touch(tx, device.id, now)?;
        device
    } else {
        let device = Device { id: new_id(now), listener: new_id(now), created_at: now };
        devices::insert(tx, &device, &arrival.new_cookie)?;
        device
    };
    let session = Session {
        id: new_id(now),
        listener: device.listener,
        device: device.id,
        zone,
        display_name: arrival.display_name.clone(),
        status: SessionStatus::Active,
        checked_in_at: now,
        last_seen_at: now,
        expires_at: arrival.expires_at,
    };
    sessions::insert(tx, arrival.op, &session, &arrival.token)?;
    idempotency::put(tx, idempotency::NOBODY, arrival.key, CHECK_IN, &session.id, now)?;
    let known = Box::new(known(tx, device.listener, now)?);
    Ok(Arrived::In { session, new_cookie, known })
}

/// Votes within this time count against the limit by the minute.
pub(crate) const LATELY: Duration = Duration::from_mins(1);

/// What the store has of a listener.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) state: TasteState,
    pub(crate) effective: Vec<Vote>,
    pub(crate) recent: Vec<UnixMillis>,
}

impl From<Known> for Listener {
    fn from(known: Known) -> Self {
        let mut listener = Self::new(known.state, known.effective);
        listener.minute.remember(known.recent);
        listener
    }
}

/// What the store has of a listener: taste, votes that count, and when they voted in the last minute.
pub(crate) fn known(conn: &Snapshot, listener: ListenerId, now: UnixMillis) -> TxResult<Known> {
    let state = preferences::get(conn, listener, EmbeddingVersion::CURRENT)?;
    let effective = votes::effective(conn, listener)?;
    let recent = votes::cast_since(conn, listener, now - LATELY)?;
    Ok(Known { state, effective, recent })
}

/// A name as it may be shown; blank is none.
fn cleaned(name: Option<&str>) -> Result<Option<String>, CheckInError> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(CheckInError::BadName);
    }
    Ok(Some(name.to_owned()))
}
