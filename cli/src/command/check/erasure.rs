//! A certificate of erasure, checked.

use custody_ledger::entry::EntryRef;
use custody_proof::evidence::{CertifiedErasure, ErasureCertificate, VerifiedEntry};
use custody_proto::Timestamp;
use custody_query::public_part;
use serde::Serialize;

use super::checked::Checked;
use super::verify::{Trust, Verdict, ledger_head, said, shard, witnessed};
use crate::output::{Rendering, Sheet, count, counted};

pub(super) const ERASURE: &str = "custody.erasure-certificate/v1";

/// So many references or recipients are shown to people.
const NAMED: usize = 12;

/// What a certificate of erasure says.
#[derive(Serialize)]
pub(super) struct Erased {
    id: String,
    references: Vec<String>,
    recipients: Vec<String>,
    entries: u64,
    reason: String,
    ticket: String,
    marked: bool,
    persons: u64,
    generation: u64,
    /// Lower-case hexadecimal.
    root_commitment: String,
    requested_at: Timestamp,
    started_at: Timestamp,
    done_at: Timestamp,
}

pub(super) fn certificate(document: &[u8], trust: &Trust) -> Verdict {
    let certificate = ErasureCertificate::from_json(document).map_err(said)?;
    let erased = certificate.verify(&trust.keys).map_err(said)?;
    let house = erased.shard.shard;
    let at = |entry: &VerifiedEntry| EntryRef {
        shard: house,
        sequence: entry.sequence,
    };
    let entries = erased
        .requested
        .iter()
        .chain([&erased.started, &erased.done])
        .map(|entry| public_part(at(entry), entry.entry.clone()))
        .collect();
    Ok(Checked {
        ok: true,
        format: ERASURE.to_owned(),
        ledger: Some(erased.ledger.to_string()),
        checkpoint: Some(ledger_head(&erased.head)),
        witnesses: witnessed(&certificate.ledger_checkpoint, trust)?,
        proves: vec![
            format!(
                "Whoever runs the ledger recorded, where nobody can change it unnoticed, that \
                 the keys of {} under the {} above were destroyed, and under which new root key.",
                counted(erased.persons, "person"),
                counted(erased.subjects.len() as u64, "reference"),
            ),
            format!(
                "Before anything was destroyed it was written down to whom their data had gone: \
                 {} to be told (GDPR Art. 19).",
                counted(erased.recipients.len() as u64, "recipient"),
            ),
        ],
        does_not_prove: vec![
            "That no copy of the keys, of an older root key or of the data is left elsewhere: in \
             a backup, in Kafka, with a recipient."
                .to_owned(),
            "Whose the references were: that was known to the vault alone, which has forgotten \
             it. Whoever was told a reference before can look for it."
                .to_owned(),
        ],
        shards: vec![shard(&erased.shard)],
        erasure: Some(Erased::of(&erased)),
        entries,
        ..Checked::default()
    })
}

impl Erased {
    fn of(erased: &CertifiedErasure) -> Self {
        let when = |entry: &VerifiedEntry| Timestamp::from_unix_nanos(entry.entry.event_time_ns);
        Self {
            id: hex::encode(erased.id),
            references: erased.subjects.iter().map(ToString::to_string).collect(),
            recipients: erased.recipients.iter().cloned().collect(),
            entries: erased.entries,
            reason: erased.reason.clone(),
            ticket: erased.ticket.clone(),
            marked: erased.mark,
            persons: erased.persons,
            generation: erased.generation,
            root_commitment: hex::encode(erased.commitment.0),
            requested_at: erased.requested.first().map(when).unwrap_or_default(),
            started_at: when(&erased.started),
            done_at: when(&erased.done),
        }
    }

    /// Names and values, for people.
    pub(super) fn add_to(&self, sheet: &mut Sheet, rendering: &Rendering) {
        let zone = &rendering.zone;
        let some = |names: &[String]| {
            let shown = names[..names.len().min(NAMED)].join(", ");
            match names.len().saturating_sub(NAMED) {
                0 => shown,
                more => format!("{shown} and {} more", count(more as u64)),
            }
        };
        let mut row = |name: &str, value: String| {
            if !value.is_empty() {
                sheet.push([name.to_owned(), value]);
            }
        };
        row("Erasure", self.id.clone());
        row("References", some(&self.references));
        row("Requested", zone.second(Some(self.requested_at)));
        row("Began", zone.second(Some(self.started_at)));
        row("Done", zone.second(Some(self.done_at)));
        row("Reason", self.reason.clone());
        row("Ticket", self.ticket.clone());
        row("To be told", some(&self.recipients));
        row(
            "Root key",
            format!(
                "generation {}, commitment {}",
                self.generation, self.root_commitment
            ),
        );
    }
}
