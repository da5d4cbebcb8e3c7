//! Which hashes a proof is made of.
//!
//! Every element of a proof is the root of a range of leaves that begins at a
//! multiple of a power of two not below its length. Such a range is a few
//! complete subtrees beside each other, so a store that keeps the roots of
//! complete subtrees answers with O(log n) reads.

use std::ops::Range;

use super::{Hash, MAX_SIZE, node_hash};
use crate::error::ProofError;

/// A complete subtree: the leaves `index · 2^level` to
/// `(index + 1) · 2^level - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// The height: 0 is a leaf. At most 63.
    pub level: u32,
    /// Its number on that level, from the left.
    pub index: u64,
}

impl Node {
    /// Its leaves.
    pub const fn leaves(&self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }
}

/// The complete subtrees that a tree is made of, from left to right. Their
/// hashes, [folded](fold), are its root.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] where the size is over [`MAX_SIZE`].
pub fn root_nodes(size: u64) -> Result<Vec<Node>, ProofError> {
    if size > MAX_SIZE {
        return Err(ProofError::OutOfRange);
    }
    Ok(cover(0..size))
}

/// What an inclusion proof is made of (RFC 6962, section 2.1.1), in the order
/// of the path: each element is the [folded](fold) hashes of these subtrees.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] where the index is not below the size, or the
/// size is over [`MAX_SIZE`].
pub fn inclusion_nodes(index: u64, size: u64) -> Result<Vec<Vec<Node>>, ProofError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::OutOfRange);
    }
    let mut path = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let middle = split(&range);
        if index < middle {
            path.push(cover(middle..range.end));
            range.end = middle;
        } else {
            path.push(cover(range.start..middle));
            range.start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// What a consistency proof from the tree of `old_size` leaves to that of
/// `size` is made of (RFC 6962, section 2.1.2), in the order of the proof:
/// each element is the [folded](fold) hashes of these subtrees. Empty where
/// nothing is to be proved: from the empty tree, and from a tree to itself.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] where the old size is over the size, or the size
/// over [`MAX_SIZE`].
pub fn consistency_nodes(old_size: u64, size: u64) -> Result<Vec<Vec<Node>>, ProofError> {
    if old_size > size || size > MAX_SIZE {
        return Err(ProofError::OutOfRange);
    }
    let mut proof = Vec::new();
    if old_size == 0 || old_size == size {
        return Ok(proof);
    }
    let mut range = 0..size;
    // Down the right edge of the old tree, until a subtree ends where it does.
    while range.end != old_size {
        let middle = split(&range);
        if old_size <= middle {
            proof.push(cover(middle..range.end));
            range.end = middle;
        } else {
            proof.push(cover(range.start..middle));
            range.start = middle;
        }
    }
    // When that is the whole old tree, its root is known already.
    if range.start != 0 {
        proof.push(cover(range));
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the range of leaves that complete subtrees make up beside each
/// other, from their hashes, from left to right. `None` where there are none.
pub fn fold(subtrees: &[Hash]) -> Option<Hash> {
    let (last, rest) = subtrees.split_last()?;
    Some(
        rest.iter()
            .rev()
            .fold(*last, |right, left| node_hash(left, &right)),
    )
}

/// Where RFC 6962 splits a tree: after the largest power of two that is
/// smaller than its size, which must be 2 at least.
fn split(range: &Range<u64>) -> u64 {
    range.start + (1 << (range.end - range.start - 1).ilog2())
}

/// The complete subtrees of a range whose start is aligned to its length.
fn cover(range: Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        nodes.push(Node {
            level,
            index: start >> level,
        });
        start += 1 << level;
    }
    nodes
}
