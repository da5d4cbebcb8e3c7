//! The Merkle tree of a shard, on disk.
//!
//! Derived from the log, and rebuilt from it when it is lost. One [`Tree`]
//! grows, on the thread that signs; any number of threads ask its [`Tiles`]
//! for proofs in trees of any earlier size. What a tile holds does not change,
//! so neither waits for the other.
//!
//! A push hashes one leaf and, on average, one inner node. A proof reads one
//! tile a level, so seven at most, and the leaves of two tiles from the log.

mod array;
mod error;
mod leaves;

mod grow;
mod prover;
mod tiles;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests;

pub(crate) use array::{
    HEADER_BYTES as ARRAY_HEADER_BYTES, check_header as check_array_header, header as array_header,
};
pub use error::TreeError;
pub use grow::Tree;
pub use leaves::{Leaves, StoredLeaves};
pub use prover::Prover;
pub use tiles::{TILE_WIDTH, Tiles};
