//! That one entry is in the ledger.

use serde::{Deserialize, Serialize};

use super::completeness::{EntryEvidence, VerifiedEntry};
use super::format::{self, InclusionFormat};
use super::ledger::{verify_ledger, verify_shard};
use super::{EvidenceError, encoding};
use crate::checkpoint::{LedgerCheckpoint, ShardCheckpoint};
use crate::id::{Digest, LedgerId, ShardId};
use crate::note::VerifyingKey;
use crate::tree::Hash;

/// That an entry is in the log of its shard, at an index (RFC 6962, section
/// 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// `custody.inclusion/v1`.
    pub format: InclusionFormat,
    /// The ledger's checkpoint, a signed note, with the signatures of witnesses
    /// where there are any.
    pub ledger_checkpoint: String,
    /// The manifest that it names.
    pub manifest: String,
    /// The inclusion path of the manifest, as the last leaf of the ledger log.
    #[serde(with = "encoding::hashes")]
    pub manifest_path: Vec<Hash>,
    /// The checkpoint of the shard, a signed note.
    pub checkpoint: String,
    /// Which shard.
    #[serde(with = "encoding::id")]
    pub shard: ShardId,
    /// The index of the entry.
    pub sequence: u64,
    /// The digest of the entry before it: see
    /// [`chain::link`](crate::chain::link).
    #[serde(with = "encoding::digest")]
    pub previous: Digest,
    /// The stored bytes of the entry.
    #[serde(with = "encoding::bytes")]
    pub entry: Vec<u8>,
    /// The inclusion path, from the leaf up.
    #[serde(with = "encoding::hashes")]
    pub path: Vec<Hash>,
}

/// What an inclusion proof has proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Included {
    /// In which ledger.
    pub ledger: LedgerId,
    /// At which of its checkpoints.
    pub head: LedgerCheckpoint,
    /// In which shard.
    pub shard: ShardCheckpoint,
    /// The entry.
    pub entry: VerifiedEntry,
}

impl InclusionProof {
    /// Verifies the proof with the keys of ledgers that are trusted.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Included, EvidenceError> {
        let (head, manifest) = verify_ledger(
            &self.ledger_checkpoint,
            &self.manifest,
            &self.manifest_path,
            keys,
        )?;
        let shard = self.shard;
        let line = manifest
            .shard(&shard)
            .ok_or(EvidenceError::UnknownShard { shard })?;
        let shard = verify_shard(&self.checkpoint, line, &head, keys)?;
        let entry = EntryEvidence {
            sequence: self.sequence,
            previous: self.previous,
            entry: self.entry.clone(),
            path: Some(self.path.clone()),
        };
        Ok(Included {
            ledger: manifest.ledger,
            entry: entry.verify(&shard)?,
            head,
            shard,
        })
    }

    /// The document, in one line.
    pub fn to_json(&self) -> String {
        format::write(self)
    }

    /// Reads a document, which may come from anybody.
    ///
    /// # Errors
    /// [`EvidenceError::Json`] or [`EvidenceError::Format`].
    pub fn from_json(json: &[u8]) -> Result<Self, EvidenceError> {
        format::read(json, "custody.inclusion/v1")
    }
}
