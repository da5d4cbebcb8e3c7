//! What can go wrong, by what the caller can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use custody_proof::DecodeError;

use crate::fault::Fault;
use crate::id::ShardId;

/// A block that cannot be built so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The entry belongs into the next block: finish this one first.
    #[error("the block is full: {body_bytes} bytes, and no entry fits below the limit of {limit}")]
    BlockFull {
        /// The length of the body so far.
        body_bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Offsets were jumped over.
    #[error("offsets {expected} to {found} are not accounted for: offset {expected} is the next")]
    Unaccounted {
        /// The next offset.
        expected: i64,
        /// The offset given.
        found: i64,
    },
    /// The offset is accounted for already.
    #[error("offset {found} is accounted for already: offset {expected} is the next")]
    Repeated {
        /// The next offset.
        expected: i64,
        /// The offset given.
        found: i64,
    },
    /// An offset in the house shard, or none in another.
    #[error("an entry of a Kafka shard has an offset, one of the house shard has none")]
    Offset,
    /// Nothing is accounted for.
    #[error("the block accounts for nothing")]
    Empty,
    /// The entry cannot be stored.
    #[error("the entry cannot be stored: {0}")]
    Entry(#[source] DecodeError),
    /// A number is not within its range.
    #[error("an offset or a count is out of range")]
    OutOfRange,
}

/// A ledger that cannot be opened. Its stored bytes are as they were.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle of this one, has it open.
    #[error("the ledger in {path} is in use by {}", holder(*.pid))]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process that has it, where that could be read.
        pid: Option<u32>,
    },
    /// There is no ledger.
    #[error("there is no ledger in {path}")]
    NotALedger {
        /// The directory.
        path: PathBuf,
    },
    /// A file that every ledger has is gone.
    #[error("{missing} is missing from the ledger in {path}: restore it from a backup")]
    Incomplete {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// A file that the ledger cannot do without is damaged.
    #[error("{path} is damaged ({source}): restore it from a backup")]
    File {
        /// The file.
        path: PathBuf,
        /// How.
        source: DecodeError,
    },
    /// Both copies of the anchor are damaged, so that nothing says how far the
    /// ledger had come.
    #[error("both anchor files in {path} are damaged: restore one of them from a backup")]
    Anchor {
        /// The directory.
        path: PathBuf,
    },
    /// The ledger has published checkpoints, and the files that say what was
    /// signed are gone: without them another history could be signed.
    #[error(
        "this ledger has signed checkpoints, and {path} does not say which: mount or restore \
         the directory of the signed anchor (signed.0, signed.1)"
    )]
    SignedAnchor {
        /// Where they should lie.
        path: PathBuf,
    },
    /// The files changed since the ledger was closed.
    #[error(
        "the files changed since the ledger was closed, in {} places, first {}: \
         run verify, and restore them from a backup",
        .faults.len(), first(.faults)
    )]
    Changed {
        /// Every place.
        faults: Vec<Fault>,
    },
    /// The stored blocks cannot be opened.
    #[error(
        "the stored blocks cannot be opened ({reason}): the files are untouched; run verify, \
         and restore them from a backup"
    )]
    Store {
        /// What the storage engine said.
        reason: String,
    },
    /// Blocks are gone that were durable.
    #[error(
        "shard {shard} has lost its end: {anchored} blocks were durable or signed, {found} are \
         there; restore a newer backup, or, where there is none, give up what is lost with \
         `custody shard resume`"
    )]
    LostTail {
        /// The shard.
        shard: ShardId,
        /// How many blocks the anchor names.
        anchored: u64,
        /// How many there are.
        found: u64,
    },
    /// A shard lost its end, that was given up, and what is left of it was not
    /// begun anew: resuming it was cut short.
    #[error(
        "shard {shard} lost its end, and resuming it was cut short: \
         run `custody shard resume` again"
    )]
    Unresumed {
        /// The shard.
        shard: ShardId,
    },
    /// A database does not begin where the part before it ends.
    #[error(
        "the blocks of shard {shard} in database {database} begin at {begin}, and those before \
         it end at {sealed}: restore the ledger from a backup"
    )]
    Unjoined {
        /// The shard.
        shard: ShardId,
        /// How many blocks there are before the database.
        sealed: u64,
        /// The database's generation.
        database: u64,
        /// Where its blocks begin, or should.
        begin: u64,
    },
    /// A shard is damaged at its end.
    #[error("{fault}: run verify, and restore the ledger from a backup")]
    Damaged {
        /// Where, and what.
        fault: Fault,
    },
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

fn first(faults: &[Fault]) -> String {
    faults.first().map(Fault::to_string).unwrap_or_default()
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}

