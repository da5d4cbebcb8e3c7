//! RFC 6962 Merkle trees with SHA-256.
//!
//! The tree of a shard has one leaf an entry, the 32 bytes of h(i); the tree of
//! a ledger has one a manifest. Sizes go up to 2^63.
//!
//! ```
//! use custody_proof::tree::{Frontier, leaf_hash_32, node_hash, verify_inclusion};
//!
//! # fn main() -> Result<(), custody_proof::ProofError> {
//! let leaves = [[1; 32], [2; 32]].map(|leaf| leaf_hash_32(&leaf));
//! let mut tree = Frontier::new();
//! leaves.iter().for_each(|leaf| tree.push(*leaf));
//! assert_eq!(tree.root(), node_hash(&leaves[0], &leaves[1]));
//!
//! // Leaf 1 is in the tree of two: its path is the leaf beside it.
//! verify_inclusion(&leaves[1], 1, 2, &leaves[..1], &tree.root())?;
//! # Ok(())
//! # }
//! ```

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::sha256;

mod frontier;
mod plan;
mod verify;

#[cfg(test)]
mod tests;

pub use frontier::Frontier;
pub use plan::{Node, consistency_nodes, fold, inclusion_nodes, root_nodes};
pub use verify::{verify_consistency, verify_inclusion};

/// The largest tree: 2^63 leaves.
pub const MAX_SIZE: u64 = 1 << 63;

/// A SHA-256 hash of a tree or of a map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The hash of a leaf: `SHA-256(0x00 ‖ leaf)` (RFC 6962, section 2.1).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(leaf);
    Hash(hasher.finalize().into())
}

/// [`leaf_hash`] of a leaf of 32 bytes, which all leaves of Custody are: one
/// run of the compression function.
pub fn leaf_hash_32(leaf: &[u8; 32]) -> Hash {
    sha256::of_parts::<33, 1>(0, &[leaf])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962,
/// section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256::of_parts::<65, 2>(1, &[&left.0, &right.0])
}

/// The hash of the empty tree: SHA-256 of nothing (RFC 6962, section 2.1).
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}
