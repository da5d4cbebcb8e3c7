//! Proofs from tiles.

use std::collections::HashMap;

use custody_proof::tree::{
    Hash, Node, consistency_nodes, empty_root, fold, inclusion_nodes, node_hash, root_nodes,
    verify_consistency, verify_inclusion,
};

use super::tiles::TILE_WIDTH;
use super::{Leaves, Tiles, TreeError};

/// How many tiles are kept at most: 4 MiB.
const KEPT_TILES: usize = 512;

/// Proofs in the tree of a shard's first so many leaves.
///
/// It keeps the tiles that it has read, so that many proofs in one tree cost
/// little more than one. Every proof is verified before it is given out: a
/// damaged tile is an error and not a proof that others cannot check.
pub struct Prover<'a, L: Leaves + ?Sized> {
    tiles: &'a Tiles,
    leaves: &'a L,
    size: u64,
    root: Hash,
    kept: HashMap<(usize, u64), Vec<Hash>>,
}

impl<'a, L: Leaves + ?Sized> Prover<'a, L> {
    pub(super) fn new(tiles: &'a Tiles, size: u64, leaves: &'a L) -> Result<Self, TreeError> {
        let mut prover = Self {
            tiles,
            leaves,
            size,
            root: empty_root(),
            kept: HashMap::new(),
        };
        prover.root = prover.root_at(size)?;
        Ok(prover)
    }

    /// The root of the tree.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The root of an older tree, or of this.
    ///
    /// # Errors
    ///
    /// [`TreeError::Beyond`] where the size is over that of the tree; else
    /// where the tiles or the log cannot be read.
    pub fn root_at(&mut self, size: u64) -> Result<Hash, TreeError> {
        if size > self.size {
            return Err(self.beyond());
        }
        if size > self.tiles.size() {
            return Err(TreeError::Beyond {
                size: self.tiles.size(),
            });
        }
        let nodes = root_nodes(size).map_err(|_| self.beyond())?;
        let hashes = self.nodes(&nodes)?;
        Ok(fold(&hashes).unwrap_or_else(empty_root))
    }

    /// The path of a leaf, which [`verify_inclusion`] takes, and its leaf hash.
    ///
    /// # Errors
    ///
    /// [`TreeError::Beyond`] where the index is not below the size,
    /// [`TreeError::SelfCheck`] where what the tiles gave does not verify; else
    /// where the tiles or the log cannot be read.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, TreeError> {
        let plan = inclusion_nodes(index, self.size).map_err(|_| self.beyond())?;
        let leaf = self.node(Node { level: 0, index })?;
        let path = self.proof(&plan)?;
        verify_inclusion(&leaf, index, self.size, &path, &self.root)
            .map_err(TreeError::SelfCheck)?;
        Ok(path)
    }

    /// The proof that the tree goes on from that of the first `old_size`
    /// leaves, which [`verify_consistency`] takes.
    ///
    /// # Errors
    ///
    /// As those of [`Prover::inclusion`].
    pub fn consistency(&mut self, old_size: u64) -> Result<Vec<Hash>, TreeError> {
        let plan = consistency_nodes(old_size, self.size).map_err(|_| self.beyond())?;
        let old_root = self.root_at(old_size)?;
        let proof = self.proof(&plan)?;
        verify_consistency(old_size, &old_root, self.size, &self.root, &proof)
            .map_err(TreeError::SelfCheck)?;
        Ok(proof)
    }

    fn beyond(&self) -> TreeError {
        TreeError::Beyond { size: self.size }
    }

    fn proof(&mut self, plan: &[Vec<Node>]) -> Result<Vec<Hash>, TreeError> {
        plan.iter()
            .map(|nodes| {
                let hashes = self.nodes(nodes)?;
                Ok(fold(&hashes).unwrap_or_else(empty_root))
            })
            .collect()
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<Vec<Hash>, TreeError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }

    /// The hash of a complete subtree: from the hashes that it has in one tile.
    fn node(&mut self, node: Node) -> Result<Hash, TreeError> {
        let (level, within) = (node.level as usize / 8, node.level % 8);
        let first = node.index << within;
        let tile = self.tile(level, first / TILE_WIDTH as u64)?;
        let start = (first % TILE_WIDTH as u64) as usize;
        let Some(hashes) = tile.get(start..start + (1 << within)) else {
            return Err(self.beyond());
        };
        Ok(complete(hashes))
    }

    /// A tile as far as this tree has it.
    fn tile(&mut self, level: usize, index: u64) -> Result<&[Hash], TreeError> {
        if self.kept.len() >= KEPT_TILES && !self.kept.contains_key(&(level, index)) {
            self.kept.clear();
        }
        let first = index * TILE_WIDTH as u64;
        let there = (self.size >> (8 * level)).saturating_sub(first);
        let width = there.min(TILE_WIDTH as u64) as usize;
        let (tiles, leaves) = (self.tiles, self.leaves);
        Ok(match self.kept.entry((level, index)) {
            std::collections::hash_map::Entry::Occupied(kept) => kept.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(tiles.hashes(level, first, width, leaves)?)
            }
        })
    }
}

/// The root of a complete subtree: of 2^n hashes.
pub(super) fn complete(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [hash] => *hash,
        hashes => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&complete(left), &complete(right))
        }
    }
}
