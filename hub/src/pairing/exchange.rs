//! The exchange by which two ends find out whether they know the same digits, without telling them: SPAKE2.
//!
//! Who listens or answers in the hub's place learns one thing: whether one guess was right. Both ends mix in the hub's
//! key, so that somebody who stands between them, with a key of their own, has another secret than either.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::{Digits, Shut};
use crate::tls::HubKey;

/// What the player calls itself in the exchange.
const PLAYER: &[u8] = b"roomtone-player";

/// What each end proves its knowledge by.
const PLAYERS_PROOF: &[u8] = b"roomtone pairing 1 player";
const HUBS_PROOF: &[u8] = b"roomtone pairing 1 hub";

/// What both ends know, where they know the same digits.
pub struct Shared(Vec<u8>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared(..)")
    }
}

/// The hub's part: its message, and what it shares with whoever sent `message` if their digits are the same.
///
/// # Errors
/// Where `message` is none of the exchange.
pub fn answer(digits: Digits, key: HubKey, message: &[u8]) -> Result<(Vec<u8>, Shared), Shut> {
    let (state, ours) =
        Spake2::<Ed25519Group>::start_b(&Password::new(digits.0), &Identity::new(PLAYER), &hub(key));
    let shared = state.finish(message).map_err(|_no_message| Shut::Unreadable)?;
    Ok((ours, Shared(shared)))
}

fn hub(key: HubKey) -> Identity {
    Identity::new(format!("roomtone-hub:{key}").as_bytes())
}

impl Shared {
    /// Whether this proves that the player knows it. Takes as long for a wrong proof as for the right one.
    pub fn is_proven_by(&self, proof: &[u8]) -> bool {
        self.mac(PLAYERS_PROOF).verify_slice(proof).is_ok()
    }

    /// What proves to the player that the hub knows it.
    pub fn hubs_proof(&self) -> Vec<u8> {
        self.mac(HUBS_PROOF).finalize().into_bytes().to_vec()
    }

    fn mac(&self, of: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(of);
        mac
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The player's part, as `player/src/pairing.rs` plays it.
    pub(crate) struct Player(Spake2<Ed25519Group>);

    impl Player {
        pub(crate) fn begin(digits: &[u8], key: HubKey) -> (Self, Vec<u8>) {
            let (state, message) = Spake2::start_a(&Password::new(digits), &Identity::new(PLAYER), &hub(key));
            (Self(state), message)
        }

        pub(crate) fn finish(self, message: &[u8]) -> Shared {
            Shared(self.0.finish(message).unwrap())
        }
    }

    impl Shared {
        pub(crate) fn players_proof(&self) -> Vec<u8> {
            self.mac(PLAYERS_PROOF).finalize().into_bytes().to_vec()
        }
    }

    const KEY: HubKey = HubKey([5; 32]);
    const DIGITS: Digits = Digits(*b"12345678");

    fn meet(digits: &[u8], key: HubKey) -> (Shared, Shared) {
        let (player, message) = Player::begin(digits, key);
        let (answered, hubs) = answer(DIGITS, KEY, &message).unwrap();
        (player.finish(&answered), hubs)
    }

    #[test]
    fn two_who_know_the_same_digits_prove_it_to_each_other() {
        let (players, hubs) = meet(b"12345678", KEY);
        assert!(hubs.is_proven_by(&players.players_proof()));
        assert_eq!(players.hubs_proof(), hubs.hubs_proof());
        assert!(!hubs.is_proven_by(&hubs.hubs_proof()), "the hub's own proof is not the player's");
    }

    #[test]
    fn another_digit_another_hub_and_no_proof_at_all_prove_nothing() {
        for (digits, key) in [(b"12345679", KEY), (b"12345678", HubKey([6; 32]))] {
            let (players, hubs) = meet(digits, key);
            assert!(!hubs.is_proven_by(&players.players_proof()));
            assert_ne!(players.hubs_proof(), hubs.hubs_proof());
        }
        let (_, hubs) = meet(b"12345678", KEY);
        assert!(!hubs.is_proven_by(&[]));
    }

    #[test]
    fn what_is_no_message_is_told_so() {
        for message in [&b""[..], b"A", &[0xff; 33], &[0x41; 33], &[0; 200]] {
            assert_eq!(answer(DIGITS, KEY, message).map(drop).unwrap_err(), Shut::Unreadable, "{message:?}");
        }
    }
}
