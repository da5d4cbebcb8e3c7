//! Rows on disk, under the key tree. The only module that names fjall: what is
//! above it sees spaces, rows and batches.

mod engine;
mod seal;
mod space;

mod bucket;
mod page;

mod tree;
mod view;
mod walk;

mod grow;
mod pending;
mod renew;

mod recover;

mod v1;

mod migrate;

mod copy;

#[cfg(test)]
mod forensics;

pub(crate) use engine::{Area, Engine};
pub(crate) use grow::Batch;
pub(crate) use migrate::migrate;
pub(crate) use space::{Path, Space};
pub(crate) use tree::{COMMITMENT_BYTES, Store, root_rows};
pub(crate) use view::View;
pub(crate) use walk::Visited;

/// Why the vault's store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the vault's store is open in another process")]
    Locked,
    /// An earlier write failed. What is on disk is unknown until it is read
    /// again.
    #[error("an earlier write to the vault's store failed: stop, find out why, and open it again")]
    Poisoned,
    /// The engine failed.
    #[error("the vault's store could not {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A value is not what was written: damaged, moved, or of another root
    /// key.
    #[error("a value of {space} in the vault's store is damaged: restore it from a backup")]
    Damaged {
        /// The key space.
        space: &'static str,
    },
    /// A page or row that another one names is not there.
    #[error("{space} of the vault's store are missing: restore it from a backup")]
    Lost {
        /// The key space.
        space: &'static str,
    },
    /// A test stopped it there.
    #[error("the vault was stopped between two steps: open it again")]
    Stopped {
        /// What the test said.
        #[source]
        source: std::io::Error,
    },
    /// The copy is not what was copied, or its place was not empty.
    #[error("the copy of the vault's store is not what was copied: try again, on another disk")]
    CopyDiffers,
    /// No random bytes, or the cipher failed.
    #[error("a value of {space} could not be sealed")]
    Seal {
        /// The key space.
        space: &'static str,
    },
}
