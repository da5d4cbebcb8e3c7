//! Findings of one person and of everybody, against a plain model.

use std::collections::{BTreeMap, BTreeSet};

use custody_ledger::{Act, Finding, HouseRecord};
use custody_proto::v1;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::model::{CODES, COUNTRIES, moment};
use crate::oracle::{Oracle, Question};
use crate::world::{Fact, World};

pub(crate) type FindingQuestion = v1::FindingFilter;

pub(crate) fn finding_question() -> impl Strategy<Value = FindingQuestion> {
    let texts = |of: &'static [&'static str]| {
        subsequence(of, 0..=2).prop_map(|texts| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        })
    };
    let narrowed = prop_oneof![
        3 => Just(v1::FindingFilter::default()),
        1 => texts(&CODES).prop_map(|codes| v1::FindingFilter { codes, ..Default::default() }),
        1 => select(&["gap", "violation"][..])
            .prop_map(|class| v1::FindingFilter { classes: vec![class.to_owned()], ..Default::default() }),
        1 => texts(&["ALB-2025", "ALC-2023"])
            .prop_map(|policies| v1::FindingFilter { policies, ..Default::default() }),
        1 => texts(&["ALB-2025.001", "ALC-2023.009"])
            .prop_map(|clauses| v1::FindingFilter { clauses, ..Default::default() }),
        1 => texts(&COUNTRIES[1..])
            .prop_map(|jurisdictions| v1::FindingFilter { jurisdictions, ..Default::default() }),
        1 => texts(&["shop.example", "other"])
            .prop_map(|services| v1::FindingFilter { services, ..Default::default() }),
        1 => (0..8i64, 8..16i64).prop_map(|(from, to)| v1::FindingFilter {
            recorded_from: Some(moment(from)),
            recorded_to: Some(moment(to)),
            ..Default::default()
        }),
    ];
    (narrowed, any::<bool>(), any::<bool>()).prop_map(|(filter, suppressed, superseded)| {
        v1::FindingFilter {
            include_suppressed: suppressed,
            include_superseded: superseded,
            ..filter
        }
    })
}

/// A finding as the plain model knows it.
#[derive(Clone)]
struct Expected {
    fact: Fact,
    finding: Finding,
    policy: String,
    holder: Fact,
    superseded: bool,
}

/// (code, policy, entry, holder, suppressed, superseded, class)
type Shown = (
    String,
    String,
    (String, u64),
    (String, u64),
    bool,
    bool,
    String,
);

impl Expected {
    fn class(&self) -> &'static str {
        match self.finding.code.as_str() {
            "no_policy" | "undeclared_purpose" => "gap",
            _ => "violation",
        }
    }

    fn key(&self) -> Shown {
        (
            self.finding.code.clone(),
            self.policy.clone(),
            (self.fact.shard.to_string(), self.fact.sequence),
            (self.holder.shard.to_string(), self.holder.sequence),
            self.finding.suppressed,
            self.superseded,
            self.class().to_owned(),
        )
    }

    fn matches(&self, filter: &v1::FindingFilter) -> bool {
        let any =
            |wanted: &[String], said: &str| wanted.is_empty() || wanted.iter().any(|w| w == said);
        let recorded = self.holder.recorded_ns;
        let entry = &self.fact.entry;
        any(&filter.codes, &self.finding.code)
            && any(&filter.classes, self.class())
            && any(&filter.policies, &self.policy)
            && any(&filter.services, &entry.service)
            && (filter.clauses.is_empty()
                || self
                    .finding
                    .clauses
                    .iter()
                    .any(|id| filter.clauses.contains(id)))
            && (filter.jurisdictions.is_empty()
                || filter.jurisdictions.iter().any(|wanted| {
                    entry.jurisdiction == *wanted
                        || entry.jurisdiction.split('-').next() == Some(wanted.as_str())
                }))
            && filter
                .recorded_from
                .is_none_or(|from| recorded >= from.unix_nanos().unwrap())
            && filter
                .recorded_to
                .is_none_or(|to| recorded < to.unix_nanos().unwrap())
    }
}

/// Every finding that matches, in order of event time, shard and sequence,
/// whether or not it is suppressed or superseded.
fn expected(oracle: &Oracle<'_>, question: &Question, filter: &v1::FindingFilter) -> Vec<Expected> {
    let until = Oracle::recorded_until(question);
    let mut found = Vec::new();
    for (fact, retracted) in oracle.matching(question) {
        if retracted {
            continue;
        }
        if let Act::House(HouseRecord::OverdueFound { code, clauses, .. }) = &fact.entry.act {
            found.push(Expected {
                finding: Finding {
                    code: code.clone(),
                    clauses: clauses.clone(),
                    arguments: Vec::new(),
                    suppressed: false,
                    decided_by: Vec::new(),
                    waiver: String::new(),
                },
                policy: "ALB-2025".to_owned(),
                holder: fact.clone(),
                superseded: false,
                fact,
            });
            continue;
        }
        let judgements = oracle.judgements(&fact, until);
        for (index, (judgement, holder)) in judgements.iter().enumerate() {
            for finding in &judgement.findings {
                found.push(Expected {
                    fact: fact.clone(),
                    finding: finding.clone(),
                    policy: judgement.policy.clone(),
                    holder: holder.clone(),
                    superseded: index + 1 < judgements.len(),
                });
            }
        }
    }
    found.retain(|finding| finding.matches(filter));
    found
}

