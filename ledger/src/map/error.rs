//! What can go wrong with the maps of a shard.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_proof::ProofError;

use crate::error::DecodeError;

/// Maps that cannot be opened, extended or asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MapError {
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
    /// A file is no map, or damaged.
    #[error("{path} is no map of a shard, or damaged ({source}): it is rebuilt from the log")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: DecodeError,
    },
    /// A file is a map of another shard.
    #[error("{path} is a map of another shard: it is rebuilt from the log")]
    OtherShard {
        /// The file.
        path: PathBuf,
    },
    /// The recent map rests on a base map that is not there.
    #[error("{path} rests on another base map: the maps are rebuilt from the log")]
    OtherBase {
        /// The file of the recent map.
        path: PathBuf,
    },
    /// A part of the base map is damaged.
    #[error("{path} is damaged in bucket {bucket}: it is rebuilt from the log")]
    Bucket {
        /// The file.
        path: PathBuf,
        /// The bucket.
        bucket: usize,
    },
    /// What the maps gave does not verify: a hash in them is wrong.
    #[error("the maps are damaged ({0}): they are rebuilt from the log")]
    SelfCheck(#[source] ProofError),
    /// An entry came that is accounted for already.
    #[error("entry {sequence} is in the map already: entry {next} is the next")]
    Repeated {
        /// The sequence of the entry.
        sequence: u64,
        /// The least that can come.
        next: u64,
    },
    /// More persons changed than can be held before a merge.
    #[error("{persons} persons changed since the last merge, more than can be held")]
    Full {
        /// How many.
        persons: usize,
    },
}

impl MapError {
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            what,
            path,
            source: Arc::new(source),
        }
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(DecodeError) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Whether the maps are to be made anew from the log, which takes nothing
    /// but time. Else the disk is at fault, or the caller.
    pub const fn needs_rebuild(&self) -> bool {
        matches!(
            self,
            Self::File { .. }
                | Self::OtherShard { .. }
                | Self::OtherBase { .. }
                | Self::Bucket { .. }
                | Self::SelfCheck(_)
        )
    }
}
