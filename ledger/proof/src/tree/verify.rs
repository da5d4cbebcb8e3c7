//! Checking proofs that come from elsewhere.
//!
//! Iterative, after RFC 9162, sections 2.1.3.2 and 2.1.4.2. Nothing in a proof
//! drives allocation or arithmetic: its length is settled by index and sizes,
//! and checked first.

use super::{Hash, MAX_SIZE, empty_root, node_hash};
use crate::error::ProofError;

/// Checks that a leaf is at an index of the tree with a root.
///
/// A path binds the index to the root. It does not bind the size: trees of
/// several sizes give a leaf a path of the same shape. The size is bound to
/// the root by the checkpoint that has both.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] where the index is not below the size, or the
/// size over [`MAX_SIZE`]; [`ProofError::Length`] where the path is not of the
/// length that index and size give; [`ProofError::Root`] where it leads to
/// another root.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::OutOfRange);
    }
    // Up to where the way up meets the right edge there is a sibling on every
    // level; from there on only where the way comes from the right.
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    check_length(path, inner + border)?;

    let (mut number, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in path {
        if number & 1 == 1 || number == last {
            hash = node_hash(sibling, &hash);
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `size` leaves begins with the tree of `old_size`.
///
/// With an empty old tree, and from a tree to itself, the proof is empty, and
/// the roots must be those of the empty tree, or equal.
///
/// # Errors
///
/// [`ProofError::OutOfRange`] where the old size is over the size, or the size
/// over [`MAX_SIZE`]; [`ProofError::Length`] where the proof is not of the
/// length that the sizes give; [`ProofError::OldRoot`] and
/// [`ProofError::Root`] where it leads to another root.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > size || size > MAX_SIZE {
        return Err(ProofError::OutOfRange);
    }
    if old_size == 0 {
        check_length(proof, 0)?;
        if *old_root != empty_root() {
            return Err(ProofError::OldRoot);
        }
        if size == 0 && root != old_root {
            return Err(ProofError::Root);
        }
        return Ok(());
    }
    if old_size == size {
        check_length(proof, 0)?;
        return if root == old_root {
            Ok(())
        } else {
            Err(ProofError::Root)
        };
    }

    // The proof begins at the largest complete subtree that the old tree ends
    // with. That its hash is in the proof, unless it is the whole old tree.
    let shift = old_size.trailing_zeros();
    let (mut number, mut last) = ((old_size - 1) >> shift, (size - 1) >> shift);
    let inner = u64::BITS - (number ^ last).leading_zeros();
    let border = number.checked_shr(inner).unwrap_or(0).count_ones();
    let whole = old_size.is_power_of_two();
    check_length(proof, inner + border + u32::from(!whole))?;

    let (first, rest) = match proof {
        rest if whole => (old_root, rest),
        [first, rest @ ..] => (first, rest),
        [] => return Err(ProofError::OldRoot),
    };
    let (mut old_hash, mut hash) = (*first, *first);
    for sibling in rest {
        if number & 1 == 1 || number == last {
            old_hash = node_hash(sibling, &old_hash);
            hash = node_hash(sibling, &hash);
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    if old_hash != *old_root {
        return Err(ProofError::OldRoot);
    }
    if hash != *root {
        return Err(ProofError::Root);
    }
    Ok(())
}

fn check_length(proof: &[Hash], expected: u32) -> Result<(), ProofError> {
    let expected = expected as usize;
    if proof.len() == expected {
        Ok(())
    } else {
        Err(ProofError::Length {
            expected,
            found: proof.len(),
        })
    }
}
