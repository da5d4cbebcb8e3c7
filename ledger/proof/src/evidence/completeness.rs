//! Everything that a ledger has of a person, and that it is everything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::format::{self, EvidenceFormat};
use super::ledger::{verify_ledger, verify_shard};
use super::{EvidenceError, encoding};
use crate::chain;
use crate::checkpoint::{Checkpoint, LedgerCheckpoint, ShardCheckpoint};
use crate::entry::Entry;
use crate::id::{Digest, LedgerId, ShardId, SubjectReference};
use crate::map::{self, ShardMapProof};
use crate::note::VerifyingKey;
use crate::tree::{Hash, leaf_hash_32, verify_inclusion};

/// Everything that a ledger has of some references, with the proofs.
///
/// Whom it is about is not proved: a person may have more references, and that
/// a ledger has nothing of one is true of others too. Whoever knows whom it
/// should be about asks [`Verified::is_about`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// `custody.evidence/v1`.
    pub format: EvidenceFormat,
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
    pub subjects: Vec<SubjectEvidence>,
}

/// Everything that a ledger has of one reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectEvidence {
    /// Whom it is about.
    #[serde(with = "encoding::id")]
    pub reference: SubjectReference,
    /// Each shard of the manifest, in its order, also where it has nothing.
    pub shards: Vec<ShardEvidence>,
}

/// Everything that one shard has of one reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEvidence {
    /// Which shard.
    #[serde(with = "encoding::id")]
    pub shard: ShardId,
    /// How many entries it has and which, or that it has none: an encoded
    /// [`ShardMapProof`].
    #[serde(with = "encoding::bytes")]
    pub map: Vec<u8>,
    /// The entries, in the order of their sequence.
    pub entries: Vec<EntryEvidence>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryEvidence {
    /// Its index in the shard.
    pub sequence: u64,
    /// The digest of the entry before it: see [`chain::link`].
    #[serde(with = "encoding::digest")]
    pub previous: Digest,
    /// Its stored bytes.
    #[serde(with = "encoding::bytes")]
    pub entry: Vec<u8>,
    /// Its inclusion path in the shard's log. The map says that it is there
    /// already; the path says so of the log, which does not forget.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "encoding::optional_hashes"
    )]
    pub path: Option<Vec<Hash>>,
}

/// What evidence has proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Of which ledger.
    pub ledger: LedgerId,
    /// At which of its checkpoints: nothing is said about what came later.
    pub head: LedgerCheckpoint,
    /// The checkpoint of every shard.
    pub shards: Vec<ShardCheckpoint>,
    /// What the ledger has of each reference that the evidence is about.
    pub subjects: Vec<VerifiedSubject>,
}

/// What a ledger has of one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedSubject {
    /// Of whom.
    pub reference: SubjectReference,
    /// In every shard, in the order of their ids.
    pub shards: Vec<VerifiedShard>,
}

/// What one shard has of one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedShard {
    /// Which shard.
    pub shard: ShardId,
    /// How many entries it has. All of them follow.
    pub count: u64,
    /// The entries, in the order of their sequence.
    pub entries: Vec<VerifiedEntry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedEntry {
    /// Its index in the shard.
    pub sequence: u64,
    /// Its digest, which is its leaf in the log.
    pub digest: Digest,
    /// What it says.
    pub entry: Entry,
    /// Whether its inclusion path was there, and verified.
    pub in_log: bool,
}

/// Verifies evidence with the keys of ledgers that are trusted: that one of
/// them has signed the checkpoint, that the manifest is its own, that every
/// shard is there for every reference, and that the entries are all that the
/// shards have of them.
///
/// What the entries say is not judged, and whether witnesses have signed the
/// checkpoint is asked of [`cosignature::cosigned`](crate::cosignature::cosigned).
///
/// # Errors
/// [`EvidenceError`], with the shard and the sequence.
pub fn verify(evidence: &Evidence, keys: &[VerifyingKey]) -> Result<Verified, EvidenceError> {
    let (head, manifest) = verify_ledger(
        &evidence.ledger_checkpoint,
        &evidence.manifest,
        &evidence.manifest_path,
        keys,
    )?;
    if evidence.checkpoints.len() != manifest.shards.len() {
        return Err(EvidenceError::ShardCount {
            expected: manifest.shards.len(),
            found: evidence.checkpoints.len(),
        });
    }
    let shards = evidence
        .checkpoints
        .iter()
        .zip(&manifest.shards)
        .map(|(note, line)| verify_shard(note, line, &head, keys))
        .collect::<Result<Vec<_>, _>>()?;

    if evidence.subjects.is_empty() {
        return Err(EvidenceError::NoSubject);
    }
    let mut seen = BTreeSet::new();
    let mut subjects = Vec::new();
    for subject in &evidence.subjects {
        let reference = subject.reference;
        if !seen.insert(reference) {
            return Err(EvidenceError::SubjectTwice { reference });
        }
        subjects.push(subject.verify(&shards)?);
    }
    Ok(Verified {
        ledger: manifest.ledger,
        head,
        shards,
        subjects,
    })
}

