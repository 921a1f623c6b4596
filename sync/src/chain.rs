//! The chain of a hub's facts: each link is a digest of all facts so far. Two who have the same link at a number have the
//! same facts up to it.

use crate::wire::{Fact, Hash};

/// The link before the first fact.
pub const BEGINNING: Hash = [0; 32];

/// The next link: blake3 of the one before and the payload.
pub fn link(before: &Hash, payload: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(payload);
    *hasher.finalize().as_bytes()
}

/// What a fact is compared by: the digest of its payload alone.
pub fn payload_hash(payload: &[u8]) -> Hash {
    *blake3::hash(payload).as_bytes()
}

/// The link behind some facts that follow `before`.
pub fn link_behind(before: &Hash, facts: &[Fact]) -> Hash {
    facts.iter().fold(*before, |before, fact| link(&before, &fact.payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_depends_on_all_that_came_before_and_on_the_order() {
        let one = link(&link(&BEGINNING, b"a"), b"b");
        let other = link(&link(&BEGINNING, b"b"), b"a");
        assert_ne!(one, other);
        assert_eq!(one, link(&link(&BEGINNING, b"a"), b"b"));
        assert_eq!(payload_hash(b"a"), *blake3::hash(b"a").as_bytes());
    }
}
