//! An issuer of tokens for a trial: one ES256 key in the trial's folder, published as Auth publishes its own.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Json};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use roomtone_schema::{UnixMillis, UserId};
use serde_json::{Value, json};

use crate::auth::crypto;
use crate::trouble::{Trouble, of_file};

/// What it calls itself.
pub const NAME: &str = "http://localhost/roomtone-dev/auth/v1";

/// Where its keys are.
pub const PATH: &str = "/auth/v1/.well-known/jwks.json";

/// The key's file.
const FILE: &str = "issuer.p8";

/// The issuer.
#[derive(Debug)]
pub struct Issuer {
    key: EncodingKey,
    id: String,
    public: Value,
}

impl Issuer {
    /// The issuer whose key is in `folder`; a new one where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self, Trouble> {
        crypto::install();
        let path = folder.join(FILE);
        let der = match std::fs::read(&path) {
            Ok(der) => der,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
            Err(error) => return Err(of_file("read", &path, &error)),
        };
        Self::of(&der).ok_or_else(|| {
            Trouble::harmless(
                format!("{} is no key of ours", path.display()),
                "Remove it: the next start makes another, and tokens of the old one are void.",
            )
        })
    }

    fn of(der: &[u8]) -> Option<Self> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok()?;
        // 4, then the two coordinates.
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..65)?.split_at(32);
        let id =
            URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, point).as_ref().get(..12)?);
        let public = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        Some(Self { key: EncodingKey::from_ec_der(der), id, public })
    }

    /// A token as Auth makes it.
    ///
    /// # Errors
    /// Where it cannot be signed, which does not happen with a key that could be opened.
    pub fn token(
        &self,
        user: UserId,
        email: &str,
        now: UnixMillis,
        ttl: Duration,
    ) -> Result<String, Trouble> {
        let begun = now.0 / 1_000;
        let ends = begun.saturating_add_unsigned(ttl.as_secs());
        let claims = json!({
            "iss": NAME, "aud": "authenticated", "sub": user.to_string(), "email": email, "phone": "",
            "iat": begun, "exp": ends, "role": "authenticated", "aal": "aal1", "is_anonymous": false,
            "session_id": user.to_string(),
        });
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.key)
            .map_err(|error| Trouble::harmless(error, "Please report this as a bug."))
    }

    /// What Auth would answer.
    pub fn router(&self) -> Router {
        let keys = json!({ "keys": [self.public] });
        let answer = move || {
            let keys = keys.clone();
            async move { ([(CACHE_CONTROL, "public, max-age=600")], Json(keys)).into_response() }
        };
        Router::new().route(PATH, get(answer))
    }
}

fn make(path: &Path) -> Result<Vec<u8>, Trouble> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let made = made.map_err(|_no_randomness| no_randomness())?;
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(made.as_ref())?;
        file.sync_all()
    });
    written.map_err(|error| of_file("write", path, &error))?;
    Ok(made.as_ref().to_vec())
}

/// A word that nobody guesses.
///
/// # Errors
/// Where the system has no randomness.
pub fn random_word() -> Result<String, Trouble> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).map_err(|_no_randomness| no_randomness())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn no_randomness() -> Trouble {
    Trouble::harmless("The system gives this program no randomness", "Start it again in a moment.")
}
