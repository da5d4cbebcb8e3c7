//! Which judgement of an entry is in force, and what each one found.

use std::borrow::Cow;

use custody_ledger::entry::{Act, Entry, EntryRef, HouseRecord, Judgement, Outcome};

use super::scope::Seen;
use crate::read_model::{EventRow, Rejudgement, overdue_outcome, policy_of_overdue};

/// What began the time, of an entry that says that a duty was not done by its
/// deadline.
pub(crate) fn overdue_of(entry: &Entry) -> Option<EntryRef> {
    match &entry.act {
        Act::House(HouseRecord::OverdueFound { of, .. }) => Some(*of),
        _ => None,
    }
}

/// The judgement in force: that at ingest, or the last one after it. A duty
/// that was not done is judged by its code.
pub(crate) fn outcome(row: &EventRow, rejudged: &[Rejudgement]) -> Outcome {
    if let Some(outcome) = overdue_outcome(&row.entry) {
        return outcome;
    }
    let judgement = in_force(row, rejudged);
    Outcome::from_code(judgement.outcome_code).unwrap_or_default()
}

fn in_force<'a>(row: &'a EventRow, rejudged: &'a [Rejudgement]) -> &'a Judgement {
    rejudged
        .last()
        .map_or(&row.entry.judgement, |last| &last.judgement)
}

/// One thing that was found, and where it is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) code: &'a str,
    pub(crate) clauses: &'a [String],
    pub(crate) arguments: &'a [String],
    pub(crate) decided_by: &'a [EntryRef],
    /// Empty where none suppresses it.
    pub(crate) waiver: &'a str,
    pub(crate) suppressed: bool,
    /// Whether a later judgement took its place.
    pub(crate) superseded: bool,
    /// The policy version judged by; empty where none applied.
    pub(crate) policy: Cow<'a, str>,
    /// The number of the re-judgement in the house shard; `None` where the
    /// entry itself holds it.
    pub(crate) rejudged: Option<u64>,
    /// Its number among the findings of its judgement.
    pub(crate) index: u16,
    /// When it was found.
    pub(crate) recorded_time_ns: i64,
    /// When it was due, of what time found.
    pub(crate) due_ns: Option<i64>,
}

impl Seen {
    pub(crate) fn outcome(&self) -> Outcome {
        outcome(&self.row, &self.rejudged)
    }

    /// The judgement in force.
    pub(crate) fn judgement(&self) -> &Judgement {
        in_force(&self.row, &self.rejudged)
    }

    /// Everything that was found: at ingest, then at each later judgement.
    pub(crate) fn findings(&self) -> Vec<Found<'_>> {
        let row = &self.row;
        if let Act::House(HouseRecord::OverdueFound {
            code,
            of,
            clauses,
            due_ns,
            source,
        }) = &row.entry.act
        {
            return vec![Found {
                code,
                clauses,
                arguments: std::slice::from_ref(source),
                decided_by: std::slice::from_ref(of),
                waiver: "",
                suppressed: false,
                superseded: false,
                policy: Cow::Owned(policy_of_overdue(&row.entry, clauses)),
                rejudged: None,
                index: 0,
                recorded_time_ns: row.recorded_time_ns,
                due_ns: Some(*due_ns),
            }];
        }
        let mut found = Vec::new();
        let last = self.rejudged.len();
        found.extend(of(
            &row.entry.judgement,
            None,
            row.recorded_time_ns,
            last > 0,
        ));
        for (index, later) in self.rejudged.iter().enumerate() {
            let superseded = index + 1 < last;
            found.extend(of(
                &later.judgement,
                Some(later.sequence),
                later.recorded_time_ns,
                superseded,
            ));
        }
        found
    }
}

fn of(
    judgement: &Judgement,
    rejudged: Option<u64>,
    recorded_time_ns: i64,
    superseded: bool,
) -> impl Iterator<Item = Found<'_>> {
    judgement
        .findings
        .iter()
        .zip(0u16..)
        .map(move |(finding, index)| Found {
            code: &finding.code,
            clauses: &finding.clauses,
            arguments: &finding.arguments,
            decided_by: &finding.decided_by,
            waiver: &finding.waiver,
            suppressed: finding.suppressed,
            superseded,
            policy: Cow::Borrowed(judgement.policy.as_str()),
            rejudged,
            index,
            recorded_time_ns,
            due_ns: None,
        })
}
