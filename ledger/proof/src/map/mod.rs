//! The map of a shard: of each person, how many entries the shard has, and
//! what they are.
//!
//! A compact sparse Merkle tree over the 128 bits of a person's reference, the
//! most significant bit first. An empty subtree is 32 zero bytes, a subtree of
//! one record is that record's leaf hash, any other the hash of its two
//! halves. So a set of records has one root, whatever the order in which they
//! came, and a path is about as long as the binary logarithm of their number.
//!
//! A shard has two: `base`, of all persons up to some size, and `recent`, of
//! those that changed since; a record of `recent` overrides that of `base`.
//! [`ShardMapProof`] proves against both what the shard has of a person, or
//! that it has nothing.
//!
//! ```
//! use custody_proof::map::{self, MapProof, Record};
//! use custody_proof::{id::{Digest, SubjectReference}};
//!
//! # fn main() -> Result<(), custody_proof::ProofError> {
//! // A person with one entry, number 7 of the shard.
//! let person = SubjectReference([1; 16]);
//! let record = Record {
//!     reference: person,
//!     count: 1,
//!     digest: map::extend(&map::NO_ENTRIES, 7, &Digest([9; 32])),
//! };
//! let root = map::root_of_sorted(&[record]);
//!
//! let proof = MapProof::of_sorted(&[record], &person);
//! assert_eq!(proof.verify(&root, &person)?, Some(record));
//!
//! let other = SubjectReference([2; 16]);
//! let absence = MapProof::of_sorted(&[record], &other);
//! assert_eq!(absence.verify(&root, &other)?, None);
//! # Ok(())
//! # }
//! ```

use crate::error::DecodeError;
use crate::id::{Digest, SubjectReference};
use crate::sha256;
use crate::tree::Hash;

mod encoding;
mod proof;
mod shard_proof;

#[cfg(test)]
mod tests;

pub use proof::{MapProof, Terminal, descend_sorted};
pub use shard_proof::ShardMapProof;

/// The hash of an empty map, and of an empty subtree.
pub const EMPTY: Hash = Hash([0; 32]);

/// The digest of a person without entries, which [`extend`] starts from.
pub const NO_ENTRIES: Digest = Digest([0; 32]);

/// How many bits a path has at most: those of a reference.
pub const MAX_DEPTH: usize = 128;

/// The length of a stored [`Record`].
pub const RECORD_BYTES: usize = 56;

// Reference 16, count 8, digest 32.
const _: () = assert!(RECORD_BYTES == 16 + 8 + 32);

/// What a shard has of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Who.
    pub reference: SubjectReference,
    /// How many entries.
    pub count: u64,
    /// The digest over them, as [`extend`] makes it.
    pub digest: Digest,
}

impl Record {
    /// The stored bytes: reference, count (little-endian), digest.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..16].copy_from_slice(self.reference.as_bytes());
        bytes[16..24].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..].copy_from_slice(self.digest.as_bytes());
        bytes
    }

    /// A record from its stored bytes.
    pub fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let mut record = Self {
            reference: SubjectReference([0; 16]),
            count: 0,
            digest: NO_ENTRIES,
        };
        let mut count = [0; 8];
        record.reference.0.copy_from_slice(&bytes[..16]);
        count.copy_from_slice(&bytes[16..24]);
        record.count = u64::from_le_bytes(count);
        record.digest.0.copy_from_slice(&bytes[24..]);
        record
    }
}

/// A person's digest after one more entry: `BLAKE3("custody subject v1" ‖ acc ‖
/// sequence u64 LE ‖ h(sequence))`. Entries come in the order of their
/// sequence; the first extends [`NO_ENTRIES`].
pub fn extend(acc: &Digest, sequence: u64, entry: &Digest) -> Digest {
    const DOMAIN: &[u8; 18] = b"custody subject v1";
    // In one piece, which spares the buffering of a general hasher.
    let mut message = [0; 18 + 32 + 8 + 32];
    message[..18].copy_from_slice(DOMAIN);
    message[18..50].copy_from_slice(acc.as_bytes());
    message[50..58].copy_from_slice(&sequence.to_le_bytes());
    message[58..].copy_from_slice(entry.as_bytes());
    Digest(*blake3::hash(&message).as_bytes())
}

/// The hash of a subtree of one record: `SHA-256(0x00 ‖ reference ‖ count u64
/// LE ‖ digest)`.
pub fn leaf_hash(record: &Record) -> Hash {
    sha256::of_parts::<57, 2>(0, &[&record.to_bytes()])
}

/// The hash of a subtree of two records or more: `SHA-256(0x01 ‖ left ‖
/// right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    crate::tree::node_hash(left, right)
}

/// The bit of a reference that says which way its path goes at a depth below
/// 128: `true` is right.
pub const fn bit(reference: &SubjectReference, depth: usize) -> bool {
    reference.0[depth / 8] & (0x80 >> (depth % 8)) != 0
}

/// How many bits two references have in common at their start: up to 128.
pub fn common_bits(a: &SubjectReference, b: &SubjectReference) -> usize {
    (u128::from_be_bytes(a.0) ^ u128::from_be_bytes(b.0)).leading_zeros() as usize
}

/// The root of a map of these records, in strictly ascending order of their
/// references. In another order the hash is that of no map.
pub fn root_of_sorted(records: &[Record]) -> Hash {
    subtree_of_sorted(records, 0)
}

/// The hash of a subtree at a depth, of all its records in strictly ascending
/// order. They have their first `depth` bits in common.
pub fn subtree_of_sorted(records: &[Record], depth: usize) -> Hash {
    match records {
        [] => EMPTY,
        [record] => leaf_hash(record),
        // Two records with one reference: no map, but an end.
        [first, ..] if depth >= MAX_DEPTH => leaf_hash(first),
        records => {
            let (left, right) = halves(records, depth);
            node_hash(
                &subtree_of_sorted(left, depth + 1),
                &subtree_of_sorted(right, depth + 1),
            )
        }
    }
}

/// Those whose path goes left at a depth, and those whose goes right.
fn halves(records: &[Record], depth: usize) -> (&[Record], &[Record]) {
    records.split_at(records.partition_point(|record| !bit(&record.reference, depth)))
}

fn malformed(what: &str) -> DecodeError {
    DecodeError::Malformed(what.to_owned())
}
