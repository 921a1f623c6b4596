//! How a player comes to belong to a hub: by the address that the hub shows as a QR code, or by eight digits.
//!
//! The address has the hub's key in it, so a token is sent to that key and to nobody else. Eight digits are too few to
//! be sent anywhere: both sides prove to each other that they know them (SPAKE2), bound to the key that was shown, so
//! that somebody in between learns nothing and gains one guess in a hundred million. Nothing is kept before the hub
//! has given its proof.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use roomtone_schema::{HubId, PlayerId, UnixMillis, VenueId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::Sha256 as Hasher;
use spake2::{Ed25519Group, Spake2};
use subtle::ConstantTimeEq as _;

use crate::hub_client::line::Line;
use crate::hub_client::{ANSWER, LinkError, in_order};
use crate::identity::Identity;
use crate::pinned::{self, HubKey};

mod code;

pub use code::{Code, CodeError, PairUri};

/// The largest answer that is read: an identity is a few hundred bytes.
const LARGEST_ANSWER: usize = 16 << 10;

/// Side A of SPAKE2.
const WE: &[u8] = b"roomtone-player";

/// Keys that are asked with one code. Each may belong to somebody who only guesses, and gets one guess in a hundred
/// million by being asked.
const MOST_KEYS: usize = 3;

/// What our proof is over.
const OUR_PROOF: &[u8] = b"roomtone pairing 1 player";

/// What the hub's proof is over.
const ITS_PROOF: &[u8] = b"roomtone pairing 1 hub";

/// Why a player is not paired.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Nobody to ask.
    #[error(
        "no hub was found on this network. Is the hub on, and on the same network? \
         If it is, name it: `roomtone-player pair CODE --hub ADDRESS`"
    )]
    NoHub,
    /// Hubs, but none that waits for a player.
    #[error(
        "no hub here waits for a player: the code is good for five minutes and for one player. \
         Ask for a new one with `roomtone-hub pair`"
    )]
    NoWindow,
    /// More keys than a network has hubs, and none of them the right one.
    #[error(
        "more than {MOST_KEYS} hubs answer here, and none of those that were asked shows this code; somebody may imitate \
         your hub. Give the whole roomtone:// address instead of the digits, or say where the hub is: `--hub ADDRESS`"
    )]
    TooManyHubs,
    /// Not the code, or not any more.
    #[error("the hub does not take this code ({0}); `roomtone-hub pair` shows a new one")]
    WrongCode(String),
    /// The name is of no use.
    #[error("the hub does not take this name: {0}. Choose another with `--name`")]
    Name(String),
    /// It took our proof and had none of its own: it does not know the code.
    #[error(
        "{address} did not prove that it knows the code, so it is not the hub that shows it. \
         Nothing was kept; somebody on this network may imitate your hub"
    )]
    Impostor {
        /// Where.
        address: SocketAddr,
    },
    /// Another hub than the one in the address.
    #[error("the hub at {address} is {found}, not the one in the code ({expected})")]
    OtherHub {
        /// Where.
        address: SocketAddr,
        /// The one in the code.
        expected: HubId,
        /// The one that answered.
        found: HubId,
    },
    /// The line.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// What the hub says once it has taken the player in.
#[derive(Deserialize)]
struct Taken {
    hub: HubId,
    venue: VenueId,
    venue_name: String,
    player: PlayerId,
    name: String,
    secret: String,
    zone: String,
    /// Only by digits.
    proof: Option<String>,
}

#[derive(Deserialize)]
struct Hello {
    attempt: String,
    message: String,
}

/// Pairs with the hub that shows `code`. `candidates` are the hubs that were found or named; an address in the code
/// comes first.
///
/// The identity is returned and not yet saved. The player has been taken in by the hub then, so save it.
pub async fn pair(
    code: &Code,
    name: &str,
    candidates: &[SocketAddr],
    now: UnixMillis,
) -> Result<Identity, PairError> {
    match code {
        Code::Token(uri) => by_token(uri, name, candidates, now).await,
        Code::Digits(digits) => by_digits(digits, name, candidates, now).await,
    }
}

async fn by_token(
    uri: &PairUri,
    name: &str,
    candidates: &[SocketAddr],
    now: UnixMillis,
) -> Result<Identity, PairError> {
    let places: Vec<SocketAddr> = uri.addresses.iter().chain(candidates).copied().collect();
    let config = pinned::only(uri.key);
    let mut worst = None;
    for address in each_once(&places) {
        match Line::open(address, &config).await {
            Ok(mut line) => {
                let body = json!({ "name": name, "token": URL_SAFE_NO_PAD.encode(uri.token) });
                let taken: Taken = ask(&mut line, "/pair/token", &body).await?;
                if taken.hub != uri.hub {
                    return Err(PairError::OtherHub { address, expected: uri.hub, found: taken.hub });
                }
                return Ok(taken.into_identity(uri.key, address, now));
            }
            Err(error) => worst = Some(LinkError::worse(worst, error)),
        }
    }
    Err(worst.map_or(PairError::NoHub, PairError::Link))
}

