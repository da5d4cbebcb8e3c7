//! Evidence: documents that prove something about a ledger to whoever trusts
//! its key, without asking the ledger.
//!
//! - [`Evidence`], `custody.evidence/v1`: everything that a ledger has of a
//!   person, and that nothing was left out or changed.
//! - [`CompletenessProof`], `custody.completeness/v1`: the same without the
//!   entries; how many there are in each shard.
//! - [`InclusionProof`], `custody.inclusion/v1`: that an entry is in the ledger.
//! - [`ConsistencyProof`], `custody.consistency/v1`: that a log has only grown
//!   since a checkpoint that somebody has kept.
//! - [`ErasureCertificate`], `custody.erasure-certificate/v1`: that persons were
//!   erased.
//!
//! They are JSON, in UTF-8. Ids are hexadecimal in lower case; hashes, digests
//! and bytes base64 with padding; notes and the manifest are texts, to the
//! byte. Fields that are not known are refused, so that nothing stands in a
//! document that was not verified.
//!
//! What they stand on: a key that is trusted signs the ledger's checkpoint; it
//! names the manifest, which is the last leaf of the ledger log, the log that
//! witnesses watch; the manifest names every shard, with the roots of its log
//! and of its maps of persons. A map proof then says how many entries a shard
//! has of a reference, and a digest over them, or that it has none.

mod completeness;
mod consistency;
mod counts;
mod encoding;
mod erasure;
mod error;
mod format;
mod inclusion;
mod ledger;

pub use completeness::{
    EntryEvidence, Evidence, ShardEvidence, SubjectEvidence, Verified, VerifiedEntry,
    VerifiedShard, VerifiedSubject, verify,
};
pub use consistency::{ConsistencyProof, Grown};
pub use counts::{CompletenessProof, Counted, CountedSubject, ShardCount, SubjectCounts};
pub use erasure::{CertifiedErasure, ErasureCertificate};
pub use error::EvidenceError;
pub use format::{
    CompletenessFormat, ConsistencyFormat, ErasureFormat, EvidenceFormat, InclusionFormat,
};
pub use inclusion::{Included, InclusionProof};
