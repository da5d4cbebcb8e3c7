//! What the contract says of findings, written out by hand.

use custody_ledger::{Finding, Judgement, Outcome};
use custody_proto::v1;

use crate::model::moment;
use crate::world::{Draft, World};

const SUBJECT: &str = "account:1001";

pub(crate) fn finding(code: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        clauses: vec!["ALB-2025.001".to_owned()],
        arguments: Vec::new(),
        suppressed: false,
        decided_by: Vec::new(),
        waiver: String::new(),
    }
}

fn with_finding(event_id: &str, at: i64, code: &str) -> Draft {
    let mut draft = Draft::collection(SUBJECT, event_id, at);
    draft.findings = vec![finding(code)];
    draft.outcome = Outcome::Gap;
    draft.judged_policy = "ALB-2025";
    draft
}

fn codes(world: &World, findings: v1::FindingFilter) -> Vec<String> {
    let request = v1::ListFindingsRequest {
        subject: SUBJECT.to_owned(),
        findings: Some(findings.clone()),
        ..Default::default()
    };
    let of_one = world.ask(request).unwrap().findings;
    let request = v1::OversightListRequest {
        findings: Some(findings),
        ..Default::default()
    };
    let asked = custody_query::OversightFindings(request);
    let of_all = world.ask(asked).unwrap().findings;
    let codes = |rows: Vec<v1::FindingRow>| -> Vec<String> {
        let mut codes: Vec<_> = rows
            .into_iter()
            .map(|row| row.finding.unwrap().code)
            .collect();
        codes.sort();
        codes
    };
    let of_one = codes(of_one);
    assert_eq!(of_one, codes(of_all));
    of_one
}

#[test]
fn a_later_judgement_takes_the_place_of_the_one_before() {
    let mut world = World::new();
    world.commit(0, &[with_finding("e-1", 1, "undeclared_purpose")]);
    let judged = world.facts[0].clone();
    for code in ["consent_missing", "sale"] {
        let judgement = Judgement {
            outcome_code: Outcome::Violation as u8,
            policy: "ALB-2025".to_owned(),
            findings: vec![finding(code)],
            ..Judgement::default()
        };
        world.rejudge(&judged, judgement);
    }
    world.catch_up();
    assert_eq!(codes(&world, v1::FindingFilter::default()), ["sale"]);
    let everything = v1::FindingFilter {
        include_superseded: true,
        ..Default::default()
    };
    assert_eq!(
        codes(&world, everything),
        ["consent_missing", "sale", "undeclared_purpose"]
    );

    let request = v1::ListEventsRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    let entries = world.ask(request.clone()).unwrap().entries;
    let entry = &entries[0];
    assert_eq!(
        (entry.judgement.as_str(), entry.judgement_at_ingest.as_str()),
        ("violation", "gap")
    );
    assert_eq!(entry.superseded_by, entries[2].position);
    let old: Vec<_> = entry
        .superseded_findings
        .iter()
        .map(|it| (it.code.as_str(), it.superseded))
        .collect();
    assert_eq!(
        old,
        [("undeclared_purpose", true), ("consent_missing", true)]
    );
    assert_eq!(entries[1].kind, "rejudged");
    let about = entries[1].about.as_ref().unwrap();
    assert_eq!(
        (&about.shard, about.sequence),
        (&judged.shard.to_string(), 0)
    );

    // What was known before the first of them.
    let before = v1::ListEventsRequest {
        as_of: Some(v1::AsOf {
            event_time: None,
            recorded_time: Some(moment(1)),
        }),
        ..request
    };
    let entry = world.ask(before).unwrap().entries.remove(0);
    assert_eq!(entry.judgement, "gap");
    assert!(entry.superseded_by.is_none() && entry.superseded_findings.is_empty());
}

#[test]
fn what_was_not_done_in_time_is_a_finding_until_its_request_is_taken_back() {
    let mut world = World::new();
    world.commit(0, &[Draft::collection(SUBJECT, "e-1", 1)]);
    let request = world.facts[0].clone();
    world.overdue(&request, request.entry.subject, 40);
    world.overdue(&request, None, 50);
    world.catch_up();
    let asked = custody_query::OversightFindings(v1::OversightListRequest::default());
    let rows = world.ask(asked).unwrap().findings;
    let due: Vec<_> = rows
        .iter()
        .map(|row| row.finding.as_ref().unwrap().due_time)
        .collect();
    assert_eq!(due, [Some(moment(40)), Some(moment(50))]);
    assert_eq!(rows[1].reference, "");
    let row = &rows[0];
    assert_eq!(row.reference, request.entry.subject.unwrap().to_string());
    assert_eq!(row.policy, "ALB-2025");
    let finding = row.finding.as_ref().unwrap();
    assert_eq!(finding.arguments, ["eu-gdpr:A12-3"]);
    assert_eq!(finding.class, "violation");
    let entry = row.entry.as_ref().unwrap();
    assert_eq!(
        (entry.kind.as_str(), entry.judgement.as_str()),
        ("overdue_found", "violation")
    );
    assert_eq!(entry.about.as_ref(), finding.decided_by.first());

    world.commit(1, &[Draft::retraction(SUBJECT, "r-1", 60, "e-1")]);
    world.catch_up();
    let asked = custody_query::OversightFindings(v1::OversightListRequest::default());
    assert_eq!(world.ask(asked).unwrap().findings.len(), 1);
    let request = v1::ListFindingsRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    assert!(world.ask(request).unwrap().findings.is_empty());
}

#[test]
fn a_retraction_hides_what_was_found() {
    let mut world = World::new();
    world.commit(
        0,
        &[
            with_finding("e-1", 1, "sale"),
            with_finding("e-2", 2, "no_policy"),
        ],
    );
    world.catch_up();
    assert_eq!(
        codes(&world, v1::FindingFilter::default()),
        ["no_policy", "sale"]
    );
    world.commit(1, &[Draft::retraction(SUBJECT, "r-1", 3, "e-1")]);
    world.catch_up();
    assert_eq!(codes(&world, v1::FindingFilter::default()), ["no_policy"]);
}

#[test]
fn a_later_page_rests_on_the_head_of_the_first() {
    let mut world = World::new();
    world.commit(
        0,
        &[
            with_finding("e-1", 1, "sale"),
            with_finding("e-2", 2, "sale"),
        ],
    );
    world.catch_up();
    let mut request = v1::OversightListRequest {
        page_size: 1,
        ..Default::default()
    };
    let ask = |world: &World, request: &v1::OversightListRequest| {
        world.ask(custody_query::OversightFindings(request.clone()))
    };
    let first = ask(&world, &request).unwrap();
    let judged = world.facts[1].clone();
    world.rejudge(&judged, Judgement::default());
    world.commit(1, &[Draft::retraction(SUBJECT, "r-1", 3, "e-2")]);
    world.catch_up();
    request.page_token.clone_from(&first.next_page_token);
    let second = ask(&world, &request).unwrap();
    assert_eq!(second.findings.len(), 1);
    assert_eq!(second.head, first.head);
    request.page_token.clear();
    let now = ask(&world, &request).unwrap();
    assert_eq!((now.findings.len(), now.next_page_token.as_str()), (1, ""));
    request.page_token = first.next_page_token;
    request.with_clauses = true;
    assert!(ask(&world, &request).is_err(), "a token of another request");
}
