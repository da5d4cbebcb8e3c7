//! How many entries a ledger has of a person, without the entries.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::format::{self, CompletenessFormat};
use super::ledger::{verify_ledger, verify_shard};
use super::{Evidence, EvidenceError, encoding};
use crate::checkpoint::{LedgerCheckpoint, ShardCheckpoint};
use crate::id::{LedgerId, ShardId, SubjectReference};
use crate::map::{Record, ShardMapProof};
use crate::note::VerifyingKey;
use crate::tree::Hash;

/// How many entries a ledger has of some references in each of its shards, and
/// the digest over them, or that a shard has none: [`Evidence`] without the
/// entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompletenessProof {
    /// `custody.completeness/v1`.
    pub format: CompletenessFormat,
    /// The ledger's checkpoint, a signed note, with the signatures of witnesses
    /// where there are any.
    pub ledger_checkpoint: String,
    /// The manifest that it names.
    pub manifest: String,
    /// The inclusion path of the manifest, as the last leaf of the ledger log.
    #[serde(with = "encoding::hashes")]
    pub manifest_path: Vec<Hash>,
    /// The checkpoint of each shard of the manifest, in its order; signed
    /// notes.
    pub checkpoints: Vec<String>,
    /// Whom it is about, each reference once.
    pub subjects: Vec<SubjectCounts>,
}

/// How many entries of one reference there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectCounts {
    /// Whom it is about.
    #[serde(with = "encoding::id")]
    pub reference: SubjectReference,
    /// Each shard of the manifest, in its order, also where it has nothing.
    pub shards: Vec<ShardCount>,
}

/// How many entries of one reference one shard has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardCount {
    /// Which shard.
    #[serde(with = "encoding::id")]
    pub shard: ShardId,
    /// How many entries it has and which, or that it has none: an encoded
    /// [`ShardMapProof`].
    #[serde(with = "encoding::bytes")]
    pub map: Vec<u8>,
}

/// What a completeness proof has proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Of which ledger.
    pub ledger: LedgerId,
    /// At which of its checkpoints.
    pub head: LedgerCheckpoint,
    /// The checkpoint of every shard.
    pub shards: Vec<ShardCheckpoint>,
    /// Of each reference, what each shard has, in the order of the manifest.
    pub subjects: Vec<CountedSubject>,
}

/// What a ledger has of one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedSubject {
    /// Of whom.
    pub reference: SubjectReference,
    /// In every shard; `None` where it has nothing.
    pub shards: Vec<(ShardId, Option<Record>)>,
}

impl CompletenessProof {
    /// Verifies the proof with the keys of ledgers that are trusted, as
    /// [`verify`](super::verify) does evidence.
    ///
    /// # Errors
    /// [`EvidenceError`], with the reference and the shard.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Counted, EvidenceError> {
        let (head, manifest) = verify_ledger(
            &self.ledger_checkpoint,
            &self.manifest,
            &self.manifest_path,
            keys,
        )?;
        if self.checkpoints.len() != manifest.shards.len() {
            return Err(EvidenceError::ShardCount {
                expected: manifest.shards.len(),
                found: self.checkpoints.len(),
            });
        }
        let shards = self
            .checkpoints
            .iter()
            .zip(&manifest.shards)
            .map(|(note, line)| verify_shard(note, line, &head, keys))
            .collect::<Result<Vec<_>, _>>()?;
        if self.subjects.is_empty() {
            return Err(EvidenceError::NoSubject);
        }
        let mut seen = BTreeSet::new();
        let mut subjects = Vec::new();
        for subject in &self.subjects {
            let reference = subject.reference;
            if !seen.insert(reference) {
                return Err(EvidenceError::SubjectTwice { reference });
            }
            subjects.push(subject.verify(&shards)?);
        }
        Ok(Counted {
            ledger: manifest.ledger,
            head,
            shards,
            subjects,
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
        format::read(json, "custody.completeness/v1")
    }
}

impl From<Evidence> for CompletenessProof {
    /// The entries are left out, and nothing else.
    fn from(evidence: Evidence) -> Self {
        let subjects = evidence.subjects.into_iter().map(|subject| SubjectCounts {
            reference: subject.reference,
            shards: subject
                .shards
                .into_iter()
                .map(|shard| ShardCount {
                    shard: shard.shard,
                    map: shard.map,
                })
                .collect(),
        });
        Self {
            format: CompletenessFormat::V1,
            ledger_checkpoint: evidence.ledger_checkpoint,
            manifest: evidence.manifest,
            manifest_path: evidence.manifest_path,
            checkpoints: evidence.checkpoints,
            subjects: subjects.collect(),
        }
    }
}

impl SubjectCounts {
    fn verify(&self, shards: &[ShardCheckpoint]) -> Result<CountedSubject, EvidenceError> {
        let reference = self.reference;
        let mut here = self.shards.iter();
        let mut counted = Vec::new();
        for checkpoint in shards {
            let shard = checkpoint.shard;
            let count = here
                .next()
                .filter(|count| count.shard == shard)
                .ok_or(EvidenceError::ShardMissing { reference, shard })?;
            let proof =
                ShardMapProof::decode(&count.map).map_err(|error| EvidenceError::MapBytes {
                    reference,
                    shard,
                    error,
                })?;
            let roots = &checkpoint.map;
            let record = proof.verify(&roots.base, &roots.recent, &reference);
            let record = record.map_err(|error| EvidenceError::Map {
                reference,
                shard,
                error,
            })?;
            counted.push((shard, record));
        }
        if let Some(more) = here.next() {
            let shard = more.shard;
            return Err(EvidenceError::ShardNeedless { reference, shard });
        }
        Ok(CountedSubject {
            reference,
            shards: counted,
        })
    }
}
