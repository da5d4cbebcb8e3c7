//! What a person consented to and stopped, as it stands at a moment.

use custody_ledger::{Act, Kind};
use custody_proto::{Timestamp, v1};

use crate::world::{Draft, SECOND, START, World};

const SUBJECT: &str = "account:1001";

fn said(kind: Kind, event_id: &str, at: i64, act: &str) -> Draft {
    let mut draft = Draft::new(SUBJECT, event_id, at, kind, Act::None);
    draft.data = Some(format!(
        r#"{{"subject": {{"ids": ["{SUBJECT}"]}}, "service": "shop.example"{act}}}"#
    ));
    draft
}

fn given(event_id: &str, at: i64, scope: &str, more: &str) -> Draft {
    let act = format!(r#", "consent": {{"scope": ["{scope}"], "method": "explicit"{more}}}"#);
    said(Kind::ConsentGiven, event_id, at, &act)
}

fn withdrawn(event_id: &str, at: i64, scope: &str) -> Draft {
    let act = format!(r#", "consent": {{"scope": ["{scope}"]}}"#);
    said(Kind::ConsentWithdrawn, event_id, at, &act)
}

fn objected(event_id: &str, at: i64, scope: &str, kind: &str) -> Draft {
    let act = format!(r#", "objection": {{"kind": "{kind}", "scope": ["{scope}"]}}"#);
    said(Kind::Objection, event_id, at, &act)
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_unix_nanos(START + at * SECOND)
}

fn ask(world: &World, at: i64) -> v1::GetConsentStateResponse {
    let request = v1::GetConsentStateRequest {
        subject: SUBJECT.to_owned(),
        as_of: Some(v1::AsOf {
            event_time: Some(moment(at)),
            recorded_time: None,
        }),
        ..Default::default()
    };
    world.ask(request).unwrap()
}

/// Term, state, since.
fn scopes(answer: &v1::GetConsentStateResponse) -> Vec<(String, String, i64)> {
    let scopes = answer.scopes.iter().map(|scope| {
        let since = scope.since.unwrap().unix_nanos().unwrap();
        (
            scope.scope.clone(),
            scope.state.clone(),
            (since - START) / SECOND,
        )
    });
    scopes.collect()
}

fn world(drafts: &[Draft]) -> World {
    let mut world = World::new();
    world.commit(0, drafts);
    world.catch_up();
    world
}

#[test]
fn a_consent_is_given_withdrawn_and_given_again() {
    let world = world(&[
        given("c-1", 10, "custody:marketing", ""),
        withdrawn("c-2", 20, "marketing"),
        given("c-3", 30, "custody:marketing", ""),
    ]);
    let at = |at| scopes(&ask(&world, at));
    let one = |state: &str, since| vec![("custody:marketing".to_owned(), state.to_owned(), since)];
    assert!(at(9).is_empty());
    assert_eq!(at(10), one("given", 10));
    assert_eq!(at(19), one("given", 10));
    assert_eq!(at(20), one("withdrawn", 20));
    assert_eq!(at(30), one("given", 30));

    let answer = ask(&world, 30);
    let scope = &answer.scopes[0];
    assert_eq!(scope.entry.as_ref().unwrap().sequence, 2);
    assert_eq!(
        (scope.method.as_str(), scope.expressed_by.as_str()),
        ("explicit", "subject")
    );
    assert_eq!(scope.service, "shop.example");
    assert_eq!(answer.consents[0].scope, "custody:marketing");
    assert!(ask(&world, 20).consents.is_empty());
}

#[test]
fn a_withdrawal_of_what_is_broader_withdraws_what_is_narrower_and_not_the_other_way_round() {
    let narrower = world(&[
        given("c-1", 10, "dpv:DirectMarketing", ""),
        withdrawn("c-2", 20, "dpv:Marketing"),
    ]);
    let states = scopes(&ask(&narrower, 30));
    assert_eq!(states[0].0, "dpv:DirectMarketing");
    assert_eq!(states[0].1, "withdrawn");

    let broader = world(&[
        given("c-1", 10, "dpv:Marketing", ""),
        withdrawn("c-2", 20, "dpv:DirectMarketing"),
    ]);
    let states = scopes(&ask(&broader, 30));
    let of = |term: &str| &states.iter().find(|state| state.0 == term).unwrap().1;
    assert_eq!(of("dpv:Marketing"), "given");
    assert_eq!(of("dpv:DirectMarketing"), "withdrawn");
}

#[test]
fn a_consent_expires_and_an_older_one_that_does_not_stands() {
    let expires = r#", "expires_at": "2025-01-01T00:00:25Z""#;
    let alone = world(&[given("c-1", 10, "custody:marketing", expires)]);
    let before = ask(&alone, 24);
    assert_eq!(before.scopes[0].until, Some(moment(25)));
    assert_eq!(before.consents[0].expires_at, Some(moment(25)));
    assert_eq!(scopes(&ask(&alone, 25))[0].1, "expired");
    assert_eq!(scopes(&ask(&alone, 25))[0].2, 25);
    // Without a moment it is asked for now.
    let now = alone.ask(v1::GetConsentStateRequest {
        subject: SUBJECT.to_owned(),
        ..Default::default()
    });
    assert_eq!(now.unwrap().scopes[0].state, "expired");

    let older = world(&[
        given("c-0", 5, "custody:marketing", ""),
        given("c-1", 10, "custody:marketing", expires),
    ]);
    assert_eq!(scopes(&ask(&older, 24))[0].2, 10);
    assert_eq!(
        scopes(&ask(&older, 26)),
        [("custody:marketing".to_owned(), "given".to_owned(), 5)]
    );
}

#[test]
fn a_stop_holds_until_a_later_consent() {
    let world = world(&[
        given("c-1", 10, "custody:marketing", ""),
        objected("o-1", 20, "custody:marketing", "opt_out"),
        given("c-2", 30, "custody:marketing", ""),
        objected("o-2", 40, "custody:marketing", "objection"),
    ]);
    let stopped = ask(&world, 20);
    assert_eq!(scopes(&stopped)[0].1, "stopped");
    assert_eq!(stopped.scopes[0].stopped_as, "opt_out");
    assert_eq!(stopped.objections, ["custody:marketing"]);
    assert!(stopped.consents.is_empty());
    assert_eq!(scopes(&ask(&world, 30))[0].1, "given");
    assert_eq!(ask(&world, 40).scopes[0].stopped_as, "objection");
}

#[test]
fn a_consent_for_some_recipients_is_a_row_of_its_own() {
    let world = world(&[
        given("c-1", 10, "custody:marketing", ""),
        given(
            "c-2",
            11,
            "custody:marketing",
            r#", "recipients": ["adnet"]"#,
        ),
        said(
            Kind::ConsentWithdrawn,
            "c-3",
            20,
            r#", "consent": {"scope": ["custody:marketing"], "recipients": ["adnet"]}"#,
        ),
    ]);
    let answer = ask(&world, 30);
    let rows: Vec<_> = answer
        .scopes
        .iter()
        .map(|scope| (scope.recipients.clone(), scope.state.as_str()))
        .collect();
    assert_eq!(
        rows,
        [(vec![], "given"), (vec!["adnet".to_owned()], "withdrawn")]
    );
}

#[test]
fn what_was_taken_back_says_nothing_and_a_restriction_is_lifted() {
    let world = world(&[
        given("c-1", 10, "custody:marketing", ""),
        Draft::retraction(SUBJECT, "r-1", 50, "c-1"),
        said(Kind::Restriction, "x-1", 20, ""),
        said(Kind::RestrictionLifted, "x-2", 30, ""),
    ]);
    assert!(scopes(&ask(&world, 15)).is_empty());
    let restricted = ask(&world, 25);
    assert!(restricted.restricted);
    assert_eq!(restricted.restricted_since, Some(moment(20)));
    assert_eq!(restricted.restricted_by.unwrap().sequence, 2);
    let lifted = ask(&world, 30);
    assert!(!lifted.restricted && lifted.restricted_since.is_none());
}
