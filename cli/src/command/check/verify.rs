//! Verifies a document of any format.

use custody_ledger::entry::EntryRef;
use custody_proof::checkpoint::{Checkpoint, LedgerCheckpoint, ShardCheckpoint, verifying_keys};
use custody_proof::cosignature::{CosignerKey, cosigned};
use custody_proof::evidence::{
    CompletenessProof, ConsistencyProof, Evidence, EvidenceError, InclusionProof,
};
use custody_proof::note::{Limits, Note, VerifyingKey};
use custody_proto::Timestamp;
use custody_query::public_part;
use serde::Deserialize;

use super::checked::{Checked, Head, Shard, Subject, Witness};
use super::erasure::{self, ERASURE};
use crate::error::CommandError;
use crate::output::count;

const EVIDENCE: &str = "custody.evidence/v1";
const INCLUSION: &str = "custody.inclusion/v1";
const CONSISTENCY: &str = "custody.consistency/v1";
const COMPLETENESS: &str = "custody.completeness/v1";
const CHECKPOINT: &str = "signed checkpoint";

/// Whom and what whoever checks trusts.
pub(super) struct Trust {
    /// Keys of the ledger.
    pub(super) keys: Vec<VerifyingKey>,
    /// Who must have cosigned the ledger's checkpoint.
    pub(super) witnesses: Vec<CosignerKey>,
    /// A checkpoint that was kept.
    pub(super) earlier: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    format: String,
}

/// Checks a document. One that does not verify is an answer too.
pub(super) fn check(document: &[u8], trust: &Trust) -> Result<Checked, CommandError> {
    let Ok(Named { format }) = serde_json::from_slice(document) else {
        return Ok(checkpoint(document, trust));
    };
    let checked = match format.as_str() {
        EVIDENCE => evidence(document, trust),
        INCLUSION => inclusion(document, trust),
        COMPLETENESS => completeness(document, trust),
        ERASURE => erasure::certificate(document, trust),
        CONSISTENCY => match &trust.earlier {
            Some(earlier) => consistency(document, earlier, trust),
            None => {
                return Err(CommandError::Usage(
                    "a proof of consistency is about a checkpoint that you have kept: name it \
                     with --earlier FILE"
                        .to_owned(),
                ));
            }
        },
        _ => {
            return Err(CommandError::Usage(format!(
                "no document of evidence: its format is none of {EVIDENCE}, {INCLUSION}, \
                 {CONSISTENCY}, {COMPLETENESS}, {ERASURE}"
            )));
        }
    };
    Ok(checked.unwrap_or_else(|fault| Checked::fault(&format, fault)))
}

pub(super) type Verdict = Result<Checked, String>;

pub(super) fn said(error: EvidenceError) -> String {
    error.to_string()
}

fn evidence(document: &[u8], trust: &Trust) -> Verdict {
    let evidence = Evidence::from_json(document).map_err(said)?;
    let verified = custody_proof::evidence::verify(&evidence, &trust.keys).map_err(said)?;
    let mut subjects = Vec::new();
    let mut entries = Vec::new();
    for subject in verified.subjects {
        for shard in subject.shards {
            subjects.push(Subject {
                reference: subject.reference.to_string(),
                shard: shard.shard.to_string(),
                entries: shard.count,
            });
            for verified in shard.entries {
                let at = EntryRef {
                    shard: shard.shard,
                    sequence: verified.sequence,
                };
                entries.push(public_part(at, verified.entry));
            }
        }
    }
    entries.sort_by_key(|entry| {
        let time = entry.event_time.unwrap_or_default();
        (time.seconds, time.nanos)
    });
    let shards = verified.shards.len();
    Ok(Checked {
        ok: true,
        format: EVIDENCE.to_owned(),
        ledger: Some(verified.ledger.to_string()),
        checkpoint: Some(ledger_head(&verified.head)),
        witnesses: witnessed(&evidence.ledger_checkpoint, trust)?,
        shards: verified.shards.iter().map(shard).collect(),
        proves: vec![
            format!(
                "These {} entries are everything that the ledger had of the references above \
                 when it signed this checkpoint. All {shards} shards of its manifest are \
                 accounted for; an entry or a shard left out would not verify.",
                count(entries.len() as u64),
            ),
            "Each entry is as it was recorded, to the byte, and the shards' logs hold it at \
             its place."
                .to_owned(),
        ],
        does_not_prove: vec![
            "That these references are all that one person has: which they are is known only \
             to whoever runs the ledger."
                .to_owned(),
            "That what services said is true, or that they said everything; and nothing about \
             what was recorded after this checkpoint."
                .to_owned(),
        ],
        subjects,
        entries,
        ..Checked::default()
    })
}

fn inclusion(document: &[u8], trust: &Trust) -> Verdict {
    let proof = InclusionProof::from_json(document).map_err(said)?;
    let included = proof.verify(&trust.keys).map_err(said)?;
    let at = EntryRef {
        shard: included.shard.shard,
        sequence: included.entry.sequence,
    };
    Ok(Checked {
        ok: true,
        format: INCLUSION.to_owned(),
        ledger: Some(included.ledger.to_string()),
        checkpoint: Some(ledger_head(&included.head)),
        witnesses: witnessed(&proof.ledger_checkpoint, trust)?,
        proves: vec![format!(
            "The ledger holds this entry, to the byte, as number {} of shard {}, which had {} \
             entries when this checkpoint was signed.",
            count(at.sequence),
            at.shard,
            count(included.shard.checkpoint.size),
        )],
        does_not_prove: vec![
            "That there is no other entry about the same person, or that what it says is true."
                .to_owned(),
        ],
        shards: vec![shard(&included.shard)],
        entries: vec![public_part(at, included.entry.entry)],
        ..Checked::default()
    })
}

