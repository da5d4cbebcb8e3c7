//! Blocks: what is stored and committed as a whole.
//!
//! A block is a header of fixed size, a body of entries with a length before
//! each, and the digest of both. `FORMAT.md` has the table.

mod builder;
mod header;
mod read;

pub use builder::{BLOCK_LIMIT_BYTES, BlockBuilder, BuiltBlock, TARGET_BODY_BYTES};
pub use header::{BLOCK_VERSION, BlockHeader, GapCause, HEADER_BYTES};
pub(crate) use read::split_entry;
pub use read::{Block, Entries};

/// The digest after the body, in bytes.
pub const TRAILER_BYTES: usize = 32;

/// The length before each entry, in bytes.
pub const LENGTH_BYTES: usize = 4;

/// The longest body that is read, in bytes: one entry of the longest kind.
pub const MAX_BODY_BYTES: usize = crate::entry::MAX_ENTRY_BYTES + LENGTH_BYTES;

/// The longest block that is read, in bytes.
pub const MAX_BLOCK_BYTES: usize = HEADER_BYTES + MAX_BODY_BYTES + TRAILER_BYTES;

// A block of many entries stays below one Kafka record; only a single long
// entry is longer.
const _: () = assert!(TARGET_BODY_BYTES < BLOCK_LIMIT_BYTES);
const _: () = assert!(BLOCK_LIMIT_BYTES < MAX_BODY_BYTES);
const _: () = assert!(MAX_BODY_BYTES <= u32::MAX as usize);
