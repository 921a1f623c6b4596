//! What a scope's rows add up to: 256 sums, each of the rows that fall into one bucket.
//!
//! A row counts as the first 16 bytes of sha256(kind, 0, pk, version), and a bucket is the exclusive or of its rows: whoever
//! has the same rows in the same versions has the same sums, in whatever order they came. The version is the number of the
//! row's newest change and not its content, so a hub that knows fewer columns still agrees. Postgres computes the same
//! (`private.row_digest`), which is why it is sha256 here and blake3 elsewhere.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::wire::BUCKETS;

/// The sum of one bucket.
pub type Sum = [u8; 16];

/// In which bucket a row lies: by its key alone, so that it never moves. The first byte of sha256(pk).
pub fn bucket_of(pk: Uuid) -> u8 {
    Sha256::digest(pk.as_bytes())[0]
}

/// What a row adds.
pub fn of_row(kind: &str, pk: Uuid, seq: i64) -> Sum {
    let mut hasher = Sha256::new();
    hasher.update(kind.as_bytes());
    hasher.update([0]);
    hasher.update(pk.as_bytes());
    hasher.update(seq.to_be_bytes());
    let mut sum = [0; 16];
    sum.copy_from_slice(&hasher.finalize()[..16]);
    sum
}

/// The sums of some rows.
pub fn of_rows<'a>(rows: impl IntoIterator<Item = (&'a str, Uuid, i64)>) -> Vec<Sum> {
    let mut sums = vec![[0; 16]; BUCKETS];
    for (kind, pk, seq) in rows {
        toggle(&mut sums[usize::from(bucket_of(pk))], &of_row(kind, pk, seq));
    }
    sums
}

/// Adds a row to a sum, or takes it out again.
pub fn toggle(sum: &mut Sum, row: &Sum) {
    for (byte, other) in sum.iter_mut().zip(row) {
        *byte ^= other;
    }
}

/// The buckets in which two differ.
pub fn differing(ours: &[Sum], theirs: &[Sum]) -> Vec<u8> {
    let differs = |index: &u8| ours.get(usize::from(*index)) != theirs.get(usize::from(*index));
    (0..=u8::MAX).filter(differs).collect()
}