/// A durable step, of a commit or of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// What must be durable before the blocks is made so.
    Barrier,
    /// The blocks are handed to the storage engine.
    Write,
    /// The storage engine writes them to its file.
    Flush,
    /// The file is synced.
    Sync,
    /// The new heads are written to the anchor and synced.
    Anchor,
    /// A new database is made, when the open one is full or old.
    NewDatabase,
    /// The manifest is written.
    Manifest,
    /// A segment file is written.
    SegmentWrite,
    /// It is synced and gets its name.
    SegmentSync,
    /// It is read again and checked.
    Reread,
    /// The database that has been sealed is removed.
    Remove,
    /// Committed blocks are read again, to be signed.
    Recompute,
    /// Trees are written, and the leaf of the manifest.
    Tree,
    /// The signed checkpoints are written to the signed anchor and synced.
    SignedAnchor,
    /// They are published.
    Publish,
}

impl Step {
    /// Every step of a commit, in order.
    pub const COMMIT: [Self; 5] = [
        Self::Barrier,
        Self::Write,
        Self::Flush,
        Self::Sync,
        Self::Anchor,
    ];

    /// Every step of a rotation, in order; the manifest is written again
    /// before the database is removed.
    pub const ROTATION: [Self; 6] = [
        Self::NewDatabase,
        Self::Manifest,
        Self::SegmentWrite,
        Self::SegmentSync,
        Self::Reread,
        Self::Remove,
    ];
}

impl Step {
    /// Every step of a checkpoint, in order.
    pub const CHECKPOINT: [Self; 4] = [
        Self::Recompute,
        Self::Tree,
        Self::SignedAnchor,
        Self::Publish,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Barrier => "making the keys durable",
            Self::Write => "writing blocks",
            Self::Flush => "flushing blocks",
            Self::Sync => "syncing blocks",
            Self::Anchor => "writing the anchor",
            Self::NewDatabase => "making a database",
            Self::Manifest => "writing the manifest",
            Self::SegmentWrite => "writing a segment",
            Self::SegmentSync => "syncing a segment",
            Self::Reread => "reading a segment again",
            Self::Remove => "removing a sealed database",
            Self::Recompute => "reading blocks again",
            Self::Tree => "writing trees",
            Self::SignedAnchor => "writing the signed anchor",
            Self::Publish => "publishing a checkpoint",
        })
    }
}

/// An append or a read that failed. [`LedgerError::stops_ledger`] tells what
/// stops the ledger from what concerns one block or shard.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The shard has not been opened.
    #[error("shard {shard} is not open")]
    UnknownShard {
        /// Which.
        shard: ShardId,
    },
    /// The block does not continue its shard: it was built on another head.
    /// Nothing was written of it.
    #[error("block {height} does not continue shard {shard}, which has {blocks} blocks: {reason}")]
    NotNext {
        /// The shard.
        shard: ShardId,
        /// The block's height.
        height: u64,
        /// How many blocks the shard has.
        blocks: u64,
        /// What does not fit.
        reason: String,
    },
    /// What was submitted is no block.
    #[error("what was submitted cannot be stored: {0}")]
    Malformed(#[source] DecodeError),
    /// A house block cannot be built of these entries.
    #[error("no house block can be built of these entries: {0}")]
    Build(#[source] BuildError),
    /// A step of the commit failed. Whether the block will be there after
    /// reopening is open; it was not acknowledged.
    #[error("{step} failed: {source}")]
    Write {
        /// Which step.
        step: Step,
        /// Why.
        source: Arc<io::Error>,
    },
    /// An earlier step failed. Every append is refused until the ledger is
    /// reopened, because after a failed sync nobody knows what is on disk.
    #[error("the ledger takes no more blocks until it is reopened: {reason}")]
    Poisoned {
        /// What failed.
        reason: String,
    },
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
    /// A committed block cannot be read.
    #[error("{fault}")]
    Damaged {
        /// Where, and what.
        fault: Fault,
    },
    /// The storage engine failed on reading.
    #[error("reading blocks failed: {reason}")]
    Read {
        /// What it said.
        reason: String,
    },
    /// Full databases cannot be sealed. Appends go on; it is tried again.
    #[error("a database could not be sealed: {reason}")]
    Sealing {
        /// Why.
        reason: String,
    },
    /// A backup could not be made.
    #[error("the backup failed: {source}")]
    Backup {
        /// Why.
        source: Arc<io::Error>,
    },
    /// The at-rest stamp could not be written; the blocks are durable.
    #[error("the ledger could not be stamped on closing: {source}")]
    Stamp {
        /// Why.
        source: Arc<io::Error>,
    },
}

impl LedgerError {
    /// Whether nothing more can be appended to any shard until the ledger is
    /// reopened. Else the shard, or only the block, is at fault.
    pub const fn stops_ledger(&self) -> bool {
        matches!(
            self,
            Self::Write { .. } | Self::Poisoned { .. } | Self::Closed
        )
    }
}
