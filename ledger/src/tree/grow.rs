//! A tree that grows.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use custody_proof::tree::{Frontier, Hash, leaf_hash_32, root_nodes};

use super::prover::complete;
use super::tiles::{LEVELS, TILE_WIDTH, Tiles};
use super::{Leaves, TreeError};
use crate::id::Digest;

/// The tree of a shard, which grows with its log.
///
/// In memory are the right edge, and those hashes of tiles that are not
/// flushed yet: 32 bytes for 255 leaves. [`Tree::flush`] once a batch.
#[derive(Debug)]
pub struct Tree {
    tiles: Arc<Tiles>,
    frontier: Frontier,
    /// Of each level from 1 up, the hashes that are not written yet.
    unwritten: [Vec<Hash>; LEVELS],
}

impl Tree {
    /// An empty tree, in place of what is in its directory. `owner` is the id
    /// of its shard, or of the ledger.
    ///
    /// # Errors
    ///
    /// [`TreeError::Io`] where the directory cannot be emptied.
    pub fn create(dir: &Path, owner: [u8; 16]) -> Result<Self, TreeError> {
        for level in 1..LEVELS {
            let path = dir.join(level.to_string());
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(TreeError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(Self {
            tiles: Arc::new(Tiles::new(dir, owner)?),
            frontier: Frontier::new(),
            unwritten: Default::default(),
        })
    }

    /// Opens the tree at a size that it was flushed at, or an earlier one; what
    /// was written later is cut off, with what a crash may have torn. Compare
    /// its root with what was signed.
    ///
    /// It reads two tiles a level, one of them to check the last hash of the
    /// level above, and at most 511 leaves of the log.
    ///
    /// # Errors
    ///
    /// Where [`TreeError::needs_rebuild`]: [`Tree::create`], and push every
    /// leaf of the log. Else where files or the log cannot be read.
    pub fn open(
        dir: &Path,
        owner: [u8; 16],
        size: u64,
        leaves: &(impl Leaves + ?Sized),
    ) -> Result<Self, TreeError> {
        let tiles = Tiles::new(dir, owner)?;
        let nodes = root_nodes(size).map_err(|_| TreeError::Beyond { size: 0 })?;
        for level in 1..LEVELS {
            let expected = size >> (8 * level);
            if expected == 0 && !dir.join(level.to_string()).exists() {
                continue;
            }
            let array = tiles.level(level)?;
            let found = array.len()?;
            if found < expected {
                return Err(TreeError::Missing {
                    level: level as u32,
                    expected,
                    found,
                });
            }
            array.truncate(expected)?;
        }
        // Tiles are not synced with each flush: a crash may have left zeros
        // where the last of them were.
        for level in 1..LEVELS {
            check_last(&tiles, level, size, leaves)?;
        }
        let mut edge = Vec::with_capacity(nodes.len());
        let mut partial: Option<(usize, Vec<Hash>)> = None;
        for node in nodes {
            let (level, within) = (node.level as usize / 8, node.level % 8);
            if partial.as_ref().is_none_or(|(of, _)| *of != level) {
                let count = size >> (8 * level);
                let width = (count % TILE_WIDTH as u64) as usize;
                let hashes = tiles.hashes(level, count - width as u64, width, leaves)?;
                partial = Some((level, hashes));
            }
            let start = ((node.index << within) % TILE_WIDTH as u64) as usize;
            let hashes = partial
                .as_ref()
                .and_then(|(_, hashes)| hashes.get(start..start + (1 << within)));
            edge.push(complete(hashes.ok_or(TreeError::Beyond { size })?));
        }
        tiles.set_size(size);
        Ok(Self {
            tiles: Arc::new(tiles),
            frontier: Frontier::from_parts(size, edge).map_err(TreeError::SelfCheck)?,
            unwritten: Default::default(),
        })
    }

    /// Appends a leaf: h(size).
    #[inline]
    pub fn push(&mut self, leaf: &Digest) {
        let unwritten = &mut self.unwritten;
        self.frontier
            .push_with(leaf_hash_32(&leaf.0), |level, hash| {
                if level % 8 == 0 {
                    unwritten[level as usize / 8].push(*hash);
                }
            });
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Writes the tiles that are complete since the last time. Then proofs can
    /// be had for the tree as it is. Nothing is synced: what a crash loses is
    /// found on opening, and rebuilt.
    ///
    /// # Errors
    ///
    /// [`TreeError::Io`]. What was not written is written the next time.
    pub fn flush(&mut self) -> Result<(), TreeError> {
        let size = self.size();
        for (level, hashes) in self.unwritten.iter_mut().enumerate().skip(1) {
            if !hashes.is_empty() {
                let first = (size >> (8 * level)) - hashes.len() as u64;
                self.tiles.level(level)?.write(first, hashes)?;
                hashes.clear();
            }
        }
        self.tiles.set_size(size);
        Ok(())
    }

    /// Makes durable what was flushed, so that a crash costs no rebuild.
    ///
    /// # Errors
    ///
    /// [`TreeError::Io`].
    pub fn sync(&self) -> Result<(), TreeError> {
        self.tiles.sync()
    }

    /// The tiles, for those who want proofs.
    pub fn tiles(&self) -> Arc<Tiles> {
        Arc::clone(&self.tiles)
    }
}

/// Checks the last hash of a level against the tile below it.
fn check_last(
    tiles: &Tiles,
    level: usize,
    size: u64,
    leaves: &(impl Leaves + ?Sized),
) -> Result<(), TreeError> {
    let Some(index) = (size >> (8 * level)).checked_sub(1) else {
        return Ok(());
    };
    let hash = tiles.hashes(level, index, 1, leaves)?;
    let below = tiles.hashes(level - 1, index * TILE_WIDTH as u64, TILE_WIDTH, leaves)?;
    if hash != [complete(&below)] {
        return Err(TreeError::Damaged {
            level: level as u32,
            index,
        });
    }
    Ok(())
}
