use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use roomtone_schema::{ManualClock, UnixMillis};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;

/// An issuer that publishes what it is told to, and counts who asks.
struct Issuer {
    url: String,
    said: Arc<Said>,
    clock: Arc<ManualClock>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Said {
    /// `None`: an error.
    set: std::sync::Mutex<Option<String>>,
    asked: AtomicUsize,
}

impl Issuer {
    async fn start() -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let said = Arc::new(Said::default());
        let answer = async |State(said): State<Arc<Said>>| {
            said.asked.fetch_add(1, Ordering::SeqCst);
            let set = said.set.lock().unwrap().clone();
            set.ok_or(StatusCode::BAD_GATEWAY)
        };
        let router = Router::new().route("/jwks", get(answer)).with_state(Arc::clone(&said));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let clock = Arc::new(ManualClock::at(UnixMillis(1_795_348_800_000)));
        Self { url, said, clock, _serving: serving }
    }

    fn publishes(&self, keys: &[Value]) {
        *self.said.set.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    fn is_gone(&self) {
        *self.said.set.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.said.asked.load(Ordering::SeqCst)
    }

    fn keys(&self) -> Keys {
        Keys::new(self.url.clone(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }
}

fn point(id: &str) -> Value {
    // The base point of P-256, which is as good as any.
    json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id,
            "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU" })
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_question() {
    let issuer = Issuer::start().await;
    issuer.publishes(&[point("a")]);
    let keys = issuer.keys();
    assert!(keys.ask(Some("a")).await.is_some());
    let flood = (0..200).map(|number| {
        let (keys, id) = (&keys, format!("made up {number}"));
        async move { keys.ask(Some(&id)).await.is_none() }
    });
    assert!(futures_util::future::join_all(flood).await.into_iter().all(|none| none));
    assert_eq!(issuer.asked(), 1);
    issuer.clock.advance(COOL_DOWN);
    assert!(keys.ask(Some("made up")).await.is_none());
    assert!(keys.ask(Some("made up")).await.is_none());
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_beside_the_old_one_and_a_removed_one_is_gone() {
    let issuer = Issuer::start().await;
    issuer.publishes(&[point("old")]);
    let keys = issuer.keys();
    assert!(keys.ask(Some("old")).await.is_some());
    issuer.publishes(&[point("old"), point("new")]);
    assert!(keys.ask(Some("new")).await.is_none(), "the issuer was asked just now");
    issuer.clock.advance(COOL_DOWN);
    assert!(keys.ask(Some("new")).await.is_some());
    assert!(keys.find(Some("old")).is_some());
    issuer.publishes(&[point("new")]);
    keys.look().await.unwrap();
    assert!(keys.find(Some("old")).is_none() && keys.find(Some("new")).is_some());
}

#[tokio::test]
async fn the_last_keys_hold_while_the_issuer_is_gone_but_not_for_ever() {
    let issuer = Issuer::start().await;
    issuer.publishes(&[point("a")]);
    let keys = issuer.keys();
    keys.look().await.unwrap();
    issuer.is_gone();
    issuer.clock.advance(KEPT);
    assert!(keys.look().await.is_err());
    assert!(keys.find(Some("a")).is_some());
    issuer.clock.advance(Duration::from_secs(1));
    assert!(keys.find(Some("a")).is_none());
}

#[tokio::test]
async fn what_is_no_set_leaves_the_keys_as_they_are() {
    let issuer = Issuer::start().await;
    issuer.publishes(&[point("a")]);
    let keys = issuer.keys();
    keys.look().await.unwrap();
    for nonsense in ["", "<html>sign in to the café's network</html>", "{}", &" ".repeat(LARGEST + 1)] {
        *issuer.said.set.lock().unwrap() = Some(nonsense.to_owned());
        assert!(keys.look().await.is_err());
    }
    assert!(keys.find(Some("a")).is_some());
}

#[tokio::test]
async fn only_keys_that_verify_by_an_algorithm_of_ours_are_used() {
    let issuer = Issuer::start().await;
    let with = |id: &str, name: &str, value: Value| {
        let mut key = point(id);
        key[name] = value;
        key
    };
    let without_alg = {
        let mut key = point("without");
        key.as_object_mut().unwrap().remove("alg");
        key
    };
    issuer.publishes(&[
        json!({ "kty": "oct", "kid": "shared", "alg": "HS256", "k": "c2VjcmV0" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        json!({ "kty": "from the future", "kid": "future" }),
        with("hmac", "alg", json!("HS256")),
        with("rsa", "alg", json!("RS256")),
        with("encryption", "use", json!("enc")),
        without_alg,
        point("good"),
    ]);
    let keys = issuer.keys();
    assert_eq!(keys.look().await.unwrap(), 2);
    for id in ["good", "without"] {
        assert_eq!(keys.find(Some(id)).unwrap().algorithm, Algorithm::ES256);
    }
    assert!(keys.find(None).is_none(), "there are several, and the token does not say which");
}
