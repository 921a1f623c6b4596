//! Checking in and out.

use std::net::IpAddr;
use std::sync::Arc;

use roomtone_schema::session::Session;
use roomtone_schema::{IdempotencyKey, ZoneId};

use crate::refusal::{Refusal, RefusalCode};
use crate::store::StoreError;
use crate::view::VibeView;

/// What it takes to check in.
#[derive(Debug, Clone)]
pub struct CheckInInput {
    /// Makes a retry the same check-in.
    pub key: IdempotencyKey,
    /// From the poster, the screen or the QR code, as typed.
    pub code: String,
    /// Where, if not in the zone the code names.
    pub zone: Option<ZoneId>,
    /// What they call themselves.
    pub display_name: Option<String>,
    /// The cookie of their phone, if it has one.
    pub device_cookie: Option<String>,
    /// Where the request came from; kept as a keyed hash only.
    pub address: Option<IpAddr>,
}

/// Checked in.
#[derive(Debug, Clone)]
pub struct CheckedIn {
    /// The presence.
    pub session: Session,
    /// Its secret, shown this once.
    pub token: String,
    /// The cookie to set, where the phone has none that is good.
    pub new_device_cookie: Option<String>,
    /// What the room wants.
    pub vibe: Arc<VibeView>,
}

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
}
