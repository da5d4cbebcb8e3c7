//! The stored hashes of a tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use custody_proof::tree::{Hash, leaf_hash_32};

use super::array::HashArray;
use super::{Leaves, Prover, TreeError};
use crate::durable;

/// How many hashes a tile has, and how many times as many leaves a hash of the
/// next level stands for: 2^8, as in C2SP tlog-tiles.
pub const TILE_WIDTH: usize = 256;

/// The levels of a tree of 2^63 leaves: 0 to 7.
pub(super) const LEVELS: usize = 8;

/// The tiles of one tree, from level 1 up: hash j of level L is that of the
/// complete subtree of the leaves `j · 256^L` to `(j + 1) · 256^L - 1`.
///
/// Level 0 is not stored: it is hashed from the log. Any number of threads may
/// read while one [`Tree`](super::Tree) writes, without a lock, because what
/// is written does not change.
#[derive(Debug)]
pub struct Tiles {
    dir: PathBuf,
    owner: [u8; 16],
    levels: [OnceLock<HashArray>; LEVELS],
    /// Of how many leaves every complete tile is written.
    size: AtomicU64,
}

impl Tiles {
    pub(super) fn new(dir: &Path, owner: [u8; 16]) -> Result<Self, TreeError> {
        fs::create_dir_all(dir).map_err(TreeError::io("create", dir))?;
        Ok(Self {
            dir: dir.to_owned(),
            owner,
            levels: Default::default(),
            size: AtomicU64::new(0),
        })
    }

    /// Of how many leaves there are tiles: proofs can be asked for trees up to
    /// this size.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Tells readers of what has been written.
    pub(super) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// The array of a level, made where it is not there.
    pub(super) fn level(&self, level: usize) -> Result<&HashArray, TreeError> {
        if let Some(array) = self.levels[level].get() {
            return Ok(array);
        }
        let array = HashArray::open(&self.dir, level as u32, self.owner)?;
        Ok(self.levels[level].get_or_init(|| array))
    }

    /// The arrays that are in use.
    pub(super) fn arrays(&self) -> impl Iterator<Item = &HashArray> {
        self.levels.iter().filter_map(OnceLock::get)
    }

    pub(super) fn sync(&self) -> Result<(), TreeError> {
        self.arrays().try_for_each(HashArray::sync)?;
        durable::sync_dir(&self.dir).map_err(TreeError::io("sync", &self.dir))
    }

    /// A tile, as C2SP tlog-tiles has it: `width` hashes of a level, from
    /// number `256 · index` on. At level 0 they are hashed from the log.
    ///
    /// # Errors
    ///
    /// [`TreeError::Beyond`] where the tree does not have these hashes yet, or
    /// the width is 0 or over 256; else where the tiles or the log cannot be
    /// read.
    pub fn tile(
        &self,
        level: u32,
        index: u64,
        width: usize,
        leaves: &(impl Leaves + ?Sized),
    ) -> Result<Vec<Hash>, TreeError> {
        let size = self.size();
        let there = match level {
            0..8 => size >> (8 * level),
            _ => 0,
        };
        let first = index.checked_mul(TILE_WIDTH as u64);
        let end = first.and_then(|first| first.checked_add(width as u64));
        match (first, end) {
            (Some(first), Some(end)) if end <= there && (1..=TILE_WIDTH).contains(&width) => {
                self.hashes(level as usize, first, width, leaves)
            }
            _ => Err(TreeError::Beyond { size }),
        }
    }

    /// Hashes of a level that are known to be there.
    pub(super) fn hashes(
        &self,
        level: usize,
        first: u64,
        count: usize,
        leaves: &(impl Leaves + ?Sized),
    ) -> Result<Vec<Hash>, TreeError> {
        if level > 0 {
            return self.level(level)?.read(first, count);
        }
        let found = leaves.leaves(first, count)?;
        if found.len() != count {
            return Err(TreeError::Leaves {
                first,
                expected: count,
                found: found.len(),
            });
        }
        Ok(found.iter().map(|leaf| leaf_hash_32(&leaf.0)).collect())
    }

    /// Proofs in the tree of the first `size` leaves.
    ///
    /// # Errors
    ///
    /// [`TreeError::Beyond`] where the tree is smaller so far; else where the
    /// tiles or the log cannot be read.
    pub fn prover<'a, L: Leaves + ?Sized>(
        &'a self,
        size: u64,
        leaves: &'a L,
    ) -> Result<Prover<'a, L>, TreeError> {
        Prover::new(self, size, leaves)
    }
}
