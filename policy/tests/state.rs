//! What is known of a person stays bounded, and an entry knows nothing of
//! itself.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use custody_policy::{
    EntryRef, FindingCode, Outcome, Provenance, Ruleset, Said, Settings, SubjectState, judge,
};

const DAY_NS: i64 = 86_400_000_000_000;

fn said(kind: &str, data: &str) -> Said {
    Said::parse(
        format!(
            r#"{{"specversion": "1.0", "id": "e", "source": "//shop.example",
                "type": "custody.{kind}.v1", "time": "2025-07-01T00:00:00Z", "data": {data}}}"#
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
