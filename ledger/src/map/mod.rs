//! The maps of a shard, on disk and in memory: what it has of each person.
//!
//! Derived from the log, and rebuilt from it when they are lost or wrong. The
//! hashes, and why there are two maps, are in [`custody_proof::map`]: `base`
//! is a file that is written as a whole and never changed, `recent` are the
//! persons who changed since, in memory, saved as a whole now and then.
//!
//! One thread owns the [`ShardMap`]: it [touches](ShardMap::touch) a person
//! for each entry and [seals](ShardMap::roots) a version for each checkpoint.
//! Touches wait beside the sealed version, so any number of threads can have
//! proofs against the roots that were signed last, from a [`MapReader`].

mod error;

mod pending;
mod trie;
mod version;

mod base;
mod snapshot;

mod policy;
mod shard_map;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests;

pub use error::MapError;
pub use policy::MergePolicy;
pub use shard_map::ShardMap;
pub use version::{Covered, MapReader, Proved, Roots};
