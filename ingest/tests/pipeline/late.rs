//! Events that come after what they should have been known for.

use std::sync::Arc;

use custody_ingest::pipeline::PipelineOptions;
use custody_ledger::{Act, EntryRef, HouseRecord, Judgement, Kind};

use custody_policy::Ruleset;

use crate::house::{COLLECTION, ERASURE, House, START_NS, USE, codes, said, shard, totals};

const BEFORE: &str = "2024-05-01T08:00:00Z";
const NOON: &str = "2024-05-01T12:00:00Z";
const AFTER: &str = "2024-05-01T16:00:00Z";

/// Who was judged again, why, and how now.
fn rejudged(house: &House) -> Vec<(EntryRef, EntryRef, Judgement)> {
    let records = house.said_by_the_house().into_iter();
    records
        .filter_map(|entry| match entry.act {
            Act::House(HouseRecord::Rejudged {
                shard,
                sequence,
                cause,
                judgement,
            }) => {
                assert!(entry.subject.is_some());
                Some((EntryRef { shard, sequence }, cause, judgement))
            }
            _ => None,
        })
        .collect()
}

fn at(partition: i32, sequence: u64) -> EntryRef {
    EntryRef {
        shard: shard(partition).id(),
        sequence,
    }
}

/// What decided that it is processing after an erasure.
fn decided_by(judgement: &Judgement) -> Vec<EntryRef> {
    let findings = judgement.findings.iter();
    findings
        .filter(|finding| finding.code == "after_erasure")
        .flat_map(|finding| finding.decided_by.clone())
        .collect()
}

#[test]
fn an_event_is_known_to_the_next_one_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), START_NS);
    // In one batch and one block.
    house.send(
        0,
        &[
            said("u-1", "use", BEFORE, &["account:1"], USE),
            said("e", "erasure", NOON, &["account:1"], ERASURE),
            said("u-2", "use", AFTER, &["account:1"], USE),
            said("u-3", "use", AFTER, &["account:2"], USE),
        ],
    );
    house.reviewed();
    let entries = house.entries(&shard(0));
    let erased = |n: usize| codes(&entries[n].1.judgement).contains(&"after_erasure");
    assert_eq!([erased(0), erased(2), erased(3)], [false, true, false]);
    assert_eq!(decided_by(&entries[2].1.judgement), [at(0, 1)]);
    assert!(entries.iter().all(|(_, entry)| !entry.judgement.late));
    assert!(rejudged(&house).is_empty());
    house.close();
    assert_eq!(totals(dir.path()).0, 4);
}

#[test]
fn what_was_judged_before_a_late_event_is_judged_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = House::open(data, START_NS);
    house.send(
        0,
        &[
            said("u-0", "use", BEFORE, &["account:1"], USE),
            said("u-1", "use", AFTER, &["account:1"], USE),
            said("u-2", "use", AFTER, &["account:2"], USE),
        ],
    );
    // In another shard, and said too late.
    house.send(1, &[said("e", "erasure", NOON, &["account:1"], ERASURE)]);
    house.reviewed();
    let check = |house: &House| {
        let again = rejudged(house);
        assert_eq!(again.len(), 1);
        let (of, cause, judgement) = &again[0];
        assert_eq!((*of, *cause), (at(0, 1), at(1, 0)));
        assert_eq!(decided_by(judgement), [at(1, 0)]);
    };
    check(&house);
    // The entry keeps what could be known then.
    let first = house.entries(&shard(0));
    assert!(!codes(&first[1].1.judgement).contains(&"after_erasure"));
    assert!(house.entries(&shard(1))[0].1.judgement.late);
    // One that comes now is judged by both, and is itself not late.
    house.send(0, &[said("u-3", "use", AFTER, &["account:1"], USE)]);
    let last = &house.entries(&shard(0))[3].1.judgement;
    assert!(codes(last).contains(&"after_erasure") && !last.late);
    house.close();

    // Neither a start nor states that are made again judge it once more.
    for lost in [false, true] {
        if lost {
            std::fs::remove_dir_all(data.join("state")).unwrap();
        }
        let house = House::open(data, START_NS);
        house.reviewed();
        check(&house);
        house.close();
    }
    assert_eq!(totals(data).0, 5);
}

#[test]
fn a_review_that_was_cut_short_is_done_on_the_next_start() {
    for lost in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let uses: Vec<String> = (0..300)
            .map(|n| said(&format!("u-{n}"), "use", AFTER, &["account:1"], USE))
            .collect();
        let house = House::open(data, START_NS);
        house.send(0, &uses);
        house.send(1, &[said("e", "erasure", NOON, &["account:1"], ERASURE)]);
        // Gone without a word as soon as the cause is durable.
        drop(house);
        if lost {
            let _ = std::fs::remove_dir_all(data.join("state"));
        }
        let house = House::open(data, START_NS);
        house.reviewed();
        let again = rejudged(&house);
        let mut sequences: Vec<u64> = again.iter().map(|(of, ..)| of.sequence).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (0..300).collect::<Vec<_>>());
        house.close();
        assert_eq!(totals(data).0, 301);
    }
}

