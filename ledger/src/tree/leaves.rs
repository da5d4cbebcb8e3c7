//! Where the leaves of a tree come from.

use std::path::Path;

use custody_proof::tree::Hash;

use super::TreeError;
use super::array::HashArray;
use crate::durable;
use crate::id::Digest;

/// A log that gives the leaves of its tree: h(i), the 32 bytes of entry i.
pub trait Leaves {
    /// Leaves `first` to `first + count - 1`, which the log has.
    ///
    /// # Errors
    ///
    /// [`TreeError::Log`] where they cannot be read.
    fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, TreeError>;
}

/// Leaves that no log has: those of the ledger's own tree, each of which
/// stands for a manifest. They are stored as level 0 of their tree.
///
/// Unlike tiles they are not derived from anything: sync them before what
/// rests on them is signed.
#[derive(Debug)]
pub struct StoredLeaves {
    dir: std::path::PathBuf,
    array: HashArray,
}

impl StoredLeaves {
    /// Where the leaves lie in the directory of their tree.
    pub fn path(dir: &Path) -> std::path::PathBuf {
        dir.join("0")
    }

    /// Opens the leaves of the tree of `owner` in its directory, of which
    /// there are `size`; what was written after them is cut off.
    ///
    /// # Errors
    ///
    /// [`TreeError::Missing`] where there are fewer; else where the file
    /// cannot be read or is another one.
    pub fn open(dir: &Path, owner: [u8; 16], size: u64) -> Result<Self, TreeError> {
        std::fs::create_dir_all(dir).map_err(TreeError::io("create", dir))?;
        let array = HashArray::open(dir, 0, owner)?;
        let found = array.len()?;
        if found < size {
            return Err(TreeError::Missing {
                level: 0,
                expected: size,
                found,
            });
        }
        array.truncate(size)?;
        Ok(Self {
            dir: dir.to_owned(),
            array,
        })
    }

    /// Writes leaves from number `first` on; they are durable when this
    /// returns.
    ///
    /// # Errors
    ///
    /// [`TreeError::Io`] where they cannot be written.
    pub fn append(&self, first: u64, leaves: &[Digest]) -> Result<(), TreeError> {
        let bytes: Vec<Hash> = leaves.iter().map(|leaf| Hash(leaf.0)).collect();
        self.array.write(first, &bytes)?;
        self.array.sync()?;
        durable::sync_dir(&self.dir).map_err(TreeError::io("sync", &self.dir))
    }
}

impl Leaves for StoredLeaves {
    fn leaves(&self, first: u64, count: usize) -> Result<Vec<Digest>, TreeError> {
        let leaves = self.array.read(first, count)?;
        Ok(leaves.into_iter().map(|leaf| Digest(leaf.0)).collect())
    }
}
