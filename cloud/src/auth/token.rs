//! Whether a token is good, as far as that can be said without asking anybody.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, dangerous, decode, decode_header};
use roomtone_schema::{UnixMillis, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::config::AuthSection;

/// So far two clocks may be apart.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// The longest token that is read: Auth's own have 1 to 2 KB.
const LONGEST: usize = 8 * 1024;

/// The only role that people have with Auth; the others are keys of programs.
const ROLE: &str = "authenticated";

/// Somebody, and until when that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub user: UserId,
    /// When the token ends.
    pub expires: UnixMillis,
}

/// A key that tokens are verified with, and the one algorithm that is used with it, whatever a token says.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name in the set.
    pub id: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// Why a token opens nothing. Whoever shows it learns only that; the reason is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// Not a token.
    #[error("it is no token")]
    Malformed,
    /// Signed with a key that the issuer does not publish.
    #[error("it is signed with a key that the issuer does not publish")]
    UnknownKey,
    /// The signature is not that of the key, or not of the key's algorithm.
    #[error("its signature is not good")]
    Signature,
    /// Somebody else's, or for somebody else, or without a claim that it must have.
    #[error("it is from another issuer, for another audience, or lacks a claim")]
    Claims,
    /// Ended, or not begun.
    #[error("it has ended, or has not begun")]
    Expired,
    /// A key of a program (`anon`, `service_role`), not of a person.
    #[error("its role is not `authenticated`")]
    Role,
    /// Somebody who signed in without an account.
    #[error("it is of an anonymous user")]
    Anonymous,
    /// There is no such account any more.
    #[error("there is no such account")]
    NoAccount,
}

impl No {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::UnknownKey,
        Self::Signature,
        Self::Claims,
        Self::Expired,
        Self::Role,
        Self::Anonymous,
        Self::NoAccount,
    ];

    /// For counting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Expired => "expired",
            Self::Role => "role",
            Self::Anonymous => "anonymous",
            Self::NoAccount => "no_account",
        }
    }
}

/// What a token says of itself before anything of it is believed.
#[derive(Debug)]
pub struct Shown(Header);

impl Shown {
    /// The key that it names.
    pub fn key_id(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }
}

/// Reads what a token says of itself.
///
/// # Errors
/// [`No::Malformed`]
pub fn read(token: &str) -> Result<Shown, No> {
    if token.len() > LONGEST {
        return Err(No::Malformed);
    }
    decode_header(token).map(Shown).map_err(|_not_one| No::Malformed)
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    role: Option<String>,
    #[serde(default)]
    is_anonymous: bool,
}

/// What a good token looks like.
pub struct Rules {
    issuer: String,
    audience: String,
    shared: Option<Key>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, audience, .. } = self;
        f.debug_struct("Rules").field("issuer", issuer).field("audience", audience).finish_non_exhaustive()
    }
}

impl Rules {
    /// As the settings have it.
    pub fn new(settings: &AuthSection) -> Self {
        let secret = settings.jwt_secret.reveal();
        let shared = DecodingKey::from_secret(secret.as_bytes()).ok().filter(|_| !secret.is_empty());
        Self {
            issuer: settings.issuer(),
            audience: settings.audience.clone(),
            shared: shared.map(|key| Key { id: None, algorithm: Algorithm::HS256, key }),
        }
    }

    /// The project's shared secret, where it has one and the token is of its kind. A published key is never used so.
    pub fn shared_key(&self, shown: &Shown) -> Option<&Key> {
        self.shared.as_ref().filter(|_| shown.0.alg == Algorithm::HS256)
    }

    /// Verifies a token with the key that it names.
    ///
    /// # Errors
    /// [`No`]
    pub fn verify(&self, token: &str, key: &Key, now: UnixMillis) -> Result<Identity, No> {
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // By our clock, below.
        validation.validate_exp = false;
        let decoded = decode::<Claims>(token, &key.key, &validation);
        let claims = decoded.map_err(|error| why(error.kind()))?.claims;
        self::identity(&claims, now)
    }

    /// Whether a token could be good if its signature were.
    ///
    /// # Errors
    /// [`No`]
    pub fn is_worth_asking(&self, token: &str, now: UnixMillis) -> Result<(), No> {
        #[derive(Deserialize)]
        struct Origin {
            iss: String,
        }
        let origin: Origin = dangerous::insecure_decode_claims(token).map_err(|_none| No::Claims)?;
        let claims: Claims = dangerous::insecure_decode_claims(token).map_err(|_none| No::Claims)?;
        if origin.iss != self.issuer {
            return Err(No::Claims);
        }
        self::identity(&claims, now).map(drop)
    }
}

fn identity(claims: &Claims, now: UnixMillis) -> Result<Identity, No> {
    let leeway = LEEWAY.as_millis() as i64;
    let moment = |seconds: i64| UnixMillis(seconds.saturating_mul(1_000));
    let expires = moment(claims.exp);
    let begun = claims.nbf.is_none_or(|from| moment(from).0.saturating_sub(leeway) <= now.0);
    if expires.0.saturating_add(leeway) <= now.0 || !begun {
        return Err(No::Expired);
    }
    if claims.role.as_deref() != Some(ROLE) {
        return Err(No::Role);
    }
    if claims.is_anonymous {
        return Err(No::Anonymous);
    }
    let user = Uuid::try_parse(&claims.sub).map_err(|_no_id| No::Claims)?;
    Ok(Identity { user: UserId(user), expires })
}

fn why(kind: &ErrorKind) -> No {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => {
            No::Signature
        }
        ErrorKind::InvalidIssuer
        | ErrorKind::InvalidAudience
        | ErrorKind::InvalidSubject
        | ErrorKind::MissingRequiredClaim(_)
        // A claim of the wrong kind, such as an `exp` that is a text.
        | ErrorKind::Json(_) => No::Claims,
        _ => No::Malformed,
    }
}

#[cfg(test)]
mod tests;