#[test]
fn what_is_taken_back_was_never_there() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), START_NS);
    house.send(
        0,
        &[
            said("e", "erasure", BEFORE, &["account:1"], ERASURE),
            said("u", "use", NOON, &["account:1"], USE),
        ],
    );
    house.reviewed();
    assert!(rejudged(&house).is_empty());
    let back = r#","retraction":{"of":{"source":"//model.example","id":"e"}}"#;
    house.send(0, &[said("r", "retraction", AFTER, &["account:1"], back)]);
    house.reviewed();
    let again = rejudged(&house);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].0, again[0].1), (at(0, 1), at(0, 2)));
    assert!(!codes(&again[0].2).contains(&"after_erasure"));
    // Nothing rests on a use.
    let back = r#","retraction":{"of":{"source":"//model.example","id":"u"}}"#;
    house.send(0, &[said("r-2", "retraction", AFTER, &["account:1"], back)]);
    assert_eq!(house.pipeline.pending_reviews(), 0);
    house.reviewed();
    assert_eq!(rejudged(&house).len(), 1);
    house.close();
    assert_eq!(totals(dir.path()).0, 4);
}

#[test]
fn linked_references_are_one_person_to_the_judge() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), START_NS);
    house.send(
        0,
        &[
            said("c-1", "collection", BEFORE, &["account:1"], COLLECTION),
            said("c-2", "collection", BEFORE, &["account:2"], COLLECTION),
            said("u-1", "use", AFTER, &["account:2"], USE),
            said("e-1", "erasure", NOON, &["account:1"], ERASURE),
            // Two persons so far, and one from here on.
            said("u-2", "use", AFTER, &["account:1", "account:2"], USE),
            said("u-3", "use", AFTER, &["account:2"], USE),
        ],
    );
    house.reviewed();
    let entries = house.entries(&shard(0));
    let erased: Vec<bool> = entries
        .iter()
        .map(|(_, entry)| codes(&entry.judgement).contains(&"after_erasure"))
        .collect();
    assert_eq!(erased, [false, false, false, false, true, true]);
    assert_ne!(entries[4].1.subject, entries[5].1.subject);
    assert!(rejudged(&house).is_empty());
    // A late one under one reference concerns entries under the other.
    let fresh = said(
        "c-3",
        "collection",
        "2024-05-01T13:00:00Z",
        &["account:2"],
        COLLECTION,
    );
    house.send(1, &[fresh]);
    house.reviewed();
    let mut again: Vec<EntryRef> = rejudged(&house).into_iter().map(|(of, ..)| of).collect();
    again.sort_unstable();
    assert_eq!(again, [at(0, 4), at(0, 5)]);
    let kinds: Vec<_> = house
        .said_by_the_house()
        .iter()
        .map(|entry| entry.kind().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [Kind::IdentityLinked, Kind::Rejudged, Kind::Rejudged]
    );
    house.close();
    assert_eq!(totals(dir.path()).0, 7);
}

#[test]
fn what_was_judged_by_other_rules_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let pack = Ruleset::builtin().policies().next().unwrap().pack().clone();
    let options = PipelineOptions {
        ruleset: Arc::new(Ruleset::compile(vec![pack]).unwrap()),
        ..PipelineOptions::default()
    };
    let house = House::with(data, START_NS, options);
    house.send(0, &[said("u-0", "use", AFTER, &["account:1"], USE)]);
    house.reviewed();
    house.close();
    let house = House::open(data, START_NS);
    house.send(0, &[said("u-1", "use", AFTER, &["account:1"], USE)]);
    house.send(1, &[said("e", "erasure", NOON, &["account:1"], ERASURE)]);
    house.reviewed();
    let again: Vec<EntryRef> = rejudged(&house).into_iter().map(|(of, ..)| of).collect();
    assert_eq!(again, [at(0, 1)]);
    house.close();
}

#[test]
fn what_happened_before_something_was_forgotten_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path(), START_NS);
    house.send(
        0,
        &[
            said("u-0", "use", BEFORE, &["account:1"], USE),
            said("u-1", "use", AFTER, &["account:1"], USE),
        ],
    );
    let restrictions: Vec<String> = (0..100)
        .map(|n| {
            let time = format!("2024-05-01T{:02}:{:02}:00Z", 9 + n / 60, n % 60);
            let more = r#","restriction":{}"#;
            said(
                &format!("r-{n}"),
                "restriction",
                &time,
                &["account:1"],
                more,
            )
        })
        .collect();
    house.send(0, &restrictions);
    house.reviewed();
    let before = rejudged(&house).len();
    let early = "2024-05-01T07:00:00Z";
    house.send(1, &[said("e", "erasure", early, &["account:1"], ERASURE)]);
    house.reviewed();
    let again: Vec<EntryRef> = rejudged(&house)
        .into_iter()
        .skip(before)
        .map(|(of, ..)| of)
        .collect();
    assert_eq!(again, [at(0, 1)]);
    house.close();
}
