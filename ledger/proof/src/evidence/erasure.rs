//! That persons were erased: what was asked for, when it began, and that it was
//! done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::completeness::{EntryEvidence, VerifiedEntry};
use super::format::{self, ErasureFormat};
use super::ledger::{verify_ledger, verify_shard};
use super::{EvidenceError, encoding};
use crate::checkpoint::{LedgerCheckpoint, ShardCheckpoint};
use crate::entry::{Act, Entry, HouseRecord, Kind};
use crate::id::{Digest, LedgerId, ShardId, SubjectReference};
use crate::note::VerifyingKey;
use crate::tree::Hash;

/// That an erasure was requested, begun and done: the entries of the house
/// shard that say so, each with its place in the shard's log at one signed
/// checkpoint.
///
/// It holds no identifier: whose the references are was known to the vault
/// alone, which has forgotten it. Whoever was given a reference before can look
/// whether it is among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureCertificate {
    /// `custody.erasure-certificate/v1`.
    pub format: ErasureFormat,
    /// The ledger's checkpoint, a signed note, with the signatures of witnesses
    /// where there are any.
    pub ledger_checkpoint: String,
    /// The manifest that it names.
    pub manifest: String,
    /// The inclusion path of the manifest, as the last leaf of the ledger log.
    #[serde(with = "encoding::hashes")]
    pub manifest_path: Vec<Hash>,
    /// The checkpoint of the house shard, a signed note.
    pub checkpoint: String,
    /// The house shard.
    #[serde(with = "encoding::id")]
    pub shard: ShardId,
    /// The entry `erasure_requested`, and more of the same erasure where it
    /// turned out later that others were meant too; by sequence.
    pub requested: Vec<EntryEvidence>,
    /// The entry `erasure_started`.
    pub started: EntryEvidence,
    /// The entry `erasure_done`.
    pub done: EntryEvidence,
}

/// What a certificate of erasure has proved.
#[derive(Clone, Debug, PartialEq)]
pub struct CertifiedErasure {
    /// In which ledger.
    pub ledger: LedgerId,
    /// At which of its checkpoints.
    pub head: LedgerCheckpoint,
    /// In the house shard.
    pub shard: ShardCheckpoint,
    /// The entries `erasure_requested`, at least one.
    pub requested: Vec<VerifiedEntry>,
    /// The entry `erasure_started`.
    pub started: VerifiedEntry,
    /// The entry `erasure_done`.
    pub done: VerifiedEntry,
    /// The erasure's id.
    pub id: [u8; 16],
    /// Whom it was about: all references of each person.
    pub subjects: BTreeSet<SubjectReference>,
    /// Ids of the organisations that had been given their data, as it was
    /// written down before anything was destroyed.
    pub recipients: BTreeSet<String>,
    /// How many entries there were about them. They stay.
    pub entries: u64,
    /// Why, as a code.
    pub reason: String,
    /// The operator's ticket; may be empty.
    pub ticket: String,
    /// Whether their identifiers were marked.
    pub mark: bool,
    /// How many persons the vault forgot. Fewer than there are subjects where
    /// it had forgotten some before.
    pub persons: u64,
    /// The generation of the root key since then.
    pub generation: u64,
    /// What commits to that root key.
    pub commitment: Digest,
}

impl ErasureCertificate {
    /// Verifies the certificate with the keys of ledgers that are trusted.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<CertifiedErasure, EvidenceError> {
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
        let checkpoint = verify_shard(&self.checkpoint, line, &head, keys)?;
        // What came from Kafka can claim anything; only the house shard has no
        // offsets.
        if checkpoint.kafka.is_some() {
            return Err(EvidenceError::NotHouse { shard });
        }
        let requested = self.requested.iter();
        let requested = requested
            .map(|evidence| in_log(evidence, Kind::ErasureRequested, &checkpoint))
            .collect::<Result<Vec<_>, _>>()?;
        let started = in_log(&self.started, Kind::ErasureStarted, &checkpoint)?;
        let done = in_log(&self.done, Kind::ErasureDone, &checkpoint)?;

