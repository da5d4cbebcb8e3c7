//! Faults: what is wrong, and where.

use std::fmt;
use std::path::PathBuf;

use crate::id::ShardId;

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file as a whole.
    File {
        /// Its path in the ledger's directory.
        path: PathBuf,
    },
    /// A range of a file.
    Bytes {
        /// Its path in the ledger's directory.
        path: PathBuf,
        /// The first byte, from 0.
        first: u64,
        /// The last byte, included.
        last: u64,
    },
    /// The earlier checkpoint that a ledger was compared with.
    EarlierCheckpoint,
    /// The stored blocks as a whole.
    Store,
    /// A shard as a whole.
    Shard {
        /// Which.
        shard: ShardId,
    },
    /// A block.
    Block {
        /// In which shard.
        shard: ShardId,
        /// At which height.
        height: u64,
    },
    /// An entry.
    Entry {
        /// In which shard.
        shard: ShardId,
        /// In the block at which height.
        height: u64,
        /// With which sequence.
        sequence: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::Bytes { path, first, last } => {
                write!(f, "file {}, bytes {first} to {last}", path.display())
            }
            Self::EarlierCheckpoint => f.write_str("the earlier checkpoint"),
            Self::Store => f.write_str("the stored blocks"),
            Self::Shard { shard } => write!(f, "shard {shard}"),
            Self::Block { shard, height } => write!(f, "shard {shard}, block {height}"),
            Self::Entry {
                shard,
                height,
                sequence,
            } => write!(f, "shard {shard}, block {height}, entry {sequence}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