fn listed(found: &[Expected], filter: &v1::FindingFilter) -> Vec<Shown> {
    let listed = found.iter().filter(|finding| {
        (!finding.finding.suppressed || filter.include_suppressed)
            && (!finding.superseded || filter.include_superseded)
    });
    listed.map(Expected::key).collect()
}

/// Code, policy, in force, suppressed, superseded, first and last of those in
/// force.
type Counted = (String, String, [u64; 3], Option<(i64, i64)>);

fn counted(found: &[Expected]) -> Vec<Counted> {
    let mut counts: BTreeMap<_, ([u64; 3], Vec<i64>)> = BTreeMap::new();
    for finding in found {
        let key = (finding.finding.code.clone(), finding.policy.clone());
        let count = counts.entry(key).or_default();
        let which = match (finding.superseded, finding.finding.suppressed) {
            (true, _) => 2,
            (false, true) => 1,
            (false, false) => 0,
        };
        count.0[which] += 1;
        if !finding.superseded {
            count.1.push(finding.fact.entry.event_time_ns);
        }
    }
    let counts = counts.into_iter().map(|((code, policy), (counts, times))| {
        let range = times.iter().min().copied().zip(times.iter().max().copied());
        (code, policy, counts, range)
    });
    counts.collect()
}

fn counts_of(answer: v1::GetFindingSummaryResponse) -> Vec<Counted> {
    let nanos =
        |time: Option<custody_proto::Timestamp>| time.map(|time| time.unix_nanos().unwrap());
    let counts = answer.counts.into_iter().map(|count| {
        let range = nanos(count.first_time).zip(nanos(count.last_time));
        (
            count.code,
            count.policy,
            [count.count, count.suppressed, count.superseded],
            range,
        )
    });
    counts.collect()
}

fn shown(row: &v1::FindingRow) -> Shown {
    let at = |position: Option<&v1::EntryPosition>| {
        let position = position.unwrap();
        (position.shard.clone(), position.sequence)
    };
    let finding = row.finding.as_ref().unwrap();
    let entry = row.entry.as_ref().unwrap();
    // A row shows the entry with all of its findings, and is one of them.
    let all = if finding.superseded {
        &entry.superseded_findings
    } else {
        &entry.findings
    };
    assert!(all.contains(finding));
    (
        finding.code.clone(),
        row.policy.clone(),
        at(entry.position.as_ref()),
        at(row.found_by.as_ref()),
        finding.suppressed,
        finding.superseded,
        finding.class.clone(),
    )
}

pub(crate) fn check_person(
    world: &World,
    subject: &str,
    question: &Question,
    filter: &FindingQuestion,
    page_size: i32,
) {
    let Some(identity) = world.vault.lookup(subject).unwrap() else {
        return;
    };
    let references: BTreeSet<String> = identity
        .persons
        .iter()
        .map(|person| custody_ledger::SubjectReference(person.reference()).to_string())
        .collect();
    let oracle = Oracle { world, references };
    let ascending = Question {
        descending: false,
        ..question.clone()
    };
    let expected = expected(&oracle, &ascending, filter);
    let mut request = v1::ListFindingsRequest {
        subject: subject.to_owned(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        findings: Some(filter.clone()),
        page_size,
        ..Default::default()
    };
    let mut rows = Vec::new();
    loop {
        let page = world.ask(request.clone()).unwrap();
        assert!(page.findings.len() <= page_size as usize);
        assert!(
            page.findings
                .iter()
                .all(|row| oracle.references.contains(&row.reference))
        );
        rows.extend(page.findings.iter().map(shown));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(rows, listed(&expected, filter));
    let summary = world.ask(v1::GetFindingSummaryRequest {
        subject: subject.to_owned(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        findings: Some(filter.clone()),
        ..Default::default()
    });
    assert_eq!(counts_of(summary.unwrap()), counted(&expected));
}

pub(crate) fn check_everybody(
    world: &World,
    question: &Question,
    filter: &FindingQuestion,
    page_size: i32,
) {
    let mut references: BTreeSet<String> = BTreeSet::from([String::new()]);
    for fact in &world.facts {
        references.extend(fact.entry.subject.map(|subject| subject.to_string()));
    }
    let oracle = Oracle { world, references };
    let question = Question {
        descending: false,
        ..question.clone()
    };
    let mut expected = expected(&oracle, &question, filter);
    // Stable: within a code and a policy the order stays.
    expected.sort_by_key(|found| (found.finding.code.clone(), found.policy.clone()));
    let mut request = v1::OversightListRequest {
        filter: Some(question.filter.clone()),
        findings: Some(filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let mut rows = Vec::new();
    loop {
        let asked = custody_query::OversightFindings(request.clone());
        let page = world.ask(asked).unwrap();
        assert!(page.findings.len() <= page_size as usize);
        rows.extend(page.findings.iter().map(shown));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(rows, listed(&expected, filter));
    let summary = world.ask(v1::OversightFindingSummaryRequest {
        filter: Some(question.filter.clone()),
        findings: Some(filter.clone()),
        as_of: question.as_of,
        ..Default::default()
    });
    assert_eq!(counts_of(summary.unwrap()), counted(&expected));
}
