//! A finding as an answer shows it, and which findings an answer is about.

use std::collections::HashSet;

use custody_ledger::ShardDescriptor;
use custody_ledger::entry::{EntryRef, Outcome};
use custody_ledger::id::SubjectReference;
use custody_policy::country;
use custody_proto::v1;

use super::clause::{self, Rulebook};
use super::entry;
use super::error::{Faults, QueryError};
use super::filter::{ids, is_id, named};
use super::judgement::Found;
use super::moment::{self, timestamp};
use super::registry::Registry;
use super::scope::Seen;

/// An entry's place, without its offset.
pub(crate) fn position(at: &EntryRef) -> v1::EntryPosition {
    v1::EntryPosition {
        shard: at.shard.to_string(),
        sequence: at.sequence,
        offset: None,
    }
}

/// The re-judgement of this number.
pub(crate) fn in_house(sequence: u64) -> v1::EntryPosition {
    position(&EntryRef {
        shard: ShardDescriptor::house().id(),
        sequence,
    })
}

pub(crate) fn show(rulebook: &Rulebook, found: &Found<'_>, with_clauses: bool) -> v1::Finding {
    v1::Finding {
        code: found.code.to_owned(),
        clauses: found.clauses.to_vec(),
        arguments: found
            .arguments
            .iter()
            .filter(|argument| !argument.is_empty())
            .cloned()
            .collect(),
        suppressed: found.suppressed,
        class: class(found.code).to_owned(),
        decided_by: found.decided_by.iter().map(position).collect(),
        waiver: found.waiver.to_owned(),
        superseded: found.superseded,
        cited: if with_clauses {
            rulebook.cite(found.clauses)
        } else {
            Vec::new()
        },
        due_time: found.due_ns.and_then(timestamp),
    }
}

/// The class of a code; empty of one that is not known.
pub(crate) fn class(code: &str) -> &'static str {
    clause::class(code).map_or("", Outcome::name)
}

/// A finding with the entry that it is about.
pub(crate) fn row(
    registry: &Registry<'_>,
    seen: &Seen,
    found: &Found<'_>,
    subject: Option<SubjectReference>,
    with_clauses: bool,
) -> Result<v1::FindingRow, QueryError> {
    let shown = entry::show(registry, seen, with_clauses)?;
    let found_by = match found.rejudged {
        Some(sequence) => Some(in_house(sequence)),
        None => shown.position.clone(),
    };
    Ok(v1::FindingRow {
        finding: Some(show(&registry.state.rulebook, found, with_clauses)),
        entry: Some(shown),
        found_by,
        found_time: timestamp(found.recorded_time_ns),
        policy: found.policy.clone().into_owned(),
        reference: subject.map(|it| it.to_string()).unwrap_or_default(),
    })
}

/// A checked `FindingFilter`. An empty member lets everything through.
#[derive(Debug)]
pub(crate) struct FindingFilter {
    codes: HashSet<String>,
    classes: HashSet<&'static str>,
    policies: HashSet<String>,
    clauses: HashSet<String>,
    services: HashSet<String>,
    jurisdictions: Vec<String>,
    recorded_from_ns: i64,
    /// Not included; `None` where there is no end.
    recorded_to_ns: Option<i64>,
    pub(crate) include_suppressed: bool,
    pub(crate) include_superseded: bool,
}

impl FindingFilter {
    /// Checks every member. What names nothing that there can be is refused.
    pub(crate) fn read(filter: Option<&v1::FindingFilter>, faults: &mut Faults) -> Self {
        let absent = v1::FindingFilter::default();
        let filter = filter.unwrap_or(&absent);
        let from = moment::read(
            filter.recorded_from.as_ref(),
            "findings.recorded_from",
            faults,
        );
        let to = moment::read(filter.recorded_to.as_ref(), "findings.recorded_to", faults);
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            faults.push(
                "findings.recorded_to",
                "must not be before `findings.recorded_from`",
            );
        }
        let mut policy_ids = |values: &[String], path: &str| {
            named(
                values,
                path,
                "is no id of a policy or clause: `[A-Za-z0-9._-]{1,64}`",
                faults,
                |id| is_id(id, true).then(|| id.to_owned()),
            )
        };
        let policies = policy_ids(&filter.policies, "findings.policies");
        let clauses = policy_ids(&filter.clauses, "findings.clauses");
        Self {
            codes: named(
                &filter.codes,
                "findings.codes",
                "is no finding's code",
                faults,
                |code| clause::class(code).map(|_| code.to_owned()),
            ),
            classes: named(
                &filter.classes,
                "findings.classes",
                "is neither `gap` nor `violation`",
                faults,
                |class| {
                    [Outcome::Gap, Outcome::Violation]
                        .map(Outcome::name)
                        .into_iter()
                        .find(|name| *name == class)
                },
            ),
            policies,
            clauses,
            services: ids(&filter.services, "findings.services", faults),
            jurisdictions: named(
                &filter.jurisdictions,
                "findings.jurisdictions",
                "is no country: ISO 3166-1 alpha-2 or ISO 3166-2, in capitals",
                faults,
                |code| country::is_country(code).then(|| code.to_owned()),
            ),
            recorded_from_ns: from.unwrap_or(i64::MIN),
            recorded_to_ns: to,
            include_suppressed: filter.include_suppressed,
            include_superseded: filter.include_superseded,
        }
    }

    /// Whether any finding of this code matches.
    pub(crate) fn takes_code(&self, code: &str) -> bool {
        (self.codes.is_empty() || self.codes.contains(code))
            && (self.classes.is_empty() || self.classes.contains(class(code)))
    }

    /// Whether any finding under this policy version matches.
    pub(crate) fn takes_policy(&self, policy: &str) -> bool {
        self.policies.is_empty() || self.policies.contains(policy)
    }

    /// Whether a finding was recorded in the time asked for.
    pub(crate) fn takes_recorded(&self, recorded_time_ns: i64) -> bool {
        recorded_time_ns >= self.recorded_from_ns
            && self.recorded_to_ns.is_none_or(|to| recorded_time_ns < to)
    }

    /// Whether the finding matches, but for whether it is suppressed or
    /// superseded.
    pub(crate) fn matches(&self, seen: &Seen, found: &Found<'_>) -> bool {
        let entry = &seen.row.entry;
        let lies_in = |wanted: &String| {
            entry.jurisdiction == *wanted
                || country::country_of(&entry.jurisdiction) == Some(wanted.as_str())
        };
        self.takes_code(found.code)
            && self.takes_policy(&found.policy)
            && self.takes_recorded(found.recorded_time_ns)
            && (self.clauses.is_empty() || found.clauses.iter().any(|id| self.clauses.contains(id)))
            && (self.services.is_empty() || self.services.contains(&entry.service))
            && (self.jurisdictions.is_empty() || self.jurisdictions.iter().any(lies_in))
    }

    /// Whether a list shows the finding, which matches.
    pub(crate) fn shows(&self, found: &Found<'_>) -> bool {
        (!found.suppressed || self.include_suppressed)
            && (!found.superseded || self.include_superseded)
    }
}
