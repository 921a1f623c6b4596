//! Ids: `UUIDv7` newtypes, so that a song can never be passed where a session is meant.
//!
//! An id is made where the thing happens, from the time and random bits that the caller gives; nothing here reads
//! a clock or an entropy source.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::time::UnixMillis;

/// Why a text is not the id it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Neither a hyphenated UUID nor 16 bytes.
    #[error("not an id of a {expected}")]
    Malformed {
        /// The type that was asked for, as it is named in global ids.
        expected: &'static str,
    },
    /// A well-formed global id of another type.
    #[error("this is the id of a {found}, not of a {expected}")]
    OtherType {
        /// The type that was asked for.
        expected: &'static str,
        /// The type that the id names.
        found: String,
    },
}

/// What all ids share.
pub trait Id: Copy + Eq + Ord + fmt::Display + Sized {
    /// The name of the type in global ids: `Song` in `base64url("Song:<uuid>")`.
    const TYPE: &'static str;

    /// The id as a plain UUID.
    fn uuid(self) -> Uuid;

    /// Takes a UUID for an id of this type.
    fn from_uuid(uuid: Uuid) -> Self;

    /// Makes a `UUIDv7` (RFC 9562, section 5.7) from the time in milliseconds and 80 random bits (74 of them used).
    fn mint(now: UnixMillis, random: [u8; 10]) -> Self {
        Self::from_uuid(
            uuid::Builder::from_unix_timestamp_millis(now.0.max(0).cast_unsigned(), &random).into_uuid(),
        )
    }

    /// The 16 bytes that databases hold.
    fn to_bytes(self) -> [u8; 16] {
        *self.uuid().as_bytes()
    }

    /// The id from its 16 bytes.
    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// The opaque id of the GraphQL APIs: base64url, no padding, of `Type:uuid`. The same on hub and cloud.
    fn to_global(self) -> String {
        let mut plain = Vec::with_capacity(Self::TYPE.len() + 1 + Hyphenated::LENGTH);
        plain.extend_from_slice(Self::TYPE.as_bytes());
        plain.push(b':');
        let mut uuid = Uuid::encode_buffer();
        plain.extend_from_slice(self.uuid().hyphenated().encode_lower(&mut uuid).as_bytes());
        URL_SAFE_NO_PAD.encode(plain)
    }

    /// Reads a global id of this type.
    ///
    /// # Errors
    /// [`IdError`] where the text is no global id, or one of another type.
    fn from_global(text: &str) -> Result<Self, IdError> {
        let (found, uuid) = split_global(text).ok_or(IdError::Malformed { expected: Self::TYPE })?;
        if found != Self::TYPE {
            return Err(IdError::OtherType { expected: Self::TYPE, found });
        }
        Ok(Self::from_uuid(uuid))
    }
}

/// The type and UUID of a global id, for lookups that take an id of any type; `None` where the text is none.
pub fn split_global(text: &str) -> Option<(String, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let plain = String::from_utf8(bytes).ok()?;
    let (kind, uuid) = plain.split_once(':')?;
    Some((kind.to_owned(), Uuid::try_parse(uuid).ok()?))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl Id for $name {
            const TYPE: &'static str = $kind;
            fn uuid(self) -> Uuid {
                self.0
            }
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", $kind, self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).or(Err(IdError::Malformed { expected: $kind }))
            }
        }
    )*};
}

ids! {
    /// A venue: one café, spa, gallery.
    VenueId = "Venue";
    /// A part of a venue with its own players and vibe.
    ZoneId = "Zone";
    /// One installed hub.
    HubId = "Hub";
    /// A box with a loudspeaker.
    PlayerId = "Player";
    /// One piece of music.
    SongId = "Song";
    /// Whoever votes: a guest's device, later a signed-in profile.
    ListenerId = "Listener";
    /// A listener's presence, from check-in to check-out or expiry.
    SessionId = "Session";
    /// One phone or browser, by the cookie the hub set.
    DeviceId = "Device";
    /// A like or dislike.
    VoteId = "Vote";
    /// One decision of the recommender.
    PickId = "Pick";
    /// One song played on one player.
    PlayId = "Play";
    /// One immutable thing that happened: the operation id of an outbox row.
    FactId = "Fact";
    /// One run of a machine between two power cuts.
    BootId = "Boot";
    /// A person with an account: the `sub` of their token, and the key of their profile.
    UserId = "User";
    /// Whoever owns venues: its songs are one catalogue.
    OrganisationId = "Organisation";
    /// A file on its way into the catalogue.
    UploadId = "SongUpload";
    /// A play report that is being written, or has been.
    ExportId = "HistoryExport";
    /// One line of the audit log.
    AuditEntryId = "AuditEntry";
    /// A player that is being let in from the cloud.
    PairingId = "PlayerPairing";
    /// A fact of a hub that the cloud keeps apart.
    DeadLetterId = "DeadLetter";
    /// What makes a retried request the same request.
    IdempotencyKey = "IdempotencyKey";
}