async fn by_digits(
    digits: &[u8; 8],
    name: &str,
    candidates: &[SocketAddr],
    now: UnixMillis,
) -> Result<Identity, PairError> {
    let config = pinned::whoever();
    let mut asked: Vec<HubKey> = Vec::new();
    let mut worst = None;
    for address in in_order(candidates) {
        let outcome = match Line::open(address, &config).await {
            // Another address of a hub that has said no: each hello costs one of five tries.
            Ok(line) if asked.contains(&line.key()) => continue,
            Ok(_) if asked.len() == MOST_KEYS => return Err(PairError::TooManyHubs),
            Ok(mut line) => {
                asked.push(line.key());
                prove(&mut line, digits, name, now).await
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(identity) => return Ok(identity),
            Err(error) => worst = Some(error.or(worst)),
        }
    }
    Err(worst.unwrap_or(PairError::NoHub))
}

/// Both sides prove that they know the digits, to the key that this line was opened to.
async fn prove(
    line: &mut Line,
    digits: &[u8; 8],
    name: &str,
    now: UnixMillis,
) -> Result<Identity, PairError> {
    let (key, address) = (line.key(), line.address());
    let impostor = || PairError::Impostor { address };
    let (spake, message) = Spake2::<Ed25519Group>::start_a(
        &spake2::Password::new(digits),
        &spake2::Identity::new(WE),
        &spake2::Identity::new(format!("roomtone-hub:{key}").as_bytes()),
    );
    let body = json!({ "name": name, "message": URL_SAFE_NO_PAD.encode(message) });
    let hello: Hello = ask(line, "/pair/hello", &body).await?;
    let theirs = URL_SAFE_NO_PAD.decode(&hello.message).map_err(|_not_base64| impostor())?;
    let shared = spake.finish(&theirs).map_err(|_no_such_point| impostor())?;
    let proof = URL_SAFE_NO_PAD.encode(proof(&shared, OUR_PROOF));
    let body = json!({ "attempt": hello.attempt, "proof": proof });
    let taken: Taken = ask(line, "/pair/proof", &body).await?;
    let theirs = taken.proof.as_deref().and_then(|proof| URL_SAFE_NO_PAD.decode(proof).ok());
    if !theirs.is_some_and(|theirs| bool::from(theirs.ct_eq(&self::proof(&shared, ITS_PROOF)))) {
        return Err(impostor());
    }
    Ok(taken.into_identity(key, address, now))
}

/// The HMAC-SHA256 of `what` under the key that both sides have made.
fn proof(shared: &[u8], what: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Hasher>::new_from_slice(shared);
    mac.expect("HMAC takes keys of any length").chain_update(what).finalize().into_bytes().into()
}

async fn ask<T: DeserializeOwned>(line: &mut Line, path: &str, body: &Value) -> Result<T, PairError> {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| LinkError::Odd(format!("no request can be made of {path}: {error}")))?;
    let reply = line.exchange(request, LARGEST_ANSWER, ANSWER).await?;
    reply.json().map_err(|error| match error {
        LinkError::Refused { code, message } => match code.as_str() {
            "404" => PairError::NoWindow,
            "403" => PairError::WrongCode(message),
            "409" => PairError::Name(message),
            _ => LinkError::Refused { code, message }.into(),
        },
        other => other.into(),
    })
}

impl Taken {
    fn into_identity(self, key: HubKey, address: SocketAddr, now: UnixMillis) -> Identity {
        Identity {
            hub: self.hub,
            venue: self.venue,
            venue_name: self.venue_name,
            key,
            player: self.player,
            name: self.name,
            zone: self.zone,
            secret: self.secret,
            secret_made_at: now,
            addresses: vec![address],
        }
    }
}

impl PairError {
    /// Of two failures the one that tells more: what a hub with an open window said, before those without.
    fn or(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if self.weight() <= other.weight() => other,
            _ => self,
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::NoHub => 0,
            Self::Link(_) => 1,
            Self::NoWindow => 2,
            Self::OtherHub { .. } => 3,
            Self::WrongCode(_) => 4,
            Self::Name(_) => 5,
            Self::Impostor { .. } => 6,
            Self::TooManyHubs => 7,
        }
    }
}

/// In the given order, which is the code's own, and each once.
fn each_once(places: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut once: Vec<SocketAddr> = Vec::new();
    for place in places {
        if !once.contains(place) {
            once.push(*place);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_make_the_same_proofs_from_the_same_digits_and_key_only() {
        let hub = |digits: &[u8], key: &str, message: &[u8]| {
            let (spake, mine) = Spake2::<Ed25519Group>::start_b(
                &spake2::Password::new(digits),
                &spake2::Identity::new(WE),
                &spake2::Identity::new(format!("roomtone-hub:{key}").as_bytes()),
            );
            (proof(&spake.finish(message).unwrap(), OUR_PROOF), mine)
        };
        let player = |digits: &[u8], key: &str| {
            Spake2::<Ed25519Group>::start_a(
                &spake2::Password::new(digits),
                &spake2::Identity::new(WE),
                &spake2::Identity::new(format!("roomtone-hub:{key}").as_bytes()),
            )
        };
        for (digits, key, agree) in
            [("12345678", "aa", true), ("12345679", "aa", false), ("12345678", "bb", false)]
        {
            let (spake, message) = player(b"12345678", "aa");
            let (expected, theirs) = hub(digits.as_bytes(), key, &message);
            let ours = proof(&spake.finish(&theirs).unwrap(), OUR_PROOF);
            assert_eq!(ours == expected, agree, "{digits} {key}");
        }
    }

    #[test]
    fn what_a_waiting_hub_says_is_told_before_what_others_say() {
        let wrong = PairError::WrongCode("wrong".to_owned());
        assert!(matches!(PairError::NoWindow.or(Some(wrong)), PairError::WrongCode(_)));
        assert!(matches!(PairError::NoWindow.or(None), PairError::NoWindow));
        let away = PairError::Link(LinkError::Unreachable("x".to_owned()));
        assert!(matches!(PairError::NoWindow.or(Some(away)), PairError::NoWindow));
    }
}
