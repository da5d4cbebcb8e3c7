//! Rows on disk. The only module that names fjall: what is above it sees
//! spaces, rows and batches.
//!
//! Values are sealed ([`sealed`]); the engine sees random-looking row names
//! and ciphertext.

mod engine;
mod sealed;

mod copy;

pub(crate) use engine::{Engine, EngineView, Space};
pub(crate) use sealed::{Batch, Store, View};

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
