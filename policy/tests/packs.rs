//! The five packs: whole, covered, and judging as their cases say.
#![allow(clippy::panic, clippy::unwrap_used)] // Helpers of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use custody_policy::{Case, FindingCode, Pack, Ruleset, Treatment};

/// Rows of the table of clauses, by policy: ids run from .001 without a gap.
const ROWS: [(&str, usize); 5] = [
    ("ALC-2017", 82),
    ("ALC-2023", 122),
    ("ALB-2020", 100),
    ("ALB-2025", 113),
    ("AE-2020", 116),
];

fn packs() -> &'static [Pack] {
    match Pack::builtin() {
        Ok(packs) => packs,
        Err(errors) => panic!("{errors}"),
    }
}

fn cases(pack: &Pack) -> Vec<Case> {
    let file = format!("cases/{}.jsonl", pack.id().to_lowercase());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Case::parse(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn every_row_of_the_table_is_a_clause() {
    for (policy, rows) in ROWS {
        let pack = packs().iter().find(|pack| pack.id() == policy).unwrap();
        let ids: BTreeSet<&str> = pack.clauses().iter().map(|c| c.id.as_str()).collect();
        for row in 1..=rows {
            let id = format!("{policy}.{row:03}");
            assert!(ids.contains(id.as_str()), "{id} is missing");
        }
        let beyond = format!("{policy}.{:03}", rows + 1);
        assert!(!ids.contains(beyond.as_str()), "{beyond} is no row");
    }
    assert_eq!(ROWS.iter().map(|(_, rows)| rows).sum::<usize>(), 533);
}

#[test]
fn less_than_a_tenth_is_only_stated() {
    let mut counts: BTreeMap<Treatment, usize> = BTreeMap::new();
    for clause in packs().iter().flat_map(Pack::clauses) {
        *counts.entry(clause.treatment).or_default() += 1;
        if clause.treatment == Treatment::Stated {
            assert!(
                !clause.treatment_detail.is_empty(),
                "{}: no reason",
                clause.id
            );
        }
    }
    let all: usize = counts.values().sum();
    let stated = counts.get(&Treatment::Stated).copied().unwrap_or_default();
    assert!(
        stated * 10 < all,
        "{stated} of {all} are stated: {counts:?}"
    );
}

#[test]
fn summaries_are_sentences_of_our_own() {
    for clause in packs().iter().flat_map(Pack::clauses) {
        assert!(
            clause.summary.len() < 400,
            "{}: too long a summary",
            clause.id
        );
        assert!(!clause.section.is_empty(), "{}: no section", clause.id);
    }
}

#[test]
fn the_packs_judge_as_their_cases_say() {
    let rules = Ruleset::compile(packs().to_vec()).unwrap();
    let mut failed = Vec::new();
    for pack in packs() {
        for case in cases(pack) {
            let result = case.run(&rules).unwrap();
            if !result.failures.is_empty() {
                failed.push(format!(
                    "{}\n  {}\n  {}",
                    case.id,
                    result.failures.join("\n  "),
                    result.steps.join("\n  ")
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn each_policy_has_forty_cases_of_both_sorts_with_their_sections() {
    for pack in packs() {
        let cases = cases(pack);
        let conforming = cases
            .iter()
            .filter(|case| case.expect.judgement == "conforms")
            .count();
        assert!(cases.len() >= 40, "{}: {} cases", pack.id(), cases.len());
        let apart = (2 * conforming).abs_diff(cases.len());
        assert!(
            apart * 10 <= cases.len() * 2,
            "{}: {conforming} of {} conform",
            pack.id(),
            cases.len()
        );
        let mut names = BTreeSet::new();
        for case in &cases {
            assert!(!case.section.is_empty(), "{}: no section", case.id);
            assert!(!case.expect.clauses_any.is_empty() || case.expect.judgement != "conforms");
            assert!(names.insert(case.id.clone()), "{} is there twice", case.id);
        }
    }
}

#[test]
fn every_code_that_an_event_can_have_is_reached() {
    let by_time = [FindingCode::ResponseOverdue, FindingCode::NoticeOverdue];
    let rules = Ruleset::compile(packs().to_vec()).unwrap();
    let reached: BTreeSet<FindingCode> = packs()
        .iter()
        .flat_map(cases)
        .flat_map(|case| case.run(&rules).unwrap().verdict.findings)
        .map(|finding| finding.code)
        .collect();
    for code in FindingCode::ALL {
        assert_eq!(
            reached.contains(&code),
            !by_time.contains(&code),
            "{}",
            code.name()
        );
    }
}
