//! Judgements against a plain model that knows everything.
//!
//! Whatever the order in which events come, in whichever shard, and whatever is
//! lost in between: in the end each entry is judged as if everything had been
//! known from the start, by its own judgement or by the last one that the house
//! shard has for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use custody_ingest::{DecodeLimits, RawMessage, decode, normalise};
use custody_ledger::{
    Act, Entry, EntryRef, HouseRecord, Judgement, Kind, ShardDescriptor, SubjectReference,
};
use custody_policy::{Facts, Provenance, Ruleset, Settings, SubjectState, judge};
use custody_proto::sealed::SealedMessage;
use custody_vault::EntryContext;
use proptest::prelude::*;

use crate::house::{COLLECTION, ERASURE, House, START_NS, USE, message, said, shard, totals};

#[derive(Clone, Debug)]
enum Step {
    /// Kind, person, minute, and whether all that was sent is waited for.
    Event(u8, u8, u8, bool),
    /// The process is gone without a word.
    Crash,
    /// The same, and the states are lost.
    Lose,
}

fn steps() -> impl Strategy<Value = Vec<(i32, Step)>> {
    let step = prop_oneof![
        20 => (0u8..5, 0u8..3, 0u8..30, prop::bool::weighted(0.3))
            .prop_map(|(kind, person, minute, wait)| Step::Event(kind, person, minute, wait)),
        1 => Just(Step::Crash),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec((0i32..2, step), 1..60)
}

/// No two events have the same time: which of two is first would then depend on
/// their places, which the judge does not know of the event that it judges.
fn event(number: usize, kind: u8, person: u8, minute: u8, before: &[usize]) -> String {
    let time = format!("2024-05-01T12:{minute:02}:{number:02}Z");
    let person = format!("account:{person}");
    let ids = [person.as_str()];
    let id = format!("e-{number}");
    match kind {
        0 | 1 => said(&id, "use", &time, &ids, USE),
        2 => said(&id, "collection", &time, &ids, COLLECTION),
        3 => said(&id, "erasure", &time, &ids, ERASURE),
        // Of an event before in the same shard, or of none: what is taken back
        // before it is there is not taken back.
        _ => {
            let of = before.get(before.len() / 2).copied().unwrap_or(number);
            let block =
                format!(r#","retraction":{{"of":{{"source":"//model.example","id":"e-{of}"}}}}"#);
            said(&id, "retraction", &time, &ids, &block)
        }
    }
}

/// An entry's judgement as it holds now.
fn effective(house: &House) -> HashMap<EntryRef, Judgement> {
    let mut last = HashMap::new();
    for partition in [0, 1] {
        for (at, entry) in house.entries(&shard(partition)) {
            last.insert(at, entry.judgement);
        }
    }
    for (_, entry) in house.entries(&ShardDescriptor::house()) {
        if let Act::House(HouseRecord::Rejudged {
            shard,
            sequence,
            judgement,
            ..
        }) = entry.act
        {
            last.insert(EntryRef { shard, sequence }, judgement);
        }
    }
    last
}

/// The event of an entry, opened as anybody would who has the keys.
fn opened(house: &House, at: EntryRef, entry: &Entry) -> custody_ingest::NormalisedEvent {
    let subject = entry.subject.unwrap();
    let person = house.vault.person(&subject.0).unwrap().unwrap();
    let context = EntryContext {
        ledger: house.ledger.id().0,
        shard: at.shard.0,
        sequence: at.sequence,
    };
    let plain = person.open(&context, &entry.sealed).unwrap();
    let sealed = SealedMessage::from_bytes(&plain).unwrap();
    let message = RawMessage {
        topic: Arc::from(""),
        partition: 0,
        offset: 0,
        timestamp_ms: None,
        key: sealed.key,
        headers: Vec::new(),
        payload: Some(sealed.payload),
    };
    normalise(decode(&message, &DecodeLimits::default(), START_NS).unwrap()).unwrap()
}

/// Judges every entry by all events of its person.
fn omniscient(house: &House) -> HashMap<EntryRef, Vec<(String, Vec<EntryRef>)>> {
    let mut persons: BTreeMap<SubjectReference, Vec<(EntryRef, Entry)>> = BTreeMap::new();
    for partition in [0, 1] {
        for (at, entry) in house.entries(&shard(partition)) {
            persons
                .entry(entry.subject.unwrap())
                .or_default()
                .push((at, entry));
        }
    }
    let mut verdicts = HashMap::new();
    for entries in persons.values() {
        let mut state = SubjectState::default();
        let events: Vec<_> = entries
            .iter()
            .map(|(at, entry)| opened(house, *at, entry))
            .collect();
        let facts: Vec<Facts<'_>> = events.iter().map(|event| event.facts().unwrap()).collect();
        for ((at, entry), facts) in entries.iter().zip(&facts) {
            let from = Provenance {
                at: custody_policy::EntryRef {
                    shard: at.shard.0,
                    sequence: at.sequence,
                },
                tag: entry.event_tag.unwrap().0,
                request: None,
                parents: &[],
                retracts: match &entry.act {
                    Act::Retraction { of } => Some(of.0),
                    _ => None,
                },
            };
            state.apply(facts, from);
        }
        for ((at, entry), facts) in entries.iter().zip(&facts) {
            if !matches!(entry.kind(), Some(Kind::Use | Kind::Collection)) {
                continue;
            }
            let settings = Settings {
                entry: Some(custody_policy::EntryRef {
                    shard: at.shard.0,
                    sequence: at.sequence,
                }),
                ..Settings::default()
            };
            let ruleset = Ruleset::builtin();
            let verdict = judge(ruleset, facts, &state, &settings).to_stored(ruleset);
            let findings = verdict.findings.into_iter().map(|finding| {
                let decided = finding.decided_by.iter().map(|at| EntryRef {
                    shard: custody_ledger::ShardId(at.shard),
                    sequence: at.sequence,
                });
                (finding.code.name().to_owned(), decided.collect())
            });
            verdicts.insert(*at, findings.collect());
        }
    }
    verdicts
}

fn agrees(house: &House) -> Result<(), TestCaseError> {
    house.reviewed();
    let effective = effective(house);
    for (at, expected) in omniscient(house) {
        let findings = effective[&at].findings.iter();
        let found: Vec<(String, Vec<EntryRef>)> = findings
            .map(|finding| (finding.code.clone(), finding.decided_by.clone()))
            .collect();
        prop_assert_eq!(found, expected, "{:?}", at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_everything_is_judged_by_everything(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let mut house = House::open(data, START_NS);
        let mut feeds: HashMap<i32, _> = HashMap::new();
        let mut said: HashMap<i32, Vec<String>> = HashMap::new();
        let mut numbers: HashMap<i32, Vec<usize>> = HashMap::new();
        let mut count = 0;
        for (partition, step) in steps {
            match step {
                Step::Crash | Step::Lose => {
                    feeds.clear();
                    house.abandon();
                    if matches!(step, Step::Lose) {
                        let _ = std::fs::remove_dir_all(data.join("state"));
                    }
                    house = House::open(data, START_NS);
                }
                Step::Event(kind, person, minute, wait) => {
                    let before = numbers.entry(partition).or_default();
                    said.entry(partition)
                        .or_default()
                        .push(event(count, kind, person, minute, before));
                    before.push(count);
                    count += 1;
                    let said = &said[&partition];
                    let feed = feeds
                        .entry(partition)
                        .or_insert_with(|| house.feed(partition));
                    // What was lost with the process comes again.
                    let next = feed.next_offset.max(feed.durable_offset());
                    let from = usize::try_from(next).unwrap();
                    let messages = said[from..].iter().zip(next..);
                    feed.send(messages.map(|(said, at)| message(partition, at, said.clone())).collect())
                        .unwrap();
                    while wait && feed.durable_offset() < said.len() as i64 {
                        prop_assert_eq!(house.pipeline.failure(), None);
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            }
        }
        // Whatever did not become durable before a crash is sent at last.
        for (partition, said) in &said {
            let feed = feeds.entry(*partition).or_insert_with(|| house.feed(*partition));
            let messages = said.iter().zip(0..);
            feed.send(messages.map(|(said, at)| message(*partition, at, said.clone())).collect())
                .unwrap();
            while feed.durable_offset() < said.len() as i64 {
                prop_assert_eq!(house.pipeline.failure(), None);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        agrees(&house)?;
        feeds.clear();
        house.close();
        prop_assert_eq!(totals(data).0, count as u64);
        // From nothing it is the same.
        std::fs::remove_dir_all(data.join("state")).unwrap();
        let house = House::open(data, START_NS);
        let before = house.said_by_the_house().len();
        agrees(&house)?;
        prop_assert_eq!(house.said_by_the_house().len(), before);
        house.close();
    }
}

/// A backup of the ledger is behind the states that were written since.
#[test]
fn states_ahead_of_the_ledger_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = House::open(data, START_NS);
    house.send(
        0,
        &[said(
            "u-1",
            "use",
            "2024-05-01T12:00:00Z",
            &["account:1"],
            USE,
        )],
    );
    house.reviewed();
    house.close();
    let backup = data.join("backup");
    copy(&data.join("ledger"), &backup);
    let house = House::open(data, START_NS);
    house.send(
        0,
        &[said(
            "e",
            "erasure",
            "2024-05-01T11:00:00Z",
            &["account:1"],
            ERASURE,
        )],
    );
    house.reviewed();
    house.close();
    std::fs::remove_dir_all(data.join("ledger")).unwrap();
    std::fs::rename(&backup, data.join("ledger")).unwrap();
    // Otherwise the event would be a duplicate.
    std::fs::remove_dir_all(data.join("duplicates")).unwrap();

    let house = House::open(data, START_NS);
    house.send(
        0,
        &[said(
            "u-2",
            "use",
            "2024-05-01T13:00:00Z",
            &["account:1"],
            USE,
        )],
    );
    house.reviewed();
    let last = &house.entries(&shard(0))[1].1.judgement;
    assert!(!crate::house::codes(last).contains(&"after_erasure"));
    assert!(house.said_by_the_house().is_empty());
    house.close();
    assert_eq!(totals(data).0, 2);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