impl Evidence {
    /// The document, in one line.
    pub fn to_json(&self) -> String {
        format::write(self)
    }

    /// Reads a document, which may come from anybody. Nothing in it is to be
    /// believed before [`verify`].
    ///
    /// # Errors
    /// [`EvidenceError::Json`] or [`EvidenceError::Format`].
    pub fn from_json(json: &[u8]) -> Result<Self, EvidenceError> {
        format::read(json, "custody.evidence/v1")
    }
}

impl Verified {
    /// That the evidence is about each of these references. It may be about
    /// more.
    ///
    /// # Errors
    /// [`EvidenceError::NotAbout`] with the first that it is not about.
    pub fn is_about(&self, references: &[SubjectReference]) -> Result<(), EvidenceError> {
        let is_here = |reference: &SubjectReference| {
            let mut subjects = self.subjects.iter();
            subjects.any(|subject| subject.reference == *reference)
        };
        match references.iter().find(|reference| !is_here(reference)) {
            Some(&reference) => Err(EvidenceError::NotAbout { reference }),
            None => Ok(()),
        }
    }

    /// Every entry, with whose it is and its shard.
    pub fn entries(&self) -> impl Iterator<Item = (SubjectReference, ShardId, &VerifiedEntry)> {
        self.subjects.iter().flat_map(|subject| {
            subject.shards.iter().flat_map(|shard| {
                let place = (subject.reference, shard.shard);
                let entries = shard.entries.iter();
                entries.map(move |entry| (place.0, place.1, entry))
            })
        })
    }
}

impl SubjectEvidence {
    fn verify(&self, shards: &[ShardCheckpoint]) -> Result<VerifiedSubject, EvidenceError> {
        let reference = self.reference;
        let mut here = self.shards.iter();
        let mut verified = Vec::new();
        for checkpoint in shards {
            let shard = checkpoint.shard;
            let evidence = here
                .next()
                .filter(|evidence| evidence.shard == shard)
                .ok_or(EvidenceError::ShardMissing { reference, shard })?;
            verified.push(evidence.verify(reference, checkpoint)?);
        }
        if let Some(more) = here.next() {
            let shard = more.shard;
            return Err(EvidenceError::ShardNeedless { reference, shard });
        }
        Ok(VerifiedSubject {
            reference,
            shards: verified,
        })
    }
}

impl ShardEvidence {
    fn verify(
        &self,
        reference: SubjectReference,
        checkpoint: &ShardCheckpoint,
    ) -> Result<VerifiedShard, EvidenceError> {
        let shard = self.shard;
        let roots = &checkpoint.map;
        let record = ShardMapProof::decode(&self.map)
            .map_err(|error| EvidenceError::MapBytes {
                reference,
                shard,
                error,
            })?
            .verify(&roots.base, &roots.recent, &reference)
            .map_err(|error| EvidenceError::Map {
                reference,
                shard,
                error,
            })?;
        let (expected, digest) =
            record.map_or((0, map::NO_ENTRIES), |record| (record.count, record.digest));
        let count = self.entries.len() as u64;
        if count != expected {
            return Err(EvidenceError::Count {
                reference,
                shard,
                expected,
                found: count,
            });
        }
        let mut digest_here = map::NO_ENTRIES;
        let mut next = 0;
        let mut entries = Vec::new();
        for evidence in &self.entries {
            let sequence = evidence.sequence;
            if sequence < next || sequence >= checkpoint.checkpoint.size {
                return Err(EvidenceError::Order { shard, sequence });
            }
            // Below the size, so it is not the largest number.
            next = sequence + 1;
            let verified = evidence.verify(checkpoint)?;
            if verified.entry.subject != Some(reference) {
                return Err(EvidenceError::OtherSubject { shard, sequence });
            }
            digest_here = map::extend(&digest_here, sequence, &verified.digest);
            entries.push(verified);
        }
        if digest_here != digest {
            return Err(EvidenceError::Entries { reference, shard });
        }
        Ok(VerifiedShard {
            shard,
            count,
            entries,
        })
    }
}

impl EntryEvidence {
    /// That it can be read, and is in the log where a path is given. That it is
    /// an entry of the shard follows from the map.
    pub(super) fn verify(
        &self,
        checkpoint: &ShardCheckpoint,
    ) -> Result<VerifiedEntry, EvidenceError> {
        let (shard, sequence) = (checkpoint.shard, self.sequence);
        let entry = Entry::decode(&self.entry).map_err(|error| EvidenceError::Entry {
            shard,
            sequence,
            error,
        })?;
        let digest = chain::link(self.previous, &self.entry);
        if let Some(path) = &self.path {
            let leaf = leaf_hash_32(digest.as_bytes());
            let Checkpoint { size, root, .. } = &checkpoint.checkpoint;
            verify_inclusion(&leaf, sequence, *size, path, root).map_err(|error| {
                EvidenceError::Path {
                    shard,
                    sequence,
                    error,
                }
            })?;
        }
        Ok(VerifiedEntry {
            sequence,
            digest,
            entry,
            in_log: self.path.is_some(),
        })
    }
}
