//! What can go wrong with the tiles of a tree.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_proof::ProofError;

use crate::error::{DecodeError, LedgerError};

/// A tree that cannot be opened, extended or asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TreeError {
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// A file is no array of tiles, or one of another tree or level. Rebuild
    /// the tiles from the log.
    #[error("{path} holds no tiles of this tree ({source}): they are rebuilt from the log")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// Hashes are missing that a tree of this size has. Rebuild the tiles from
    /// the log.
    #[error("level {level} has {found} hashes of {expected}: the tiles are rebuilt from the log")]
    Missing {
        /// The level.
        level: u32,
        /// How many hashes the size asks for.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A hash is not that of the subtree below it. Rebuild the tiles from the
    /// log.
    #[error(
        "hash {index} of level {level} is not that of the tile below: the tiles are rebuilt from the log"
    )]
    Damaged {
        /// The level of the hash.
        level: u32,
        /// Its number on the level.
        index: u64,
    },
    /// What the tiles gave does not verify: somewhere in them, or in the log,
    /// a hash is wrong.
    #[error("the tiles or the log are damaged: {0}")]
    SelfCheck(#[source] ProofError),
    /// An index or a size is beyond the tree as far as it is written.
    #[error("beyond the tree: it has {size} leaves so far")]
    Beyond {
        /// How many leaves are written.
        size: u64,
    },
    /// The log gave fewer or more leaves than it was asked for.
    #[error("the log gave {found} leaves of {expected}, from number {first} on")]
    Leaves {
        /// The first that was asked for.
        first: u64,
        /// How many were asked for.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LedgerError),
}

impl TreeError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            what,
            path,
            source: Arc::new(source),
        }
    }

    /// Whether the tiles are to be made anew from the log, which takes nothing
    /// but time. Else the log or the disk is at fault.
    pub const fn needs_rebuild(&self) -> bool {
        matches!(
            self,
            Self::File { .. } | Self::Missing { .. } | Self::Damaged { .. } | Self::SelfCheck(_)
        )
    }
}
