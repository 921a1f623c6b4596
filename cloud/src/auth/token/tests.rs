use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::auth::crypto;
use crate::secret::Secret;

const NOW: UnixMillis = UnixMillis(1_795_348_800_000);
const NOW_S: i64 = NOW.0 / 1_000;
const SUB: &str = "0190f3c4-0000-7000-8000-000000000001";

/// A pair of keys, and what signs with it.
struct Signer {
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Self {
        crypto::install();
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Self { pair }
    }

    fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn key(&self) -> Key {
        let (x, y) = self.point()[1..].split_at(32);
        let key = DecodingKey::from_ec_components(&BASE64.encode(x), &BASE64.encode(y)).unwrap();
        Key { id: Some("k".to_owned()), algorithm: Algorithm::ES256, key }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64.encode(signed.as_ref()))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

fn with_hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    format!("{message}.{}", BASE64.encode(ring::hmac::sign(&key, message.as_bytes()).as_ref()))
}

fn es256() -> Value {
    json!({ "alg": "ES256", "typ": "JWT", "kid": "k" })
}

fn claims() -> Value {
    json!({
        "iss": "https://p.supabase.co/auth/v1", "aud": "authenticated", "sub": SUB, "exp": NOW_S + 3_600,
        "iat": NOW_S, "role": "authenticated", "email": "a@b.c", "user_metadata": { "role": "admin" },
    })
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn rules() -> Rules {
    let settings = AuthSection { supabase_url: "https://p.supabase.co".to_owned(), ..AuthSection::default() };
    Rules::new(&settings)
}

fn verify(claims: &Value) -> Result<Identity, No> {
    let signer = Signer::new();
    rules().verify(&signer.token(&es256(), claims), &signer.key(), NOW)
}

#[test]
fn a_good_token_is_somebody() {
    let identity = verify(&claims()).unwrap();
    assert_eq!(identity.user.to_string(), SUB);
    assert_eq!(identity.expires, NOW + Duration::from_hours(1));
    assert!(verify(&changed("aud", json!(["other", "authenticated"]))).is_ok(), "one of several audiences");
}

#[rstest]
#[case::issuer("iss", json!("https://q.supabase.co/auth/v1"), No::Claims)]
#[case::issuer_with_a_slash("iss", json!("https://p.supabase.co/auth/v1/"), No::Claims)]
#[case::audience("aud", json!("anon"), No::Claims)]
#[case::audiences("aud", json!(["anon", "storage"]), No::Claims)]
#[case::ended("exp", json!(NOW_S - 31), No::Expired)]
#[case::ended_exactly("exp", json!(NOW_S - 30), No::Expired)]
#[case::end_as_text("exp", json!("9999999999"), No::Claims)]
#[case::not_begun("nbf", json!(NOW_S + 31), No::Expired)]
#[case::subject("sub", json!("somebody"), No::Claims)]
#[case::empty_subject("sub", json!(""), No::Claims)]
#[case::service_role("role", json!("service_role"), No::Role)]
#[case::anon("role", json!("anon"), No::Role)]
#[case::hub("role", json!("roomtone_hub"), No::Role)]
#[case::anonymous("is_anonymous", json!(true), No::Anonymous)]
fn a_token_with_another_claim_opens_nothing(#[case] name: &str, #[case] value: Value, #[case] no: No) {
    assert_eq!(verify(&changed(name, value)), Err(no));
}

#[rstest]
#[case("iss", No::Claims)]
#[case("aud", No::Claims)]
#[case("sub", No::Claims)]
#[case("exp", No::Claims)]
#[case("role", No::Role)]
fn a_claim_that_lacks_is_no_claim_that_holds(#[case] name: &str, #[case] no: No) {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    assert_eq!(verify(&claims), Err(no));
}

#[rstest]
#[case("exp", json!(NOW_S - 29))]
#[case("nbf", json!(NOW_S + 29))]
fn two_clocks_may_be_half_a_minute_apart(#[case] name: &str, #[case] value: Value) {
    assert!(verify(&changed(name, value)).is_ok());
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_tokens() {
    let signer = Signer::new();
    let (rules, key) = (rules(), signer.key());
    let hs256 = json!({ "alg": "HS256", "kid": "k" });
    for secret in [signer.point(), BASE64.encode(signer.point()).as_bytes()] {
        let token = with_hmac(secret, &hs256, &claims());
        assert_eq!(rules.verify(&token, &key, NOW), Err(No::Signature));
    }
    for alg in ["RS256", "ES384", "PS256", "HS512"] {
        let token = signer.token(&json!({ "alg": alg, "kid": "k" }), &claims());
        assert_eq!(rules.verify(&token, &key, NOW), Err(No::Signature), "{alg}");
    }
}

#[rstest]
#[case::none("none")]
#[case::none_in_capitals("None")]
#[case::unknown("XS1")]
fn no_algorithm_is_no_token(#[case] alg: &str) {
    let token = format!("{}.", message(&json!({ "alg": alg, "kid": "k" }), &claims()));
    assert!(read(&token).is_err());
}

#[test]
fn another_signature_is_not_good() {
    let (signer, other) = (Signer::new(), Signer::new());
    let (rules, key) = (rules(), signer.key());
    assert_eq!(rules.verify(&other.token(&es256(), &claims()), &key, NOW), Err(No::Signature));
    let token = signer.token(&es256(), &claims());
    let (said, _) = token.rsplit_once('.').unwrap();
    let zeroes = format!("{said}.{}", BASE64.encode([0; 64]));
    assert_eq!(rules.verify(&zeroes, &key, NOW), Err(No::Signature));
    assert_eq!(rules.verify(&format!("{said}."), &key, NOW), Err(No::Signature));
    let later = message(&es256(), &changed("exp", json!(NOW_S + 999_999)));
    let moved = token.replacen(said, &later, 1);
    assert_eq!(rules.verify(&moved, &key, NOW), Err(No::Signature));
}

#[test]
fn the_shared_secret_is_for_hs256_alone_and_only_where_there_is_one() {
    let hs256 = json!({ "alg": "HS256" });
    let token = with_hmac(b"a secret of the project", &hs256, &claims());
    assert!(rules().shared_key(&read(&token).unwrap()).is_none());
    let settings = AuthSection {
        supabase_url: "https://p.supabase.co".to_owned(),
        jwt_secret: Secret::new("a secret of the project"),
        ..AuthSection::default()
    };
    let rules = Rules::new(&settings);
    let key = rules.shared_key(&read(&token).unwrap()).unwrap();
    assert!(rules.verify(&token, key, NOW).is_ok());
    assert_eq!(rules.verify(&with_hmac(b"another", &hs256, &claims()), key, NOW), Err(No::Signature));
    assert!(rules.shared_key(&read(&Signer::new().token(&es256(), &claims())).unwrap()).is_none());
}

#[rstest]
#[case("")]
#[case("..")]
#[case("a.b.c")]
#[case("eyJhbGciOiJFUzI1NiJ9")]
fn what_is_no_token_is_not_read(#[case] text: &str) {
    let read = read(text).and_then(|_| rules().verify(text, &Signer::new().key(), NOW).map(drop));
    assert_eq!(read, Err(No::Malformed));
}

#[test]
fn an_endless_token_is_not_read() {
    let token = Signer::new().token(&es256(), &changed("padding", json!("x".repeat(LONGEST))));
    assert_eq!(read(&token).unwrap_err(), No::Malformed);
}

#[test]
fn nobody_is_asked_about_a_token_that_could_not_be_good() {
    let signer = Signer::new();
    let ask = |claims: &Value| rules().is_worth_asking(&signer.token(&es256(), claims), NOW);
    assert_eq!(ask(&claims()), Ok(()));
    assert_eq!(ask(&changed("iss", json!("https://elsewhere"))), Err(No::Claims));
    assert_eq!(ask(&changed("exp", json!(1))), Err(No::Expired));
    assert_eq!(ask(&changed("role", json!("anon"))), Err(No::Role));
}

/// The modulus of an RSA key that `openssl genrsa 2048` made, and a token that `openssl dgst -sha256 -sign` signed with it.
const MODULUS: &str = concat!(
    "4g6DfzmIX3FUQjd6JuFh2pXo8ze3LNCIn9cheIQBDYaJt1XzQ1B5cFJnnz99k-_IRA0oWu3oQQQ1YUISNL5hlMRNto47Iplu7sP-bMoM",
    "2bBAGJPD-2kDljU12soYMJIgKUZnIs9-p0kZ4cuBlAFpmiEHFCpqT-MEnwr0bpIpjTFfL-w0l9z5RzPjTsa_653OhpdAXebpg6B8cTKO",
    "KDncU0qt-jbhd5OCut0T7dPsRhNaCOAAr3pySFpUa246-AkkD1MImaTI3p5C1UNc9NRD6tJc3VQVRxPnrHKu50p0Q2m0fd7JwcEU_e-_",
    "t8PzjzhHtHBCCIHG9KC-YgL2t0EmJQ",
);
const RS256_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL3Auc3VwYWJhc2UuY28vYXV0aC92MSIsImF1ZCI6ImF1dGhlb",
    "nRpY2F0ZWQiLCJzdWIiOiIwMTkwZjNjNC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJleHAiOjE3OTUzNTI0MDAsInJvbGUiO",
    "iJhdXRoZW50aWNhdGVkIn0.kG1lZ4sqJ1ZflfRZD7eIAWKHCwMq7r_VJHrtQX5mBfHrU0XphJVVgz-Hkp80zYdJDHJdg8Ii-jLVqmrl9",
    "EhmfJkHzh0Ln7bBqau6mfpZPT-y8JEBCc7p1zX4r2eMBw6g_nSlcDbFDfYJT52k63PT6FYpx3WbGKgx86KSrZPoSFrtMOVw_zJAg-NED",
    "yGNwlF9ImZ6cOLmThyUElNhkUOnLbDAnm9hgSV4Ly9mQDGuvgjlNaeX7I9PWiTNPLdC5RJbM4i5wn_snNpjdZ4bWB63pdLLHAo2pBNrJ",
    "gOrbwTSGL9Cakhykf29m3qf3CXRNetU5KMRtEScj9GNBHiF43fmuA",
);

#[test]
fn an_rsa_signature_is_verified_and_a_changed_one_is_not() {
    crypto::install();
    let key = Key {
        id: Some("k".to_owned()),
        algorithm: Algorithm::RS256,
        key: DecodingKey::from_rsa_components(MODULUS, "AQAB").unwrap(),
    };
    assert!(rules().verify(RS256_TOKEN, &key, NOW).is_ok());
    let (said, signature) = RS256_TOKEN.rsplit_once('.').unwrap();
    let mut bytes = BASE64.decode(signature).unwrap();
    bytes[0] ^= 1;
    let forged = format!("{said}.{}", BASE64.encode(bytes));
    assert_eq!(rules().verify(&forged, &key, NOW), Err(No::Signature));
    let with_modulus = with_hmac(MODULUS.as_bytes(), &json!({ "alg": "HS256", "kid": "k" }), &claims());
    assert_eq!(rules().verify(&with_modulus, &key, NOW), Err(No::Signature));
}
