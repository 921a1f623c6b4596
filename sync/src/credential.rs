//! How a hub shows who it is: a JSON web token (RFC 7519, `EdDSA` after RFC 8037) that it signs itself, for a minute, with
//! the Ed25519 key whose public half it left at the cloud when it enrolled. Nothing that could be stolen from the cloud
//! speaks as a hub.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use roomtone_schema::id::Id as _;
use roomtone_schema::{HubId, UnixMillis, VenueId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whom a hub's tokens are for.
pub const AUDIENCE: &str = "roomtone-sync";

/// Whom a check-in ticket is for.
pub const TICKET_AUDIENCE: &str = "roomtone-ticket";

/// For how long a token of a hub holds: one question, asked over a slow line.
pub const TOKEN_LIVES: Duration = Duration::from_mins(1);

/// So far the two clocks may be apart, beyond what the hub has learnt from the cloud's answers.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// For how long a check-in ticket holds: from the cloud's page to the hub's.
pub const TICKET_LIVES: Duration = Duration::from_mins(10);

/// No token of ours is longer.
const LONGEST_TOKEN: usize = 2_048;

/// A key that signs. Its seed is the secret; it is never shown.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Bytes that are no seed of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the 32 bytes of an Ed25519 key")]
pub struct NoKey;

impl SigningKey {
    /// The key of a seed of 32 random bytes.
    ///
    /// # Errors
    /// [`NoKey`]
    pub fn from_seed(seed: &[u8]) -> Result<Self, NoKey> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(|pair| Self { pair }).or(Err(NoKey))
    }

    /// The half that others may see.
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        public
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }

    fn token(&self, claims: &impl Serialize) -> String {
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The one header that we write and accept: the algorithm is never a matter of the token.
const HEADER: &str = r#"{"alg":"EdDSA","typ":"JWT"}"#;

/// What a hub signs when it enrols, so that nobody enrols somebody else's key.
pub fn enrolment_text(code: &str, public_key: &[u8; 32]) -> Vec<u8> {
    let code: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    [b"roomtone enrolment 1\0", code.as_bytes(), b"\0", public_key].concat()
}

/// What a key signs that is to follow a hub's key, so that no hub hands in somebody else's.
pub fn rotation_text(hub: HubId, public_key: &[u8; 32]) -> Vec<u8> {
    [b"roomtone rotation 1\0", hub.uuid().as_bytes().as_slice(), public_key].concat()
}

/// Whether a signature of some bytes is a key's.
pub fn is_signed(public_key: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(bytes, signature).is_ok()
}

#[derive(Serialize, Deserialize)]
struct HubClaims {
    iss: Uuid,
    aud: String,
    iat: i64,
    exp: i64,
}

/// A hub's token for the next minute by the cloud's time, as far as the hub knows it.
pub fn hub_token(key: &SigningKey, hub: HubId, cloud_now: UnixMillis) -> String {
    let iat = cloud_now.0.div_euclid(1_000);
    let exp = iat + TOKEN_LIVES.as_secs().cast_signed();
    key.token(&HubClaims { iss: hub.uuid(), aud: AUDIENCE.to_owned(), iat, exp })
}

/// Which hub a token says it is of; to be believed only after [`check_hub_token`] with that hub's key.
pub fn hub_named_by(token: &str) -> Option<HubId> {
    read::<HubClaims>(token).map(|(claims, ..)| HubId::from_uuid(claims.iss))
}

/// Whether a token is of the hub with this key, and of now.
pub fn check_hub_token(token: &str, public_key: &[u8; 32], now: UnixMillis) -> bool {
    let Some((claims, signed, signature)) = read::<HubClaims>(token) else { return false };
    claims.aud == AUDIENCE
        && is_of_now(claims.iat, claims.exp, TOKEN_LIVES, now)
        && is_signed(public_key, signed.as_bytes(), &signature)
}

/// Who somebody with an account is, for one venue and one check-in: signed by the cloud, verified by a hub offline, and
/// never a token of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Of this ticket; a hub takes each once.
    pub jti: Uuid,
    /// The profile.
    pub sub: Uuid,
    /// The venue.
    pub venue: VenueId,
    /// What they call themselves.
    #[serde(default)]
    pub name: Option<String>,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// Until when it holds, in seconds.
    pub exp: i64,
    aud: String,
}

