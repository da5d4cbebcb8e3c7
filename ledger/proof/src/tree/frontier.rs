//! The right edge of a tree, with which it grows.

use super::{Hash, MAX_SIZE, empty_root, fold, node_hash};
use crate::error::ProofError;

/// A tree that only grows: of its hashes it keeps the roots of the complete
/// subtrees that its size is the sum of, one for each bit that is set in it.
///
/// A push costs about one [`node_hash`], the root at most 62.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// From left to right, so from the largest subtree to the smallest.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            subtrees: Vec::new(),
        }
    }

    /// A stored tree: its size, and the roots of the complete subtrees on its
    /// right edge, the largest first.
    ///
    /// # Errors
    ///
    /// [`ProofError::OutOfRange`] where the size is over [`MAX_SIZE`],
    /// [`ProofError::Length`] where there is not one root for each bit that is
    /// set in the size.
    pub fn from_parts(size: u64, subtrees: Vec<Hash>) -> Result<Self, ProofError> {
        if size > MAX_SIZE {
            return Err(ProofError::OutOfRange);
        }
        let expected = size.count_ones() as usize;
        if subtrees.len() != expected {
            return Err(ProofError::Length {
                expected,
                found: subtrees.len(),
            });
        }
        Ok(Self { size, subtrees })
    }

    /// What [`Frontier::from_parts`] takes.
    pub fn parts(&self) -> (u64, &[Hash]) {
        (self.size, &self.subtrees)
    }

    /// Appends a leaf by its [`leaf_hash`](super::leaf_hash).
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// [`Frontier::push`], and tells of each complete subtree that the leaf
    /// completes its level, from 1 up, and its hash. Its index is one less
    /// than the new size divided by 2^level.
    #[inline]
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u32, &Hash)) {
        let mut hash = leaf;
        // Every bit that overflows when the size is counted up is a subtree
        // that gets its right half.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else {
                break;
            };
            hash = node_hash(&left, &hash);
            completed(level, &hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root: [`empty_root`] where there is no leaf.
    pub fn root(&self) -> Hash {
        fold(&self.subtrees).unwrap_or_else(empty_root)
    }
}
