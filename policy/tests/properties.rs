//! What holds for any event, any history and any pack.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use custody_policy::{
    Case, FindingCode, Outcome, Pack, Provenance, Rehearsal, Ruleset, Said, SubjectState, Verdict,
};
use proptest::prelude::*;

/// Every event of every case: the ones that are judged, and their histories.
static EVENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut events = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            assert!(Case::parse(line).is_ok());
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            events.extend(
                case["history"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(ToString::to_string),
            );
            events.push(case["event"].to_string());
        }
    }
    events
});

fn said(index: usize) -> Said {
    Said::parse(EVENTS[index % EVENTS.len()].as_bytes()).unwrap()
}

fn judged(rules: &Ruleset, history: &[usize], event: usize) -> Verdict {
    let mut person = Rehearsal::new(rules).with_retention_days(Some(30));
    for index in history {
        person.take(&said(*index)).unwrap();
    }
    person.judge(&said(event)).unwrap()
}

fn packs() -> &'static [Pack] {
    Pack::builtin().unwrap()
}

/// What an event says that no clause declares: code and term.
fn undeclared(verdict: &Verdict) -> BTreeSet<(FindingCode, String)> {
    verdict
        .findings
        .iter()
        .filter(|finding| {
            matches!(
                finding.code,
                FindingCode::UndeclaredCategory
                    | FindingCode::UndeclaredPurpose
                    | FindingCode::UndeclaredRecipient
                    | FindingCode::UndeclaredOrigin
                    | FindingCode::UndeclaredDestination
                    | FindingCode::UndeclaredCombination
            )
        })
        .map(|finding| (finding.code, finding.arguments.join(" ")))
        .collect()
}

