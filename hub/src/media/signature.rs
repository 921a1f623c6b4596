//! Addresses of media files that hold their own permission, and for some hours only.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use roomtone_schema::UnixMillis;
use roomtone_schema::song::Sha256;
use serde::Deserialize;
use sha2::Sha256 as Digest;

use crate::hub::Hub;

/// An address is good for at least this long: longer than any song, and than the look-ahead of a player.
const GOOD_FOR_S: i64 = 6 * 3_600;

/// Everybody gets the same address within an hour, so that what is the same for all stays so.
const ROUNDED_TO_S: i64 = 3_600;

/// The part of an address that permits.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Signature {
    /// Until when, in seconds since 1970.
    e: Option<i64>,
    /// The proof that we wrote `e`.
    s: Option<String>,
}

/// Where a file can be had, relative to the hub.
pub fn url(hub: &Hub, sha256: &Sha256) -> String {
    let until = until(hub.now());
    let proof = hex(&mac(&key(hub), sha256, until).finalize().into_bytes());
    format!("/media/{sha256}?e={until}&s={proof}")
}

impl Signature {
    /// Whether we signed this file's address and it is still good.
    pub(super) fn holds(&self, hub: &Hub, sha256: &Sha256) -> bool {
        self.is_ours(&key(hub), sha256, hub.now())
    }

    fn is_ours(&self, key: &[u8; 32], sha256: &Sha256, now: UnixMillis) -> bool {
        let (Some(until), Some(proof)) = (self.e, &self.s) else { return false };
        let proof = unhex(proof);
        let honest = proof.is_some_and(|proof| mac(key, sha256, until).verify_slice(&proof).is_ok());
        honest && now.0 < until.saturating_mul(1_000)
    }
}

fn key(hub: &Hub) -> [u8; 32] {
    hub.secret("media")
}

fn until(now: UnixMillis) -> i64 {
    ((now.0 / 1_000 + GOOD_FOR_S) / ROUNDED_TO_S + 1) * ROUNDED_TO_S
}

fn mac(key: &[u8; 32], sha256: &Sha256, until: i64) -> Hmac<Digest> {
    let mut mac = Hmac::<Digest>::new_from_slice(key).expect("a key of any length will do");
    mac.update(&sha256.0);
    mac.update(&until.to_be_bytes());
    mac
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| Some((nibble(pair[0])? << 4 | nibble(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const FILE: Sha256 = Sha256([1; 32]);
    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn signed(now: UnixMillis) -> Signature {
        let until = until(now);
        Signature { e: Some(until), s: Some(hex(&mac(&KEY, &FILE, until).finalize().into_bytes())) }
    }

    fn later(hours: i64) -> UnixMillis {
        UnixMillis(NOW.0 + hours * 3_600_000)
    }

    #[test]
    fn an_address_is_good_for_six_hours_and_no_longer_than_seven() {
        assert!(signed(NOW).is_ours(&KEY, &FILE, later(6)));
        assert!(!signed(NOW).is_ours(&KEY, &FILE, later(7)));
    }

    #[test]
    fn within_an_hour_everybody_gets_the_same_address() {
        assert_eq!(until(NOW), until(UnixMillis(NOW.0 + 1_000)));
    }

    #[test]
    fn another_file_another_key_or_another_time_is_refused() {
        let good = signed(NOW);
        assert!(!good.is_ours(&KEY, &Sha256([2; 32]), NOW));
        assert!(!good.is_ours(&[8; 32], &FILE, NOW));
        let prolonged = Signature { e: good.e.map(|until| until + 3_600), ..good };
        assert!(!prolonged.is_ours(&KEY, &FILE, NOW));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for s in ["", "zz", "abc", "00"] {
            assert!(!Signature { e: Some(i64::MAX), s: Some(s.to_owned()) }.is_ours(&KEY, &FILE, NOW));
        }
        assert!(!Signature::default().is_ours(&KEY, &FILE, NOW));
    }
}
