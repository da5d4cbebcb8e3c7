//! What is wrong with evidence.

use crate::checkpoint::CheckpointError;
use crate::error::{DecodeError, ProofError};
use crate::id::{ShardId, SubjectReference};
use crate::manifest::ManifestError;

/// What is wrong with evidence: it does not prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// It is not the JSON that was meant.
    #[error("line {line}, column {column}: not the JSON that is meant")]
    Json {
        /// Where, from 1.
        line: usize,
        /// Where, in bytes.
        column: usize,
    },
    /// It is of another format, or of a version that is not known.
    #[error("not a document of the format {expected}")]
    Format {
        /// The format that was expected.
        expected: &'static str,
    },
    /// The ledger's checkpoint is not one that a trusted key has signed.
    #[error("the ledger's checkpoint: {0}")]
    Ledger(CheckpointError),
    /// The manifest cannot be read.
    #[error("the manifest: {0}")]
    Manifest(ManifestError),
    /// The manifest is not the one that the checkpoint names.
    #[error("the manifest is not the one that the ledger's checkpoint names")]
    OtherManifest,
    /// The manifest is not the last leaf of the ledger log.
    #[error("the manifest in the ledger log: {0}")]
    ManifestPath(ProofError),
    /// A shard's checkpoint is missing, or is not one that a trusted key has
    /// signed.
    #[error("the checkpoint of shard {shard}: {error}")]
    Shard {
        /// Which shard.
        shard: ShardId,
        /// What is wrong.
        error: CheckpointError,
    },
    /// There are not as many checkpoints of shards as shards.
    #[error("there are checkpoints of {found} shards, and the manifest has {expected}")]
    ShardCount {
        /// How many shards the manifest has.
        expected: usize,
        /// How many checkpoints there are.
        found: usize,
    },
    /// A shard's checkpoint says otherwise than the manifest.
    #[error("the checkpoint of shard {shard} says otherwise than the manifest")]
    OtherShard {
        /// Which shard.
        shard: ShardId,
    },
    /// The manifest has no such shard.
    #[error("the manifest has no shard {shard}")]
    UnknownShard {
        /// Which.
        shard: ShardId,
    },
    /// It is about nobody.
    #[error("the evidence is about nobody")]
    NoSubject,
    /// It is not about somebody whom it should be about.
    #[error("the evidence is not about {reference}")]
    NotAbout {
        /// Whom.
        reference: SubjectReference,
    },
    /// It is about somebody twice.
    #[error("the evidence is about {reference} twice")]
    SubjectTwice {
        /// Whom.
        reference: SubjectReference,
    },
    /// Of somebody, a shard of the manifest is missing, or not in the
    /// manifest's order.
    #[error("of {reference}, shard {shard} is not where it should be")]
    ShardMissing {
        /// Of whom.
        reference: SubjectReference,
        /// Which shard.
        shard: ShardId,
    },
    /// Of somebody, there is a shard that the manifest does not have, or one
    /// twice.
    #[error("of {reference}, shard {shard} is too much")]
    ShardNeedless {
        /// Of whom.
        reference: SubjectReference,
        /// Which shard.
        shard: ShardId,
    },
    /// The bytes of a map proof cannot be read.
    #[error("the map proof of {reference} in shard {shard}: {error}")]
    MapBytes {
        /// Of whom.
        reference: SubjectReference,
        /// In which shard.
        shard: ShardId,
        /// What is wrong.
        error: DecodeError,
    },
    /// A map proof does not prove what the shard has of somebody.
    #[error("the map proof of {reference} in shard {shard}: {error}")]
    Map {
        /// Of whom.
        reference: SubjectReference,
        /// In which shard.
        shard: ShardId,
        /// What is wrong.
        error: ProofError,
    },
    /// There are more or fewer entries than the shard has of somebody.
    #[error("of {reference}, shard {shard} has {expected} entries, and {found} are here")]
    Count {
        /// Of whom.
        reference: SubjectReference,
        /// In which shard.
        shard: ShardId,
        /// How many there are.
        expected: u64,
        /// How many are in the evidence.
        found: u64,
    },
    /// The entries are not those that the shard has of somebody: one of them is
    /// another, has changed, or is elsewhere in the log.
    #[error("the entries of {reference} in shard {shard} are not those that are there")]
    Entries {
        /// Of whom.
        reference: SubjectReference,
        /// In which shard.
        shard: ShardId,
    },
    /// An entry is not after the one before, or is beyond the checkpoint.
    #[error("entry {sequence} of shard {shard} is not in its order")]
    Order {
        /// In which shard.
        shard: ShardId,
        /// Which entry.
        sequence: u64,
    },
    /// An entry's bytes cannot be read.
    #[error("entry {sequence} of shard {shard}: {error}")]
    Entry {
        /// In which shard.
        shard: ShardId,
        /// Which entry.
        sequence: u64,
        /// What is wrong.
        error: DecodeError,
    },
    /// An entry is about somebody else.
    #[error("entry {sequence} of shard {shard} is about somebody else")]
    OtherSubject {
        /// In which shard.
        shard: ShardId,
        /// Which entry.
        sequence: u64,
    },
    /// An entry is not in the log.
    #[error("entry {sequence} of shard {shard} in its log: {error}")]
    Path {
        /// In which shard.
        shard: ShardId,
        /// Which entry.
        sequence: u64,
        /// What is wrong.
        error: ProofError,
    },
    /// The path that would prove an entry's place in the log is missing.
    #[error("the path of entry {sequence} of shard {shard} is missing")]
    NoPath {
        /// In which shard.
        shard: ShardId,
        /// Which entry.
        sequence: u64,
    },
    /// A shard is not the one in which Custody itself speaks.
    #[error("shard {shard} is not the house shard: what it says may come from anybody")]
    NotHouse {
        /// Which.
        shard: ShardId,
    },
    /// The entries are not those of one erasure, from its request to its end.
    #[error("not an erasure from its request to its end: {what}")]
    OtherErasure {
        /// What does not fit.
        what: &'static str,
    },
    /// A checkpoint for a consistency proof is not one that a trusted key has
    /// signed.
    #[error("the {which} checkpoint: {error}")]
    Checkpoint {
        /// `earlier` or `later`.
        which: &'static str,
        /// What is wrong.
        error: CheckpointError,
    },
    /// A consistency proof is for another log or for other sizes than a
    /// checkpoint.
    #[error("the {which} checkpoint is not the one that the proof is for")]
    OtherCheckpoint {
        /// `earlier` or `later`.
        which: &'static str,
    },
    /// The later checkpoint is neither in the document nor beside it.
    #[error("the later checkpoint is missing")]
    NoCheckpoint,
    /// The later tree does not begin with the earlier one.
    #[error("the later log does not begin with the earlier one: {0}")]
    Consistency(ProofError),
}