/// The five packs, with one more term covered by one clause.
fn broadened(which: usize, clause: usize, term: usize) -> Option<Ruleset> {
    let mut packs = packs().to_vec();
    let which = which % packs.len();
    let mut file: toml::Table = toml::from_str(packs[which].text()).unwrap();
    let clauses = file["clause"].as_array_mut()?;
    let index = clause % clauses.len();
    let clause = clauses[index].as_table_mut()?;
    let field = match clause["kind"].as_str()? {
        "purpose" => custody_policy::Field::Purpose,
        "category" => custody_policy::Field::Category,
        "recipient" => custody_policy::Field::Recipient,
        _ => return None,
    };
    let terms: Vec<_> = custody_policy::Vocabulary::builtin().terms(field).collect();
    let covers = clause
        .entry("covers")
        .or_insert_with(|| toml::Value::Array(Vec::new()))
        .as_array_mut()?;
    covers.push(terms[term % terms.len()].curie().into());
    let text = toml::to_string(&file).unwrap();
    packs[which] = Pack::parse(packs[which].name(), &text).unwrap();
    Some(Ruleset::compile(packs).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_same_is_judged_the_same(
        history in prop::collection::vec(0usize..100_000, 0..12),
        event in 0usize..100_000,
    ) {
        let again = Ruleset::compile(packs().to_vec()).unwrap();
        prop_assert_eq!(again.digest(), Ruleset::builtin().digest());
        let first = judged(Ruleset::builtin(), &history, event);
        prop_assert_eq!(&first, &judged(Ruleset::builtin(), &history, event));
        prop_assert_eq!(&first, &judged(&again, &history, event));
    }

    #[test]
    fn a_broader_clause_leaves_nothing_more_undeclared(
        which in 0usize..5, clause in 0usize..1_000, term in 0usize..1_000,
        events in prop::collection::vec(0usize..100_000, 40),
    ) {
        let Some(broader) = broadened(which, clause, term) else { return Ok(()) };
        for event in events {
            let before = undeclared(&judged(Ruleset::builtin(), &[], event));
            let after = undeclared(&judged(&broader, &[], event));
            // What was undeclared by itself may now be declared, but not
            // together with the rest.
            let newly: Vec<_> = after
                .difference(&before)
                .filter(|(code, words)| {
                    *code != FindingCode::UndeclaredCombination
                        || !before.iter().any(|(_, word)| words.split(' ').any(|w| w == word))
                })
                .collect();
            prop_assert!(newly.is_empty(), "{newly:?} in {}", EVENTS[event % EVENTS.len()]);
        }
    }

    #[test]
    fn the_last_word_on_consent_counts(words in prop::collection::vec((any::<bool>(), 0u32..50), 0..12)) {
        let mut person = Rehearsal::new(Ruleset::builtin());
        for (number, (given, day)) in words.iter().enumerate() {
            person.take(&consent(number, *given, *day)).unwrap();
        }
        // The model: of the statements in the order of time, and of arrival
        // where times are equal, the last.
        let mut ordered: Vec<_> = words.iter().collect();
        ordered.sort_by_key(|(_, day)| *day);
        let expected = match ordered.last() {
            None => Some(FindingCode::ConsentMissing),
            Some((true, _)) => None,
            Some((false, _)) => Some(FindingCode::ConsentWithdrawn),
        };
        let verdict = person.judge(&marketing()).unwrap();
        let found: Vec<_> = verdict.findings.iter().map(|finding| finding.code).collect();
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(verdict.outcome == Outcome::Conforms, expected.is_none());
    }

    #[test]
    fn persons_do_not_decide_about_each_other(
        events in prop::collection::vec((any::<bool>(), 0usize..100_000), 0..24),
        event in 0usize..100_000,
    ) {
        // One after the other, whatever the order across them.
        let mut apart = [Rehearsal::new(Ruleset::builtin()), Rehearsal::new(Ruleset::builtin())];
        for (person, event) in &events {
            apart[usize::from(*person)].take(&said(*event)).unwrap();
        }
        for (number, person) in apart.iter().enumerate() {
            let alone: Vec<usize> = events
                .iter()
                .filter(|(whose, _)| usize::from(*whose) == number)
                .map(|(_, event)| *event)
                .collect();
            let mut single = Rehearsal::new(Ruleset::builtin());
            for event in alone {
                single.take(&said(event)).unwrap();
            }
            // Entries are numbered by person here, so that all is equal.
            prop_assert_eq!(person.state(), single.state());
            prop_assert_eq!(person.judge(&said(event)).unwrap(), single.judge(&said(event)).unwrap());
        }
    }

    #[test]
    fn a_state_comes_back_from_its_bytes(history in prop::collection::vec(0usize..100_000, 0..40)) {
        let mut person = Rehearsal::new(Ruleset::builtin());
        for index in history {
            person.take(&said(index)).unwrap();
        }
        let bytes = person.state().encode();
        let back = SubjectState::decode(&bytes).unwrap();
        prop_assert_eq!(person.state(), &back);
    }

    #[test]
    fn hostile_bytes_are_no_state(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400, with: u8) {
        let _ = SubjectState::decode(&bytes);
        let mut person = Rehearsal::new(Ruleset::builtin());
        person.take(&consent(0, true, 1)).unwrap();
        let mut encoded = person.state().encode();
        let at = at % encoded.len();
        encoded[at] = with;
        let _ = SubjectState::decode(&encoded);
        encoded.truncate(at);
        prop_assert!(SubjectState::decode(&encoded).is_err());
    }

    #[test]
    fn no_text_is_too_odd_for_a_pack(at in 0usize..200_000, with in ".{0,6}", which in 0usize..5) {
        let mut text = packs()[which].text().to_owned();
        let at = (0..=at % text.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.insert_str(at, &with);
        if let Err(errors) = Pack::parse("odd.toml", &text) {
            prop_assert!(errors.iter().all(|error| error.line >= 1 && error.column >= 1));
        }
    }

    #[test]
    fn states_of_one_person_merge_to_the_state_of_all(
        events in prop::collection::vec((any::<bool>(), 0usize..100_000), 0..16),
        event in 0usize..100_000,
    ) {
        let mut whole = SubjectState::default();
        let mut parts = [SubjectState::default(), SubjectState::default()];
        for (part, index) in &events {
            let said = said(*index);
            // Retractions name entries of the whole.
            if said.kind == "retraction" || said.kind == "rights_response" {
                continue;
            }
            let facts = said.facts().unwrap();
            whole.apply(&facts, Provenance::default());
            parts[usize::from(*part)].apply(&facts, Provenance::default());
        }
        let [mut one, other] = parts;
        one.merge(&other);
        let asked = said(event);
        let facts = asked.facts().unwrap();
        let settings = custody_policy::Settings::default();
        let outcome = |state: &SubjectState| {
            custody_policy::judge(Ruleset::builtin(), &facts, state, &settings).outcome
        };
        // Equal moments in different parts have no order of arrival.
        let mut times = BTreeSet::new();
        if events.iter().all(|(_, index)| times.insert(said(*index).time_ns)) {
            prop_assert_eq!(outcome(&one), outcome(&whole));
        }
    }
}

fn consent(number: usize, given: bool, day: u32) -> Said {
    let kind = if given {
        "consent_given"
    } else {
        "consent_withdrawn"
    };
    let (month, day) = (1 + day / 28, 1 + day % 28);
    let text = format!(
        r#"{{"specversion": "1.0", "id": "c-{number}", "source": "//shop.example",
            "type": "custody.{kind}.v1", "time": "2024-{month:02}-{day:02}T00:00:00Z",
            "data": {{"subject": {{"ids": ["account:1001"], "jurisdiction": "SG"}},
                "service": "alibaba-cloud",
                "consent": {{"scope": ["custody:direct_marketing"], "method": "explicit"}}}}}}"#
    );
    Said::parse(text.as_bytes()).unwrap()
}

fn marketing() -> Said {
    Said::parse(
        br#"{"specversion": "1.0", "id": "u-1", "source": "//shop.example",
            "type": "custody.use.v1", "time": "2024-09-01T00:00:00Z",
            "data": {"subject": {"ids": ["account:1001"], "jurisdiction": "SG"},
                "service": "alibaba-cloud", "controller": "alibaba-cloud-singapore",
                "purposes": ["custody:direct_marketing"],
                "categories": [{"term": "custody:contact"}],
                "use": {"operation": "dpv:Use"}}}"#,
    )
    .unwrap()
}
