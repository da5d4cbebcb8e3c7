//! What is known of a person stays bounded, and an entry knows nothing of
//! itself.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use custody_policy::{
    EntryRef, FindingCode, Outcome, Provenance, Ruleset, Said, Settings, SubjectState, judge,
};

const DAY_NS: i64 = 86_400_000_000_000;

fn said(kind: &str, data: &str) -> Said {
    said_at("2025-07-01T00:00:00Z", kind, data)
}

fn said_at(time: &str, kind: &str, data: &str) -> Said {
    Said::parse(
        format!(
            r#"{{"specversion": "1.0", "id": "e", "source": "//shop.example",
                "type": "custody.{kind}.v1", "time": "{time}", "data": {data}}}"#
        )
        .as_bytes(),
    )
    .unwrap()
}

fn at(sequence: u64) -> Provenance<'static> {
    let mut tag = [0; 16];
    tag[..8].copy_from_slice(&sequence.to_le_bytes());
    Provenance {
        at: EntryRef {
            shard: [7; 16],
            sequence,
        },
        tag,
        ..Provenance::default()
    }
}

fn person() -> &'static str {
    r#""subject": {"ids": ["account:1001"], "jurisdiction": "US"}, "service": "alibaba.com""#
}

fn codes(state: &SubjectState, said: &Said, entry: Option<EntryRef>) -> Vec<FindingCode> {
    let settings = Settings {
        entry,
        ..Settings::default()
    };
    let facts = said.facts().unwrap();
    judge(Ruleset::builtin(), &facts, state, &settings)
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect()
}

#[test]
fn a_hostile_producer_cannot_grow_a_state() {
    let recipients: Vec<String> = (0..256).map(|n| format!("\"party-{n:0>50}\"")).collect();
    let consent = |kind: &str, scope: &str| {
        said(
            kind,
            &format!(
                r#"{{{}, "consent": {{"scope": ["{scope}"], "recipients": [{}]}}}}"#,
                person(),
                recipients.join(",")
            ),
        )
    };
    let events = [
        consent("consent_given", "custody:marketing"),
        consent("consent_withdrawn", "custody:location"),
        said("erasure", &format!(r#"{{{}, "erasure": {{}}}}"#, person())),
        said("restriction", &format!("{{{}}}", person())),
        said("account_closed", &format!("{{{}}}", person())),
        said(
            "objection",
            &format!(
                r#"{{{}, "objection": {{"kind": "opt_out", "scope": ["custody:marketing"]}}}}"#,
                person()
            ),
        ),
    ];
    let mut state = SubjectState::default();
    for sequence in 0..3_000u64 {
        let mut event = events[sequence as usize % events.len()].clone();
        event.time_ns += i64::try_from(sequence).unwrap() * DAY_NS / 100;
        let mut from = at(sequence);
        from.request = Some(from.tag);
        state.apply(&event.facts().unwrap(), from);
    }
    let bytes = state.encode();
    assert!(bytes.len() < 512 << 10, "{} bytes", bytes.len());
    assert_eq!(SubjectState::decode(&bytes).unwrap(), state);
    assert!(state.known_since_ns().is_some());
}

#[test]
fn what_is_kept_answers_as_before_since_the_time_that_it_says() {
    // The same opt-out and consent over and over: what was forgotten is old.
    let out = said(
        "objection",
        &format!(
            r#"{{{}, "objection": {{"kind": "opt_out", "scope": ["custody:marketing"]}}}}"#,
            person()
        ),
    );
    let given = said(
        "consent_given",
        &format!(
            r#"{{{}, "consent": {{"scope": ["custody:marketing"]}}}}"#,
            person()
        ),
    );
    let mut state = SubjectState::default();
    let mut moments = Vec::new();
    for sequence in 0..1_000u64 {
        let stopped = sequence % 2 == 0;
        let mut event = if stopped { out.clone() } else { given.clone() };
        event.time_ns += i64::try_from(sequence).unwrap() * DAY_NS / 10;
        moments.push((event.time_ns, stopped));
        state.apply(&event.facts().unwrap(), at(sequence));
    }
    let since = state.known_since_ns().unwrap();
    let mut marketing = said(
        "use",
        &format!(
            r#"{{{}, "purposes": ["custody:marketing"],
                "categories": [{{"term": "custody:contact"}}], "use": {{"operation": "dpv:Use"}}}}"#,
            person()
        ),
    );
    let mut asked = 0;
    for (time_ns, stopped) in moments {
        marketing.time_ns = time_ns + 1;
        if marketing.time_ns >= since {
            let found = codes(&state, &marketing, None).contains(&FindingCode::OptedOut);
            assert_eq!(found, stopped, "at {time_ns}, known since {since}");
            asked += 1;
        }
    }
    assert!(asked > 100, "only {asked} moments are remembered");
}

#[test]
fn an_entry_is_not_decided_by_itself() {
    let mut state = SubjectState::default();
    let used = said(
        "use",
        r#"{"subject": {"ids": ["account:1001"], "jurisdiction": "US", "minor": true},
            "service": "alibaba.com", "purposes": ["custody:account"],
            "categories": [{"term": "custody:contact"}], "use": {"operation": "dpv:Use"}}"#,
    );
    let facts = used.facts().unwrap();
    let settings = Settings {
        entry: Some(at(5).at),
        ..Settings::default()
    };
    let before = judge(Ruleset::builtin(), &facts, &state, &settings);
    assert_eq!(before.outcome, Outcome::Violation);
    state.apply(&facts, at(5));
    let after = judge(Ruleset::builtin(), &facts, &state, &settings);
    assert_eq!(before, after);
    // To another entry it is news.
    let settings = Settings {
        entry: Some(at(6).at),
        ..Settings::default()
    };
    let other = judge(Ruleset::builtin(), &facts, &state, &settings);
    assert_eq!(other.findings[0].decided_by, [at(5).at]);
}

