//! Pairing, by address and by digits, with hubs that are what they say and with some that are not.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use roomtone_player::hub_client::LinkError;
use roomtone_player::pairing::{Code, PairError, pair};
use roomtone_player::pinned::HubKey;
use roomtone_schema::UnixMillis;
use serde_json::{Value, json};
use spake2::{Ed25519Group, Spake2};

use crate::hub::{Answer, Asked, TestHub, certificate};

const ID: &str = "01890000-0000-7000-8000-000000000001";
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn taken() -> Value {
    json!({
        "hub": ID, "venue": "01890000-0000-7000-8000-000000000002", "venue_name": "Café",
        "player": "01890000-0000-7000-8000-000000000003", "name": "bar", "secret": "s3cret", "zone": "main",
    })
}

fn uri(hub: &TestHub, key: HubKey) -> Code {
    let (key, token) = (key.to_base64url(), URL_SAFE_NO_PAD.encode([9; 16]));
    format!("roomtone://pair?hub={}&id={ID}&key={key}&token={token}", hub.address).parse().unwrap()
}

fn mac(key: &[u8], what: &[u8]) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(what);
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// A hub that shows these digits. `proves` says whether it has a proof of its own to give.
struct Window {
    digits: &'static str,
    key: HubKey,
    proves: bool,
    shared: Mutex<Vec<u8>>,
}

impl Window {
    fn answer(&self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/pair/hello" => {
                let theirs = URL_SAFE_NO_PAD.decode(asked.body["message"].as_str().unwrap()).unwrap();
                let (spake, ours) = Spake2::<Ed25519Group>::start_b(
                    &spake2::Password::new(self.digits),
                    &spake2::Identity::new(b"roomtone-player"),
                    &spake2::Identity::new(format!("roomtone-hub:{}", self.key).as_bytes()),
                );
                *self.shared.lock().unwrap() = spake.finish(&theirs).unwrap();
                Answer::Json(200, json!({ "attempt": "1", "message": URL_SAFE_NO_PAD.encode(ours) }))
            }
            "/pair/proof" => {
                let shared = self.shared.lock().unwrap();
                if self.proves && asked.body["proof"] != mac(&shared, b"roomtone pairing 1 player") {
                    return Answer::Json(403, json!({ "error": "these are not the digits" }));
                }
                let mut taken = taken();
                taken["proof"] =
                    mac(if self.proves { &shared } else { b"?" }, b"roomtone pairing 1 hub").into();
                Answer::Json(200, taken)
            }
            path => panic!("{path}"),
        }
    }
}

async fn window(digits: &'static str, proves: bool) -> TestHub {
    let (certificate, pair) = certificate(2020, 2040);
    let key = HubKey::of(&certificate).unwrap();
    let window = Window { digits, key, proves, shared: Mutex::default() };
    TestHub::showing(certificate, &pair, move |asked| window.answer(asked)).await
}

async fn closed() -> TestHub {
    TestHub::start(|_| Answer::Json(404, json!({ "error": "no pairing is open" }))).await
}

#[tokio::test]
async fn an_address_pairs_with_the_key_in_it() {
    let hub = TestHub::start(|asked| {
        assert_eq!(asked.path, "/pair/token");
        assert_eq!(asked.body, json!({ "name": "bar", "token": URL_SAFE_NO_PAD.encode([9; 16]) }));
        Answer::Json(200, taken())
    })
    .await;
    let identity = pair(&uri(&hub, hub.key), "bar", &[], NOW).await.unwrap();
    assert_eq!((identity.key, identity.secret.as_str()), (hub.key, "s3cret"));
    assert_eq!((identity.addresses, identity.secret_made_at), (vec![hub.address], NOW));
}

