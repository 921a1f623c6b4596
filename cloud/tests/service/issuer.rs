//! An issuer as Supabase's Auth is one: it signs tokens, and publishes its keys over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use roomtone_schema::{Clock as _, SystemClock, UserId};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A pair of keys by its name.
pub(crate) struct Keys {
    pub(crate) id: &'static str,
    pair: EcdsaKeyPair,
}

impl Keys {
    pub(crate) fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    /// What is published of it.
    pub(crate) fn public(&self) -> Value {
        let (x, y) = self.point()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id,
                "x": BASE64.encode(x), "y": BASE64.encode(y) })
    }

    /// The public key as it is: what somebody may try as a shared secret.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let message = message(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.id }), claims);
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64.encode(signed.as_ref()))
    }
}

/// The part of a token that is signed.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

/// A token that is "signed" with a shared secret.
pub(crate) fn with_secret(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    format!("{message}.{}", BASE64.encode(ring::hmac::sign(&key, message.as_bytes()).as_ref()))
}

/// The issuer.
pub(crate) struct Issuer {
    /// Where a project would be.
    pub(crate) project: String,
    said: Arc<Said>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Said {
    /// `None`: out of order.
    set: Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Issuer {
    pub(crate) async fn publishing(keys: &[&Keys]) -> Self {
        let said = Arc::new(Said::default());
        let answer = async |State(said): State<Arc<Said>>| {
            said.asked.fetch_add(1, Ordering::SeqCst);
            let set = said.set.lock().unwrap().clone();
            set.ok_or(StatusCode::SERVICE_UNAVAILABLE)
        };
        let path = "/auth/v1/.well-known/jwks.json";
        let router = Router::new().route(path, get(answer)).with_state(Arc::clone(&said));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let project = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let issuer = Self { project, said, _serving: serving };
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&Keys]) {
        let keys: Vec<_> = keys.iter().map(|keys| keys.public()).collect();
        *self.said.set.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    pub(crate) fn goes_out_of_order(&self) {
        *self.said.set.lock().unwrap() = None;
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.said.asked.load(Ordering::SeqCst)
    }

    /// What Auth says of somebody.
    pub(crate) fn claims(&self, user: UserId) -> Value {
        self.claims_for(user, 3_600)
    }

    /// The same, for so many seconds.
    pub(crate) fn claims_for(&self, user: UserId, seconds: i64) -> Value {
        let now = SystemClock::new().wall().0 / 1_000;
        json!({
            "iss": format!("{}/auth/v1", self.project), "aud": "authenticated", "sub": user.to_string(),
            "iat": now, "exp": now + seconds, "role": "authenticated", "aal": "aal1", "is_anonymous": false,
            "email": "a@b.c", "phone": "", "session_id": "s", "app_metadata": { "roomtone_role": "admin" },
        })
    }
}