        let other = |what| EvidenceError::OtherErasure { what };
        let Some(HouseRecord::ErasureDone {
            id,
            generation,
            commitment,
            persons,
            started: begun,
        }) = said(&done.entry)
        else {
            return Err(other("the last entry ends none"));
        };
        let is_begun = matches!(
            said(&started.entry),
            Some(HouseRecord::ErasureStarted { id: of }) if of == id
        );
        if !is_begun || (begun.shard, begun.sequence) != (shard, started.sequence) {
            return Err(other("the last entry does not end the one begun"));
        }
        let asked = Asked::read(&requested, *id)?;
        let in_order = asked.first < started.sequence
            && started.sequence < done.sequence
            && asked.last < done.sequence;
        if !in_order {
            return Err(other("the entries are not in the order of an erasure"));
        }
        Ok(CertifiedErasure {
            ledger: manifest.ledger,
            head,
            shard: checkpoint,
            id: *id,
            subjects: asked.subjects,
            recipients: asked.recipients,
            entries: asked.entries,
            reason: asked.reason,
            ticket: asked.ticket,
            mark: asked.mark,
            persons: *persons,
            generation: *generation,
            commitment: *commitment,
            requested,
            started,
            done,
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
        format::read(json, "custody.erasure-certificate/v1")
    }
}

/// What was asked for. The first entry says why and how; later ones who else.
#[derive(Default)]
struct Asked {
    first: u64,
    last: u64,
    subjects: BTreeSet<SubjectReference>,
    recipients: BTreeSet<String>,
    entries: u64,
    reason: String,
    ticket: String,
    mark: bool,
}

impl Asked {
    fn read(requested: &[VerifiedEntry], erasure: [u8; 16]) -> Result<Self, EvidenceError> {
        let other = |what| EvidenceError::OtherErasure { what };
        let mut asked = Self::default();
        let mut last = None;
        for entry in requested {
            let Some(HouseRecord::ErasureRequested {
                id,
                subjects,
                recipients,
                entries,
                reason,
                ticket,
                mark,
            }) = said(&entry.entry)
            else {
                return Err(other("an entry requests none"));
            };
            if *id != erasure {
                return Err(other("an entry requests another one"));
            }
            if last.is_some_and(|last| last >= entry.sequence) {
                return Err(other("the requests are not in their order"));
            }
            if last.is_none() {
                asked.first = entry.sequence;
                asked.entries = *entries;
                asked.reason.clone_from(reason);
                asked.ticket.clone_from(ticket);
                asked.mark = *mark;
            }
            last = Some(entry.sequence);
            asked.subjects.extend(subjects);
            asked.recipients.extend(recipients.iter().cloned());
        }
        asked.last = last.ok_or(other("nothing requests it"))?;
        if asked.subjects.is_empty() {
            return Err(EvidenceError::NoSubject);
        }
        Ok(asked)
    }
}

/// An entry of this kind whose place in the log is proved: without a map, only
/// the path says that it is there.
fn in_log(
    evidence: &EntryEvidence,
    kind: Kind,
    checkpoint: &ShardCheckpoint,
) -> Result<VerifiedEntry, EvidenceError> {
    let (shard, sequence) = (checkpoint.shard, evidence.sequence);
    let verified = evidence.verify(checkpoint)?;
    if !verified.in_log {
        return Err(EvidenceError::NoPath { shard, sequence });
    }
    if verified.entry.kind() != Some(kind) {
        return Err(EvidenceError::OtherErasure {
            what: "an entry is of another kind",
        });
    }
    Ok(verified)
}

fn said(entry: &Entry) -> Option<&HouseRecord> {
    match &entry.act {
        Act::House(record) => Some(record),
        _ => None,
    }
}
