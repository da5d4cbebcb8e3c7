//! What can go wrong with the read model. All of it is cured by a rebuild or
//! by a working disk: nothing here is the only copy of anything.

use std::io;
use std::path::PathBuf;

use custody_ledger::error::DecodeError;
use custody_ledger::id::ShardId;

/// A failure of the read model.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// Another process has it open.
    #[error("the read model in {path} is in use by another process")]
    Locked {
        /// Its directory.
        path: PathBuf,
    },
    /// Its files could not be made, read or deleted.
    #[error("the read model's files in {path}: {source}")]
    Files {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store failed.
    #[error("the read model's store: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row cannot be read; `custody rebuild` makes it anew.
    #[error("a row of `{rows}` in the read model is damaged")]
    DamagedRow {
        /// In which keyspace.
        rows: &'static str,
    },
    /// An entry could not be encoded.
    #[error("an entry could not be encoded: {0}")]
    Encode(#[source] DecodeError),
    /// A row could not be encoded.
    #[error("a row could not be encoded: {0}")]
    EncodeRow(String),
    /// The ledger could not be read.
    #[error("the ledger could not be read: {0}")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A block of the ledger cannot be read.
    #[error("shard {shard}, block {height}: {source}")]
    Block {
        /// The shard.
        shard: ShardId,
        /// The block's height.
        height: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A block that the ledger's head counts is not there.
    #[error("shard {shard}: block {height} is missing from the ledger")]
    MissingBlock {
        /// The shard.
        shard: ShardId,
        /// The block's height.
        height: u64,
    },
    /// It was told to stop before it was done.
    #[error("stopped before it was done")]
    Stopped,
    /// The thread that follows the ledger could not be started.
    #[error("the thread that follows the ledger could not be started: {0}")]
    Thread(#[source] io::Error),
}

impl From<fjall::Error> for ReadModelError {
    fn from(error: fjall::Error) -> Self {
        Self::Store(Box::new(error))
    }
}