impl Ticket {
    /// A ticket from now on.
    pub fn new(jti: Uuid, profile: Uuid, venue: VenueId, name: Option<String>, now: UnixMillis) -> Self {
        let iat = now.0.div_euclid(1_000);
        let exp = iat + TICKET_LIVES.as_secs().cast_signed();
        Self { jti, sub: profile, venue, name, iat, exp, aud: TICKET_AUDIENCE.to_owned() }
    }

    /// As it is handed over.
    pub fn sign(&self, key: &SigningKey) -> String {
        key.token(self)
    }

    /// The ticket that one of these keys signed for this venue, and that holds now by the cloud's time.
    pub fn verify(ticket: &str, keys: &[[u8; 32]], venue: VenueId, now: UnixMillis) -> Option<Self> {
        Self::verify_whenever(ticket, keys)
            .filter(|ticket| ticket.venue == venue && is_of_now(ticket.iat, ticket.exp, TICKET_LIVES, now))
    }

    /// The ticket that one of these keys signed once, for whatever venue.
    pub fn verify_whenever(ticket: &str, keys: &[[u8; 32]]) -> Option<Self> {
        let (claims, signed, signature) = read::<Self>(ticket)?;
        let is_ours = keys.iter().any(|key| is_signed(key, signed.as_bytes(), &signature));
        (is_ours && claims.aud == TICKET_AUDIENCE).then_some(claims)
    }
}

fn is_of_now(iat: i64, exp: i64, lives: Duration, now: UnixMillis) -> bool {
    let (now, leeway) = (now.0.div_euclid(1_000), LEEWAY.as_secs().cast_signed());
    let lives = lives.as_secs().cast_signed();
    iat <= now.saturating_add(leeway) && now < exp.saturating_add(leeway) && exp.saturating_sub(iat) <= lives
}

fn read<T: DeserializeOwned>(token: &str) -> Option<(T, &str, Vec<u8>)> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
        return None;
    }
    let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some((claims, signed, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    #[test]
    fn a_hubs_token_is_believed_with_its_own_key_and_for_a_minute() {
        let hub = HubId::from_uuid(Uuid::from_u128(7));
        let token = hub_token(&key(1), hub, NOON);
        assert_eq!(hub_named_by(&token), Some(hub));
        assert!(check_hub_token(&token, &key(1).public(), NOON));
        assert!(!check_hub_token(&token, &key(2).public(), NOON));
        assert!(!check_hub_token(&token, &key(1).public(), NOON + Duration::from_secs(91)));
        assert!(!check_hub_token(&token, &key(1).public(), NOON - Duration::from_secs(31)));
    }

    #[test]
    fn a_token_of_one_kind_is_none_of_the_other() {
        let hub = HubId::from_uuid(Uuid::from_u128(7));
        let token = hub_token(&key(1), hub, NOON);
        assert_eq!(Ticket::verify_whenever(&token, &[key(1).public()]), None);
        let ticket =
            Ticket::new(Uuid::from_u128(1), Uuid::from_u128(2), VenueId(Uuid::from_u128(3)), None, NOON);
        assert!(!check_hub_token(&ticket.sign(&key(1)), &key(1).public(), NOON));
    }

    #[test]
    fn a_ticket_holds_at_its_venue_for_ten_minutes() {
        let (here, there) = (VenueId(Uuid::from_u128(3)), VenueId(Uuid::from_u128(4)));
        let ticket = Ticket::new(Uuid::from_u128(1), Uuid::from_u128(2), here, None, NOON);
        let (text, keys) = (ticket.sign(&key(1)), [key(2).public(), key(1).public()]);
        assert_eq!(Ticket::verify(&text, &keys, here, NOON), Some(ticket.clone()));
        assert_eq!(Ticket::verify(&text, &keys, there, NOON), None);
        assert_eq!(Ticket::verify(&text, &keys[..1], here, NOON), None);
        assert_eq!(Ticket::verify(&text, &keys, here, NOON + Duration::from_mins(11)), None);
        let mut altered = text.into_bytes();
        altered[60] ^= 1;
        assert_eq!(Ticket::verify(std::str::from_utf8(&altered).unwrap(), &keys, here, NOON), None);
    }
}
