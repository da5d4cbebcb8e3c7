//! Somebody comes back after they were erased.

use custody_ingest::erase::{EraseOrder, FaultPoints};
use custody_ingest::pipeline::PipelineOptions;
use custody_ledger::HouseRecord;

use super::world::{history, kinds, open, options, order, person, records, settled};
use crate::house::{COLLECTION, DAY_NS, House, START_NS, USE, codes, said, shard};

/// After the day of the erasure, which is that of `START_NS`: 2024-10-04.
fn used(id: &str, time: &str) -> String {
    said(id, "use", time, &["account:1"], USE)
}

fn found(house: &House, sequence: usize) -> bool {
    let entries = house.entries(&shard(0));
    codes(&entries[sequence].1.judgement).contains(&"after_erasure")
}

fn marked(house: &House) -> EraseOrder {
    EraseOrder {
        mark: true,
        ..order(&[person(house, "account:1")])
    }
}

#[test]
fn who_comes_back_starts_as_erased_until_they_give_data_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    // Nobody rests in memory, so that all comes from the store.
    let options = || PipelineOptions {
        cache_states: 1,
        ..options(data, FaultPoints::default())
    };
    let house = House::with(data, START_NS, options());
    house.send(0, &history("a", &["account:1"]));
    let before = house.entries(&shard(0)).len();
    let old = person(&house, "account:1");
    house.pipeline.registrar().erase(marked(&house)).unwrap();

    house
        .now
        .store(START_NS + 9 * DAY_NS, std::sync::atomic::Ordering::Relaxed);
    house.send(0, &[used("n-1", "2024-10-08T12:00:00Z")]);
    let new = person(&house, "account:1");
    assert_ne!(new, old);
    assert!(found(&house, before));
    let said_of = |house: &House| {
        let mut marks = records(house)
            .into_iter()
            .filter_map(|(_, record)| match record {
                HouseRecord::SuppressionApplied { subject, day } => Some((subject.0, day)),
                _ => None,
            });
        (marks.next(), marks.next())
    };
    assert_eq!(said_of(&house), (Some((new, 20_000)), None));
    // Others in between, so that the person does not rest in memory.
    house.send(1, &history("b", &["account:2"]));
    house.send(1, &history("c", &["account:3"]));
    house.send(0, &[used("n-2", "2024-10-08T13:00:00Z")]);
    assert!(found(&house, before + 1));
    // What happened before the erasure is none after it.
    house.send(0, &[used("n-3", "2024-09-01T12:00:00Z")]);
    assert!(!found(&house, before + 2));
    house.reviewed();
    house.close();

    // It is so from nothing too.
    std::fs::remove_dir_all(data.join("state")).unwrap();
    let house = House::with(data, START_NS + 9 * DAY_NS, options());
    house.send(0, &[used("n-4", "2024-10-08T14:00:00Z")]);
    assert!(found(&house, before + 3));
    let fresh = said(
        "n-5",
        "collection",
        "2024-10-08T15:00:00Z",
        &["account:1"],
        COLLECTION,
    );
    house.send(0, &[fresh, used("n-6", "2024-10-08T16:00:00Z")]);
    assert!(!found(&house, before + 5));
    assert_eq!(said_of(&house), (Some((new, 20_000)), None));
    // The old reference is nowhere but in the order.
    let entries = house.entries(&custody_ledger::ShardDescriptor::house());
    let of_old = entries
        .iter()
        .filter(|(_, entry)| entry.subject.is_some_and(|s| s.0 == old));
    assert!(of_old.count() <= 2, "re-judgements of before");
    settled(house, data);
}

#[test]
fn without_a_mark_nobody_is_recognised() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = open(data);
    house.send(0, &history("a", &["account:1"]));
    let before = house.entries(&shard(0)).len();
    let order = order(&[person(&house, "account:1")]);
    house.pipeline.registrar().erase(order).unwrap();
    house
        .now
        .store(START_NS + 9 * DAY_NS, std::sync::atomic::Ordering::Relaxed);
    house.send(0, &[used("n-1", "2024-10-08T12:00:00Z")]);
    assert!(!found(&house, before));
    assert!(!kinds(&house).contains(&"suppression_applied"));
    settled(house, data);
}
