//! Secrets that the hub gives out, and what it keeps of them: hashes only, so that a stolen disk opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::UnixMillis;
use roomtone_schema::id::Id;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

/// What the store keeps of a secret.
pub(crate) type Hash = [u8; 32];

/// 256 random bits, shown once, and their hash, kept.
pub(crate) fn new_token() -> (String, Hash) {
    let token = URL_SAFE_NO_PAD.encode(random::<32>());
    let hash = hash(&token);
    (token, hash)
}

/// The hash that a shown secret is known by.
pub(crate) fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// A token that opens something, and what ends with it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) hash: Hash,
    /// Cancelled when the token opens nothing any more: connections that stay open wait for it.
    pub(crate) void: CancellationToken,
}

impl Key {
    pub(crate) fn new(hash: Hash) -> Self {
        Self { hash, void: CancellationToken::new() }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.void.cancel();
    }
}

/// A new id, made here and now.
pub(crate) fn new_id<I: Id>(now: UnixMillis) -> I {
    I::mint(now, random())
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system always has random bytes once it has started");
    bytes
}