fn completeness(document: &[u8], trust: &Trust) -> Verdict {
    let proof = CompletenessProof::from_json(document).map_err(said)?;
    let counted = proof.verify(&trust.keys).map_err(said)?;
    let mut subjects = Vec::new();
    for subject in &counted.subjects {
        subjects.extend(subject.shards.iter().map(|(shard, record)| Subject {
            reference: subject.reference.to_string(),
            shard: shard.to_string(),
            entries: record.as_ref().map_or(0, |record| record.count),
        }));
    }
    let entries: u64 = subjects.iter().map(|subject| subject.entries).sum();
    Ok(Checked {
        ok: true,
        format: COMPLETENESS.to_owned(),
        ledger: Some(counted.ledger.to_string()),
        checkpoint: Some(ledger_head(&counted.head)),
        witnesses: witnessed(&proof.ledger_checkpoint, trust)?,
        proves: vec![format!(
            "The ledger had {} entries of the references above when it signed this checkpoint, \
             as many in each of its {} shards as the table says, and no more.",
            count(entries),
            counted.shards.len(),
        )],
        does_not_prove: vec![
            "What the entries say: `custody export evidence` has them.".to_owned(),
        ],
        shards: counted.shards.iter().map(shard).collect(),
        subjects,
        ..Checked::default()
    })
}

fn consistency(document: &[u8], earlier: &str, trust: &Trust) -> Verdict {
    let proof = ConsistencyProof::from_json(document).map_err(said)?;
    let grown = proof.verify(earlier, None, &trust.keys).map_err(said)?;
    let of_ledger = proof.shard.is_none();
    let later = proof.checkpoint.as_deref().filter(|_| of_ledger);
    Ok(Checked {
        ok: true,
        format: CONSISTENCY.to_owned(),
        witnesses: later.map_or(Ok(Vec::new()), |later| witnessed(later, trust))?,
        proves: vec![format!(
            "The log {} still begins with the {} entries that were signed in the checkpoint \
             that you kept: none of them was changed or removed.",
            grown.later.origin,
            count(grown.earlier.size),
        )],
        earlier: Some(head(&grown.earlier)),
        checkpoint: Some(head(&grown.later)),
        ..Checked::default()
    })
}

fn checkpoint(document: &[u8], trust: &Trust) -> Checked {
    let opened = || -> Verdict {
        let text = std::str::from_utf8(document).map_err(|_| "it is no text".to_owned())?;
        let note =
            Note::parse_within(text, Limits::CHECKPOINT).map_err(|error| error.to_string())?;
        let origin = Checkpoint::parse(note.text())
            .map_err(|error| error.to_string())?
            .origin;
        let keys = verifying_keys(&origin, &trust.keys);
        let checkpoint = Checkpoint::of_note(&note, &keys).map_err(|error| error.to_string())?;
        Ok(Checked {
            ok: true,
            format: CHECKPOINT.to_owned(),
            witnesses: witnessed(text, trust)?,
            proves: vec![format!(
                "Whoever has the key signed that the log {} has {} entries under this root.",
                checkpoint.origin,
                count(checkpoint.size)
            )],
            checkpoint: Some(head(&checkpoint)),
            ..Checked::default()
        })
    };
    opened().unwrap_or_else(|fault| Checked::fault(CHECKPOINT, fault))
}

/// Every witness that is trusted must have cosigned.
pub(super) fn witnessed(note: &str, trust: &Trust) -> Result<Vec<Witness>, String> {
    let note = Note::parse_within(note, Limits::CHECKPOINT).map_err(|error| error.to_string())?;
    let witnesses = trust.witnesses.iter().map(|witness| {
        let found = cosigned(&note, std::slice::from_ref(witness));
        let found = found.map_err(|error| error.to_string())?;
        let cosigned = found.first().ok_or_else(|| {
            format!(
                "the witness {} has not cosigned the checkpoint",
                witness.name()
            )
        })?;
        Ok(Witness {
            name: cosigned.cosigner.clone(),
            time: Timestamp {
                seconds: i64::try_from(cosigned.time_s).unwrap_or(i64::MAX),
                nanos: 0,
            },
        })
    });
    witnesses.collect()
}

pub(super) fn ledger_head(checkpoint: &LedgerCheckpoint) -> Head {
    head(&checkpoint.checkpoint)
}

fn head(checkpoint: &Checkpoint) -> Head {
    Head {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
    }
}

pub(super) fn shard(checkpoint: &ShardCheckpoint) -> Shard {
    let kafka = checkpoint.kafka.as_ref();
    Shard {
        shard: checkpoint.shard.to_string(),
        epoch: checkpoint.epoch,
        topic: kafka.map(|kafka| kafka.topic.clone()).unwrap_or_default(),
        partition: kafka.map(|kafka| kafka.partition),
        next_offset: kafka.map(|kafka| kafka.next_offset),
        entries: checkpoint.checkpoint.size,
        accounts_for_every_offset: checkpoint.accounts_for_every_offset(),
    }
}
