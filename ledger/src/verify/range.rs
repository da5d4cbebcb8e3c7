//! A part of a Merkle tree: what the leaves from one sequence to another
//! contribute to its root.
//!
//! Parts of one log can be hashed at the same time and joined afterwards.

use custody_proof::tree::{self, Hash};

use crate::verify::tiles::Tile;

/// How many levels of the tree one level of tiles stands for.
const TILE_LEVELS: u32 = 8;

/// The complete subtrees, as large as they can be, that cover the leaves from
/// `start` to `end` (exclusive).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CompactRange {
    start: u64,
    end: u64,
    /// From left to right.
    subtrees: Vec<Hash>,
    /// The subtrees that tiles are made of, as they were completed.
    tiles: Vec<Tile>,
}

impl CompactRange {
    pub(super) const fn starting_at(start: u64) -> Self {
        Self {
            start,
            end: start,
            subtrees: Vec::new(),
            tiles: Vec::new(),
        }
    }

    /// The subtrees of 256, 65,536, … leaves that were completed since.
    pub(super) fn take_tiles(&mut self) -> Vec<Tile> {
        std::mem::take(&mut self.tiles)
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Appends the next leaf by its hash.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.append(0, leaf);
    }

    /// Appends the range that begins where this one ends. `false` where it
    /// begins elsewhere; nothing is appended then.
    #[must_use]
    pub(super) fn join(&mut self, right: &Self) -> bool {
        if right.start != self.end {
            return false;
        }
        for &subtree in &right.subtrees {
            let left = right.end - self.end;
            // As large as its place and its range allow.
            let level = self.end.trailing_zeros().min(left.max(1).ilog2());
            self.append(level, subtree);
        }
        self.tiles.extend_from_slice(&right.tiles);
        true
    }

    /// Appends a subtree of 2^level leaves, and puts together what it
    /// completes.
    fn append(&mut self, mut level: u32, mut hash: Hash) {
        let start = self.end;
        self.end += 1 << level;
        // While it is the right half of a subtree of which the left half lies
        // in this range too.
        while level < u64::BITS - 1
            && (start >> level) & 1 == 1
            && ((start >> level) - 1) << level >= self.start
        {
            let Some(left) = self.subtrees.pop() else {
                break;
            };
            hash = tree::node_hash(&left, &hash);
            level += 1;
            if level.is_multiple_of(TILE_LEVELS) {
                self.tiles.push(Tile {
                    level: level / TILE_LEVELS,
                    index: start >> level,
                    hash,
                });
            }
        }
        self.subtrees.push(hash);
    }

    /// The root of the tree; of a range from the first leaf on.
    pub(super) fn root(&self) -> Option<Hash> {
        (self.start == 0).then(|| tree::fold(&self.subtrees).unwrap_or_else(tree::empty_root))
    }
}

#[cfg(test)]
mod tests {
    use custody_proof::tree::{Frontier, leaf_hash_32};
    use proptest::prelude::*;

    use super::*;

    fn leaf(index: u64) -> Hash {
        let mut leaf = [0; 32];
        leaf[..8].copy_from_slice(&index.to_le_bytes());
        leaf_hash_32(&leaf)
    }

    fn range(from: u64, to: u64) -> CompactRange {
        let mut range = CompactRange::starting_at(from);
        (from..to).for_each(|index| range.push(leaf(index)));
        range
    }

    proptest! {
        #[test]
        fn parts_make_the_root_of_the_whole(mut cuts in proptest::collection::vec(0u64..700, 0..6), size in 0u64..700) {
            cuts.retain(|cut| *cut <= size);
            cuts.extend([0, size]);
            cuts.sort_unstable();
            let mut whole = CompactRange::starting_at(0);
            for pair in cuts.windows(2) {
                prop_assert!(whole.join(&range(pair[0], pair[1])));
            }
            let mut frontier = Frontier::new();
            (0..size).for_each(|index| frontier.push(leaf(index)));
            prop_assert_eq!(whole.take_tiles().len() as u64, size / 256);
            prop_assert_eq!(whole.root(), Some(frontier.root()));
            prop_assert_eq!(whole.end(), size);
        }

        #[test]
        fn joining_is_appending(a in 0u64..300, b in 0u64..300, c in 0u64..300) {
            let mut cuts = [a, b, c];
            cuts.sort_unstable();
            let mut left = range(cuts[0], cuts[1]);
            prop_assert!(left.join(&range(cuts[1], cuts[2])));
            let mut whole = range(cuts[0], cuts[2]);
            let by_place = |tile: &Tile| (tile.level, tile.index);
            left.tiles.sort_by_key(by_place);
            whole.tiles.sort_by_key(by_place);
            prop_assert_eq!(left, whole);
        }
    }

    #[test]
    fn only_neighbours_join() {
        let mut left = range(0, 5);
        assert!(!left.join(&range(6, 7)));
        assert_eq!(left, range(0, 5));
        assert_eq!(range(1, 3).root(), None);
    }
}
