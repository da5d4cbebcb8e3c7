//! Findings of one person and of everybody, against a plain model.

use std::collections::BTreeMap;

use custody_proto::{Timestamp, v1};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::entry_model::{Expected, Show, findings_of};
use crate::model::{CODES, COUNTRIES, moment};
use crate::oracle::{Oracle, Question};
use crate::person_model::{Whose, assert_same, walk};
use crate::world::World;

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

fn matches(found: &Expected<'_>, filter: &v1::FindingFilter) -> bool {
    let any = |wanted: &[String], said: &str| wanted.is_empty() || wanted.iter().any(|w| w == said);
    let recorded = found.holder.recorded_ns;
    let entry = &found.fact.entry;
    any(&filter.codes, &found.finding.code)
        && any(&filter.classes, found.class())
        && any(&filter.policies, &found.policy)
        && any(&filter.services, &entry.service)
        && (filter.clauses.is_empty()
            || found
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

/// Every finding that matches, in order of event time, shard and sequence,
/// whether or not it is suppressed or superseded.
fn expected<'a>(
    oracle: &Oracle<'a>,
    question: &Question,
    filter: &v1::FindingFilter,
) -> Vec<Expected<'a>> {
    let standing = oracle.standing(question).into_iter();
    standing
        .flat_map(|fact| findings_of(oracle, fact, question.recorded_until()))
        .filter(|found| matches(found, filter))
        .collect()
}

fn listed(
    oracle: &Oracle<'_>,
    found: &[Expected<'_>],
    filter: &v1::FindingFilter,
    show: Show,
) -> Vec<v1::FindingRow> {
    let listed = found.iter().filter(|found| {
        (!found.finding.suppressed || filter.include_suppressed)
            && (!found.superseded || filter.include_superseded)
    });
    listed.map(|found| found.row(oracle, show)).collect()
}

fn counted(found: &[Expected<'_>]) -> Vec<v1::FindingCount> {
    let mut counts: BTreeMap<_, (v1::FindingCount, Vec<i64>)> = BTreeMap::new();
    for finding in found {
        let key = (finding.finding.code.clone(), finding.policy.clone());
        let (count, times) = counts.entry(key).or_default();
        finding.class().clone_into(&mut count.class);
        match (finding.superseded, finding.finding.suppressed) {
            (true, _) => count.superseded += 1,
            (false, true) => count.suppressed += 1,
            (false, false) => count.count += 1,
        }
        if !finding.superseded {
            times.push(finding.fact.entry.event_time_ns);
        }
    }
    let moment = |time: Option<&i64>| time.copied().map(Timestamp::from_unix_nanos);
    let counts = counts.into_iter();
    counts
        .map(|((code, policy), (count, times))| v1::FindingCount {
            code,
            policy,
            first_time: moment(times.iter().min()),
            last_time: moment(times.iter().max()),
            ..count
        })
        .collect()
}

/// Every page of a person's findings is what is expected.
pub(crate) fn check_person(
    world: &World,
    whose: &Whose,
    question: &Question,
    filter: &FindingQuestion,
    with_clauses: bool,
    page_size: i32,
) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    let expected = expected(&oracle, &question.ascending(), filter);
    let mut request = v1::ListFindingsRequest {
        subject: whose.subject.clone(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        findings: Some(filter.clone()),
        with_clauses,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(request.clone()).unwrap();
        (page.findings, page.next_page_token)
    });
    let show = Show {
        until: question.recorded_until(),
        with_clauses,
        full: false,
    };
    assert_same(&rows, &listed(&oracle, &expected, filter, show));
}

pub(crate) fn check_person_summary(
    world: &World,
    whose: &Whose,
    question: &Question,
    filter: &FindingQuestion,
) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    let summary = world.ask(v1::GetFindingSummaryRequest {
        subject: whose.subject.clone(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        findings: Some(filter.clone()),
        ..Default::default()
    });
    let expected = expected(&oracle, &question.ascending(), filter);
    assert_same(&summary.unwrap().counts, &counted(&expected));
}

pub(crate) fn check_everybody(
    world: &World,
    question: &Question,
    filter: &FindingQuestion,
    with_clauses: bool,
    page_size: i32,
) {
    let oracle = Oracle::everybody(world);
    let mut expected = expected(&oracle, &question.ascending(), filter);
    // Stable: within a code and a policy the order stays.
    expected.sort_by_key(|found| (found.finding.code.clone(), found.policy.clone()));
    let mut request = v1::OversightListRequest {
        filter: Some(question.filter.clone()),
        findings: Some(filter.clone()),
        as_of: question.as_of,
        with_clauses,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let asked = custody_query::OversightFindings(request.clone());
        let page = world.ask(asked).unwrap();
        (page.findings, page.next_page_token)
    });
    let show = Show {
        until: question.recorded_until(),
        with_clauses,
        full: false,
    };
    assert_same(&rows, &listed(&oracle, &expected, filter, show));
}

pub(crate) fn check_everybody_summary(
    world: &World,
    question: &Question,
    filter: &FindingQuestion,
) {
    let oracle = Oracle::everybody(world);
    let summary = world.ask(v1::OversightFindingSummaryRequest {
        filter: Some(question.filter.clone()),
        findings: Some(filter.clone()),
        as_of: question.as_of,
        ..Default::default()
    });
    let expected = expected(&oracle, &question.ascending(), filter);
    assert_same(&summary.unwrap().counts, &counted(&expected));
}