#[test]
fn at_equal_times_what_stands_before_counts() {
    let restriction = said("restriction", &format!("{{{}}}", person()));
    let used = said(
        "use",
        &format!(
            r#"{{{}, "purposes": ["custody:account"],
                "categories": [{{"term": "custody:contact"}}], "use": {{"operation": "dpv:Use"}}}}"#,
            person()
        ),
    );
    let mut state = SubjectState::default();
    state.apply(&restriction.facts().unwrap(), at(5));
    assert_eq!(codes(&state, &used, Some(at(4).at)), []);
    assert_eq!(
        codes(&state, &used, Some(at(6).at)),
        [FindingCode::Restricted]
    );
}

#[test]
fn what_was_taken_back_before_it_came_counts_for_nothing() {
    let restriction = said("restriction", &format!("{{{}}}", person()));
    let retraction = said(
        "retraction",
        &format!(
            r#"{{{}, "retraction": {{"of": {{"source": "//shop.example", "id": "r"}}}}}}"#,
            person()
        ),
    );
    let mut state = SubjectState::default();
    let mut from = at(1);
    from.retracts = Some(at(9).tag);
    state.apply(&retraction.facts().unwrap(), from);
    state.apply(&restriction.facts().unwrap(), at(9));
    let used = said(
        "use",
        &format!(
            r#"{{{}, "purposes": ["custody:account"],
                "categories": [{{"term": "custody:contact"}}], "use": {{"operation": "dpv:Use"}}}}"#,
            person()
        ),
    );
    assert_eq!(codes(&state, &used, None), []);
}

/// 2025-07-01.
const MARKED_DAY: i32 = 20_270;

fn is_after_erasure(state: &SubjectState, time: &str) -> bool {
    let purposes = r#""purposes": ["orders"], "use": {"operation": "dpv:Analyse"}"#;
    let used = said_at(time, "use", &format!("{{{}, {purposes}}}", person()));
    codes(state, &used, None).contains(&FindingCode::AfterErasure)
}

#[test]
fn a_mark_holds_from_its_day_on_until_it_is_lifted() {
    let collected = |origin: &str| {
        let block = format!(r#""collection": {{"origin": "{origin}"}}"#);
        said_at(
            "2025-07-02T12:00:00Z",
            "collection",
            &format!("{{{}, {block}}}", person()),
        )
    };
    let consent = r#""consent": {"scope": ["custody:marketing"]}"#;
    let consented = said_at(
        "2025-07-02T12:00:00Z",
        "consent_given",
        &format!("{{{}, {consent}}}", person()),
    );
    let marked = SubjectState::erased_on(MARKED_DAY);
    let after = |lifts: &[&Said]| {
        let mut state = marked.clone();
        for (said, sequence) in lifts.iter().zip(1..) {
            state.apply(&said.facts().unwrap(), at(sequence));
        }
        // It is as good from what is stored as it is in memory.
        assert_eq!(SubjectState::decode(&state.encode()).unwrap(), state);
        [
            "2025-06-30T23:59:59Z",
            "2025-07-01T00:00:00Z",
            "2025-07-02T11:59:59Z",
            "2025-07-02T12:00:01Z",
        ]
        .map(|time| is_after_erasure(&state, time))
    };
    assert_eq!(after(&[]), [false, true, true, true]);
    assert_eq!(
        after(&[&collected("third_party")]),
        [false, true, true, true]
    );
    assert_eq!(after(&[&collected("subject")]), [false, true, true, false]);
    assert_eq!(after(&[&consented]), [false, true, true, false]);
    // Somebody who was not marked is not.
    assert!(!is_after_erasure(
        &SubjectState::default(),
        "2025-07-03T00:00:00Z"
    ));
}

#[test]
fn a_mark_goes_with_whom_a_person_is_linked_to_and_is_not_taken_back() {
    let mut state = SubjectState::default();
    state.mark_erased_on(MARKED_DAY);
    state.mark_erased_on(MARKED_DAY - 9);
    assert!(is_after_erasure(&state, "2025-07-03T00:00:00Z"));
    let retraction = format!(
        r#"{{{}, "retraction": {{"of": {{"source": "//shop.example", "id": "x"}}}}}}"#,
        person()
    );
    let taken_back = Provenance {
        retracts: Some([0; 16]),
        ..at(1)
    };
    state.apply(
        &said("retraction", &retraction).facts().unwrap(),
        taken_back,
    );
    assert!(is_after_erasure(&state, "2025-07-03T00:00:00Z"));
}

#[test]
fn of_a_mark_and_a_claim_the_later_one_counts() {
    let mut state = SubjectState::erased_on(MARKED_DAY);
    let erased = said_at(
        "2025-07-04T00:00:00Z",
        "erasure",
        &format!(r#"{{{}, "erasure": {{}}}}"#, person()),
    );
    let fresh = said_at(
        "2025-07-03T00:00:00Z",
        "collection",
        &format!(r#"{{{}, "collection": {{"origin": "subject"}}}}"#, person()),
    );
    state.apply(&fresh.facts().unwrap(), at(1));
    state.apply(&erased.facts().unwrap(), at(2));
    assert!(is_after_erasure(&state, "2025-07-02T00:00:00Z"));
    assert!(!is_after_erasure(&state, "2025-07-03T12:00:00Z"));
    assert!(is_after_erasure(&state, "2025-07-05T00:00:00Z"));
}
