//! The issuer's published keys, kept here.
//!
//! They are asked for every ten minutes, as the issuer's own caches do, and once more when a token names one that is not
//! among them; so a flood of tokens with made-up keys costs the issuer one question in half a minute. While the issuer
//! cannot be reached, the last keys hold for a day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use roomtone_schema::Clock;
use tokio::sync::Mutex;

use super::token::Key;

/// How often the keys are asked for.
pub const FRESH: Duration = Duration::from_mins(10);

/// How often at most because of a token.
pub const COOL_DOWN: Duration = Duration::from_secs(30);

/// How often while there are none at all.
const IMPATIENT: Duration = Duration::from_secs(5);

/// For how long keys hold that nobody confirms.
pub const KEPT: Duration = Duration::from_hours(24);

/// For how long an answer is waited for.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// The largest set that is read: a project has two or three keys.
const LARGEST: usize = 256 * 1024;

/// The keys.
#[derive(Debug)]
pub struct Keys {
    http: reqwest::Client,
    url: String,
    clock: Arc<dyn Clock>,
    held: RwLock<Held>,
    /// When they were last asked for because of a token, or at all.
    asked: Mutex<Option<i64>>,
    asks: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    keys: Vec<Key>,
    /// When they came, by the monotonic clock.
    since: Option<i64>,
}

impl Keys {
    /// The keys that are published at `url`; none are here yet.
    ///
    /// # Errors
    /// Where no HTTPS client can be made.
    pub fn new(url: String, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_TIME)
            // Whoever answers for the issuer does so at its address.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("roomtone-cloud/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("no HTTPS client can be made")?;
        let (held, asked) = (RwLock::default(), Mutex::default());
        Ok(Self { http, url, clock, held, asked, asks: AtomicU64::new(0) })
    }

    /// The key of this name among those that are here. A token without a name is of the only key there is.
    pub fn find(&self, id: Option<&str>) -> Option<Key> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let since = held.since?;
        if self.clock.monotonic_ms().saturating_sub(since) > KEPT.as_millis() as i64 {
            return None;
        }
        match (id, held.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    /// The key of this name, asking the issuer once if it has not been asked just now.
    pub async fn ask(&self, id: Option<&str>) -> Option<Key> {
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked while we waited.
        if let Some(key) = self.find(id) {
            return Some(key);
        }
        let now = self.clock.monotonic_ms();
        let lately = asked.is_some_and(|at| now.saturating_sub(at) < COOL_DOWN.as_millis() as i64);
        if lately {
            return None;
        }
        *asked = Some(now);
        self.fetch().await;
        drop(asked);
        self.find(id)
    }

    /// Asks for the keys again and again.
    pub async fn refresh(&self) {
        loop {
            self.fetch().await;
            let pause = match self.count() {
                0 => IMPATIENT,
                _ if self.age().is_some_and(|age| age < COOL_DOWN) => FRESH,
                _ => COOL_DOWN,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// How many keys are here.
    pub fn count(&self) -> usize {
        self.held.read().unwrap_or_else(PoisonError::into_inner).keys.len()
    }

    /// How old they are; `None` where there are none yet.
    pub fn age(&self) -> Option<Duration> {
        let since = self.held.read().unwrap_or_else(PoisonError::into_inner).since?;
        let age = self.clock.monotonic_ms().saturating_sub(since).max(0);
        Some(Duration::from_millis(age.cast_unsigned()))
    }

    /// How often they were asked for.
    pub fn asks(&self) -> u64 {
        self.asks.load(Ordering::Relaxed)
    }

    /// Asks for them now, for whoever wants to know whether they can be had.
    ///
    /// # Errors
    /// Why not.
    pub async fn look(&self) -> anyhow::Result<usize> {
        self.asks.fetch_add(1, Ordering::Relaxed);
        let text = self.text().await.with_context(|| format!("the keys at {} cannot be had", self.url))?;
        let keys = read(&text).with_context(|| format!("what {} says are no keys", self.url))?;
        let count = keys.len();
        let since = Some(self.clock.monotonic_ms());
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Held { keys, since };
        Ok(count)
    }

    async fn fetch(&self) {
        match self.look().await {
            Ok(0) => tracing::warn!(
                "the issuer publishes no keys at {}: a project that signs with HS256 needs signing keys, or JWT_SECRET",
                self.url
            ),
            Ok(count) => tracing::debug!("{count} keys of the issuer are here"),
            Err(error) => tracing::warn!("{error:#}; tokens are verified with the keys that are here"),
        }
    }

    async fn text(&self) -> anyhow::Result<Vec<u8>> {
        let mut answer = self.http.get(&self.url).send().await?.error_for_status()?;
        anyhow::ensure!(answer.status().is_success(), "it answers with {}", answer.status());
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await? {
            text.extend_from_slice(&part);
            anyhow::ensure!(text.len() <= LARGEST, "it is larger than {LARGEST} bytes");
        }
        Ok(text)
    }
}

/// The keys of a set that can be used. One of a kind that we do not know is left out, as its neighbours are good.
fn read(text: &[u8]) -> serde_json::Result<Vec<Key>> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(text)?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    Ok(keys.filter_map(|key| usable(&key)).collect())
}

/// The algorithm is the key's, never a token's.
fn usable(jwk: &Jwk) -> Option<Key> {
    if jwk.common.public_key_use.as_ref().is_some_and(|use_| *use_ != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::EllipticCurve(point), None | Some(KeyAlgorithm::ES256))
            if point.curve == EllipticCurve::P256 =>
        {
            Algorithm::ES256
        }
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests;
