//! Entries of version 1, which are read and never written.

use bincode::Decode;

use crate::entry::{self, Act, HouseRecord, Kind};
use crate::id::{EventTag, SubjectReference};

/// The version byte.
pub(super) const VERSION: u8 = 1;

/// The highest number of a kind that version 1 had.
const NEWEST_KIND: u8 = Kind::OffsetsLost.code();

/// The fields in their order; see [`entry::Entry`] for what they mean.
#[derive(Decode)]
pub(super) struct Entry {
    kind_code: u8,
    offset: Option<i64>,
    kafka_time_ms: Option<i64>,
    event_time_ns: i64,
    subject: Option<SubjectReference>,
    event_tag: Option<EventTag>,
    parent_tags: Vec<EventTag>,
    service: String,
    controller: String,
    acting_as: u8,
    purposes: Vec<String>,
    categories: Vec<String>,
    legal_basis: String,
    jurisdiction: String,
    role: u8,
    location: String,
    policy: String,
    anonymised: bool,
    key_mismatch: bool,
    act: Act,
    judgement: Judgement,
    sealed: Vec<u8>,
}

#[derive(Decode)]
struct Judgement {
    outcome_code: u8,
    policy: String,
    clauses: Vec<String>,
    findings: Vec<Finding>,
}

#[derive(Decode)]
struct Finding {
    code: String,
    clauses: Vec<String>,
    arguments: Vec<String>,
    suppressed: bool,
}

impl Entry {
    /// Whether it has a kind or a house record that version 1 did not have.
    pub(super) fn is_from_the_future(&self) -> bool {
        let record = matches!(
            self.act,
            Act::House(
                HouseRecord::Rejudged { .. }
                    | HouseRecord::WaiverGiven { .. }
                    | HouseRecord::WaiverRevoked { .. }
                    | HouseRecord::OverdueFound { .. }
                    | HouseRecord::RulesetAdopted { .. }
                    | HouseRecord::ShardResumed { .. }
            )
        );
        let newer = matches!(&self.act, Act::House(record) if record.is_since_version_3());
        record || newer || self.kind_code > NEWEST_KIND
    }
}

impl From<Entry> for entry::Entry {
    fn from(old: Entry) -> Self {
        Self {
            kind_code: old.kind_code,
            offset: old.offset,
            kafka_time_ms: old.kafka_time_ms,
            event_time_ns: old.event_time_ns,
            subject: old.subject,
            event_tag: old.event_tag,
            parent_tags: old.parent_tags,
            service: old.service,
            controller: old.controller,
            acting_as: old.acting_as,
            purposes: old.purposes,
            categories: old.categories,
            legal_basis: old.legal_basis,
            jurisdiction: old.jurisdiction,
            role: old.role,
            location: old.location,
            policy: old.policy,
            anonymised: old.anonymised,
            key_mismatch: old.key_mismatch,
            act: old.act,
            judgement: old.judgement.into(),
            sealed: old.sealed,
        }
    }
}

impl From<Judgement> for entry::Judgement {
    fn from(old: Judgement) -> Self {
        Self {
            outcome_code: old.outcome_code,
            policy: old.policy,
            clauses: old.clauses,
            findings: old.findings.into_iter().map(Into::into).collect(),
            late: false,
        }
    }
}

impl From<Finding> for entry::Finding {
    fn from(old: Finding) -> Self {
        Self {
            code: old.code,
            clauses: old.clauses,
            arguments: old.arguments,
            suppressed: old.suppressed,
            decided_by: Vec::new(),
            waiver: String::new(),
        }
    }
}
