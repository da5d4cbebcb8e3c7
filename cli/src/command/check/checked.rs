//! What a document proves, for people and for programs.

use std::io::{self, Write};

use custody_proto::Timestamp;
use custody_proto::v1::{Entry, ListEventsResponse};
use serde::Serialize;

use super::erasure::Erased;
use crate::output::{Answer, Format, Rendering, Sheet, count, write_json, write_words};

/// A document that was checked.
#[derive(Default, Serialize)]
pub(super) struct Checked {
    /// Whether all of it verifies.
    pub(super) ok: bool,
    /// Its format, such as `custody.evidence/v1`.
    pub(super) format: String,
    /// What does not verify. Nothing else is then said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
    /// The ledger's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<String>,
    /// What it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<Head>,
    /// For a proof of consistency: what was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) earlier: Option<Head>,
    /// Who has cosigned the checkpoint, of those who were to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) witnesses: Vec<Witness>,
    /// Every shard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shards: Vec<Shard>,
    /// How many entries there are of each reference, in each shard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) subjects: Vec<Subject>,
    /// Of a certificate of erasure: what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) erasure: Option<Erased>,
    /// The entries, in order of time: the public part of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<Entry>,
    /// What is proven, in words.
    pub(super) proves: Vec<String>,
    /// And what is not.
    pub(super) does_not_prove: Vec<String>,
}

/// A signed head of a log.
#[derive(Serialize)]
pub(super) struct Head {
    pub(super) origin: String,
    pub(super) size: u64,
    /// Lower-case hexadecimal.
    pub(super) root: String,
}

#[derive(Serialize)]
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) time: Timestamp,
}

#[derive(Serialize)]
pub(super) struct Shard {
    pub(super) shard: String,
    pub(super) epoch: u32,
    /// Empty of the house shard.
    pub(super) topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_offset: Option<i64>,
    pub(super) entries: u64,
    /// Whether its counts add up to the offsets that it has read.
    pub(super) accounts_for_every_offset: bool,
}

#[derive(Serialize)]
pub(super) struct Subject {
    pub(super) reference: String,
    pub(super) shard: String,
    pub(super) entries: u64,
}

impl Checked {
    /// A document that does not verify.
    pub(super) fn fault(format: &str, fault: impl ToString) -> Self {
        Self {
            format: format.to_owned(),
            fault: Some(fault.to_string()),
            ..Self::default()
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        match rendering.format {
            Format::Json => write_json(out, self),
            Format::Csv => self.records().write_csv(out),
            Format::Table => match &self.fault {
                Some(fault) => writeln!(
                    out,
                    "NOT PROVEN: {fault}\nNothing in this {} is to be believed.",
                    self.format
                ),
                None => self.write_people(out, rendering),
            },
        }
    }

    /// The entries, or else how many there are, or else the checkpoint.
    fn records(&self) -> Sheet {
        if !self.entries.is_empty() {
            return self.timeline().records();
        }
        if !self.subjects.is_empty() {
            let mut sheet = Sheet::new(["reference", "shard", "entries"]);
            for subject in &self.subjects {
                sheet.push([
                    subject.reference.clone(),
                    subject.shard.clone(),
                    subject.entries.to_string(),
                ]);
            }
            return sheet;
        }
        let mut sheet = Sheet::new(["ok", "format", "fault", "origin", "size", "root"]);
        let head = self.checkpoint.as_ref();
        sheet.push([
            self.ok.to_string(),
            self.format.clone(),
            self.fault.clone().unwrap_or_default(),
            head.map(|head| head.origin.clone()).unwrap_or_default(),
            head.map(|head| head.size.to_string()).unwrap_or_default(),
            head.map(|head| head.root.clone()).unwrap_or_default(),
        ]);
        sheet
    }

    fn timeline(&self) -> ListEventsResponse {
        ListEventsResponse {
            entries: self.entries.clone(),
            ..ListEventsResponse::default()
        }
    }

    fn write_people(&self, out: &mut dyn Write, rendering: &Rendering) -> io::Result<()> {
        let mut head = Sheet::new(["", ""]);
        if let Some(ledger) = &self.ledger {
            head.push(["Ledger", ledger.as_str()]);
        }
        for (name, shown) in [("Kept", &self.earlier), ("Checkpoint", &self.checkpoint)] {
            if let Some(shown) = shown {
                head.push([
                    name.to_owned(),
                    format!("{}, size {}", shown.origin, count(shown.size)),
                ]);
                head.push(["Root".to_owned(), shown.root.clone()]);
            }
        }
        for witness in &self.witnesses {
            head.push([
                "Witnessed".to_owned(),
                format!(
                    "by {}, {} {}",
                    witness.name,
                    rendering.zone.second(Some(witness.time)),
                    rendering.zone.name()
                ),
            ]);
        }
        if let Some(erasure) = &self.erasure {
            erasure.add_to(&mut head, rendering);
        }
        head.write_list(out, rendering.look)?;
        if !self.subjects.is_empty() {
            writeln!(out)?;
            self.counts().write_table(out, rendering.look)?;
        }
        if !self.entries.is_empty() {
            writeln!(out)?;
            self.timeline().write_people(out, rendering)?;
        }
        write_words(out, "Proven", &self.proves)?;
        write_words(out, "Not proven", &self.does_not_prove)
    }

    /// One row for each reference and shard, also where there is nothing.
    fn counts(&self) -> Sheet {
        let mut sheet = Sheet::new(["Reference", "Shard", "Topic", "Entries", "Of all"])
            .number(3)
            .number(4);
        for subject in &self.subjects {
            let shard = self
                .shards
                .iter()
                .find(|shard| shard.shard == subject.shard);
            sheet.push([
                subject.reference.clone(),
                subject.shard.clone(),
                shard.map(Shard::place).unwrap_or_default(),
                count(subject.entries),
                shard.map(|shard| count(shard.entries)).unwrap_or_default(),
            ]);
        }
        sheet
    }
}

impl Shard {
    fn place(&self) -> String {
        match self.partition {
            Some(partition) => format!("{}/{partition}", self.topic),
            None => "what Custody itself recorded".to_owned(),
        }
    }
}
