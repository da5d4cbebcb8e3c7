//! The append-only, hash-chained log of Custody.
//!
//! Entries go into blocks, blocks into shards: one shard a Kafka
//! topic-partition, and the house shard for what Custody itself has to say.
//! Every entry is tied to the one before by a digest, every block to the block
//! before, and every Kafka offset is accounted for. What has been acknowledged
//! is on disk; what was changed on disk is found by [`verify`], with its place.
//!
//! It is not a database: nothing is looked up in it but by shard and height,
//! and nothing is ever changed or removed. It knows no identifier of a person
//! and opens no sealed part. What is on disk is described in `FORMAT.md`.
//!
//! ```
//! use custody_ledger::{BlockBuilder, Digest, Entry, Kind, Ledger, LedgerOptions, ShardDescriptor, VerifyOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let ledger = Ledger::open(dir.path(), LedgerOptions::default())?;
//!
//! // A shard is a Kafka topic-partition.
//! let shard = ShardDescriptor {
//!     cluster_id: "cluster".to_owned(),
//!     topic: "privacy-events".to_owned(),
//!     topic_id: String::new(),
//!     partition: 0,
//!     epoch: 0,
//! };
//! let head = ledger.open_shard(&shard)?;
//!
//! // A block accounts for every offset: here an entry and a duplicate.
//! let mut block = BlockBuilder::new(ledger.id(), &head);
//! let mut entry = Entry::new(Kind::Collection, 1_700_000_000_000_000_000);
//! entry.offset = Some(0);
//! block.push(&entry)?;
//! block.duplicate(1)?;
//! let built = block.finish(1_700_000_001_000_000_000, Digest([0; 32]))?;
//!
//! // Durable when this returns.
//! let head = ledger.commit(built)?;
//! assert_eq!((head.size, head.next_offset), (1, Some(2)));
//! ledger.close()?;
//!
//! let report = custody_ledger::verify(dir.path(), &VerifyOptions::default())?;
//! assert!(report.ok());
//! # Ok(())
//! # }
//! ```

pub mod error;

mod durable;
mod fault;
mod head;
mod shard;
mod stored;

mod block;
mod succession;

mod anchor;
mod identity;
mod lock;
mod segment;
mod sources;
mod stamp;
mod store;

pub mod tree;

pub mod map;

mod archive;
mod ledger;
mod notary;
mod verify;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(test)]
mod tests;

pub use block::{
    BLOCK_LIMIT_BYTES, BLOCK_VERSION, Block, BlockBuilder, BlockHeader, BuiltBlock, Entries,
    GapCause, HEADER_BYTES, LENGTH_BYTES, MAX_BLOCK_BYTES, MAX_BODY_BYTES, TARGET_BODY_BYTES,
    TRAILER_BYTES,
};
pub use custody_proof::entry::*;
pub use custody_proof::{chain, entry, id};

pub use archive::Archive;
pub use chain::link;
pub use error::{BuildError, DecodeError, LedgerError, OpenError, Step};
pub use fault::{Fault, Place};
pub use id::{Digest, EventTag, LedgerId, ParseIdError, ShardId, SubjectReference};
pub use identity::ledger_id;
pub use ledger::{
    BackupProgress, BackupReport, Barrier, FaultInjector, Ledger, LedgerOptions, LostEnd, Rereader,
    ResumeError, ResumeOptions, Subscription, lost_ends, restore, resume,
};
pub use notary::{
    Completeness, CompletenessPart, NotaryError, NotaryOptions, OnSigned, ProveError, Published,
    PublishedShard,
};
pub use segment::Compression;
pub use shard::{Head, ShardDescriptor};
pub use verify::{
    CheckpointReport, Progress, ShardReport, Since, VerifyOptions, VerifyReport, verify,
};
