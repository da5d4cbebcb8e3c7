//! Segments: the sealed blocks of one shard in one immutable file.
//!
//! A segment is a header with the shard's head before and after it, the blocks
//! in order, each compressed by itself, an index of them, and a footer with
//! the digest of everything. The manifest names all segments of a ledger.
//! `FORMAT.md` has the tables.

mod cache;
mod catalogue;
mod layout;
mod manifest;
mod read;
mod seal;
mod write;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

pub use write::Compression;

pub(crate) use catalogue::{Catalogue, read_error};
pub(crate) use layout::Header;
pub(crate) use manifest::{DatabaseInfo, Manifest, SealedShard, SegmentInfo};
pub(crate) use read::{Segment, SegmentError};
pub(crate) use seal::{SealError, segment as seal};

#[cfg(test)]
pub(crate) use write::Writer;

use std::path::PathBuf;

use crate::id::ShardId;

/// The directory of segments in the ledger's.
pub(crate) const DIR: &str = "segments";

/// How the names of segment files end.
pub(crate) const EXTENSION: &str = "seg";

/// The path of a segment in the ledger's directory.
pub(crate) fn path(shard: ShardId, first_height: u64) -> PathBuf {
    let name = format!("{first_height:012}.{EXTENSION}");
    [DIR, &shard.to_string(), &name].iter().collect()
}