#[tokio::test]
async fn no_token_is_ever_sent_to_another_key() {
    let rogue = TestHub::start(|_| Answer::Json(200, taken())).await;
    let (certificate, _pair) = certificate(2020, 2040);
    let code = uri(&rogue, HubKey::of(&certificate).unwrap());
    let error = pair(&code, "bar", &[rogue.address], NOW).await.unwrap_err();
    assert!(matches!(error, PairError::Link(LinkError::WrongKey { .. })), "{error}");
    assert!(rogue.asked().is_empty());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    for (status, expected) in [(404, "roomtone-hub pair"), (403, "roomtone-hub pair"), (409, "--name")] {
        let hub = TestHub::start(move |_| Answer::Json(status, json!({ "error": "no" }))).await;
        let error = pair(&uri(&hub, hub.key), "bar", &[], NOW).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn eight_digits_pair_with_the_hub_that_shows_them() {
    let (closed, open) = (closed().await, window("12345678", true).await);
    let candidates = [closed.address, open.address];
    let identity = pair(&"1234 5678".parse().unwrap(), "bar", &candidates, NOW).await.unwrap();
    assert_eq!((identity.key, identity.secret.as_str()), (open.key, "s3cret"));
    let said: Vec<String> = open.asked().iter().map(|asked| asked.body.to_string()).collect();
    assert!(said.iter().all(|said| !said.contains("12345678")), "the digits are never sent: {said:?}");
}

#[tokio::test]
async fn wrong_digits_cost_one_try_whatever_the_number_of_addresses() {
    let (closed, open) = (closed().await, window("12345678", true).await);
    let candidates = [open.address, open.address, closed.address];
    let error = pair(&"8765 4321".parse().unwrap(), "bar", &candidates, NOW).await.unwrap_err();
    assert!(matches!(error, PairError::WrongCode(_)), "{error}");
    let hellos = open.asked().iter().filter(|asked| asked.path == "/pair/hello").count();
    assert_eq!(hellos, 1);
}

#[tokio::test]
async fn a_hub_without_a_proof_of_its_own_is_an_impostor_and_nothing_is_kept() {
    let rogue = window("00000000", false).await;
    let error = pair(&"1234 5678".parse().unwrap(), "bar", &[rogue.address], NOW).await.unwrap_err();
    assert!(matches!(error, PairError::Impostor { .. }), "{error}");
}

#[tokio::test]
async fn many_who_pretend_get_three_guesses_together() {
    let mut rogues = Vec::new();
    for _ in 0..5 {
        let (key, digits) = (certificate(2020, 2040), "00000000");
        let window =
            Window { digits, key: HubKey::of(&key.0).unwrap(), proves: false, shared: Mutex::default() };
        rogues.push(TestHub::showing(key.0, &key.1, move |asked| window.answer(asked)).await);
    }
    let candidates: Vec<_> = rogues.iter().map(|rogue| rogue.address).collect();
    let error = pair(&"1234 5678".parse().unwrap(), "bar", &candidates, NOW).await.unwrap_err();
    assert!(matches!(error, PairError::TooManyHubs), "{error}");
    let proofs = rogues.iter().filter(|rogue| rogue.asked().iter().any(|asked| asked.path == "/pair/proof"));
    assert_eq!(proofs.count(), 3);
}

#[tokio::test]
async fn a_man_in_between_with_a_key_of_his_own_gets_no_proof_that_the_hub_takes() {
    // He passes everything on to the real hub, which is bound to its own key.
    let hub = window("12345678", true).await;
    let relay_key = certificate(2020, 2040);
    let window = Window { digits: "12345678", key: hub.key, proves: true, shared: Mutex::default() };
    let relay = TestHub::showing(relay_key.0, &relay_key.1, move |asked| window.answer(asked)).await;
    let error = pair(&"1234 5678".parse().unwrap(), "bar", &[relay.address], NOW).await.unwrap_err();
    assert!(matches!(error, PairError::WrongCode(_)), "{error}");
}

#[tokio::test]
async fn without_a_hub_there_is_nobody_to_ask() {
    let error = pair(&"1234 5678".parse().unwrap(), "bar", &[], NOW).await.unwrap_err();
    assert!(matches!(error, PairError::NoHub), "{error}");
}
