//! The pipeline against a plain model: what is sent is stored once, or
//! counted, and every offset is accounted for, whatever is dropped in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use custody_ingest::pipeline::{Lost, PipelineOptions, SourceRules};
use custody_ledger::{Kind, ShardDescriptor, VerifyOptions, verify};
use proptest::prelude::*;

use crate::house::{DAY_NS, House, START_NS, event, message, shard, totals};

/// One thing that happens to a shard.
#[derive(Clone, Debug)]
enum Step {
    /// An event with this id, person and content.
    Event(u32, u32, bool),
    Malformed,
    /// Offsets that the broker skips.
    Skip(u8),
    /// The process is gone without a word, and starts again.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<(i32, Step)>> {
    let step = prop_oneof![
        12 => (0u32..30, 0u32..5, prop::bool::weighted(0.15)).prop_map(|(id, person, other)| Step::Event(id, person, other)),
        2 => Just(Step::Malformed),
        1 => (1u8..5).prop_map(Step::Skip),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec((0i32..2, step), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// One message at a time and each durable before the next, so that the
    /// model knows the order over shards.
    #[test]
    fn agrees_with_a_plain_model(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let mut house = House::open(data, START_NS);
        let mut feeds: HashMap<i32, _> = HashMap::new();
        let mut next = HashMap::from([(0, 0_i64), (1, 0_i64)]);
        let mut stored: HashMap<u32, (u32, bool)> = HashMap::new();
        let (mut entries, mut duplicates, mut rejected, mut gaps) = (0, 0, 0, 0);
        for (partition, step) in steps {
            let payload = match step {
                Step::Crash => {
                    // Dropped without `stop` or `close`.
                    feeds.clear();
                    drop(house);
                    house = House::open(data, START_NS);
                    continue;
                }
                Step::Skip(count) => {
                    // Seen by the shard only with the next message.
                    *next.get_mut(&partition).unwrap() += i64::from(count);
                    gaps += u64::from(count);
                    event(1_000_000 + entries as u32, 0, "")
                }
                Step::Malformed => "{".to_owned(),
                Step::Event(id, person, other) => event(id, person, if other { "other" } else { "" }),
            };
            match step {
                Step::Event(id, person, other) => match stored.get(&id) {
                    None => {
                        stored.insert(id, (person, other));
                        entries += 1;
                    }
                    Some(same) if *same == (person, other) => duplicates += 1,
                    Some(_) => rejected += 1,
                },
                Step::Malformed => rejected += 1,
                _ => entries += 1,
            }
            let offset = next[&partition];
            let feed = feeds
                .entry(partition)
                .or_insert_with(|| house.pipeline.open_shard(&shard(partition)).unwrap());
            feed.send(vec![message(partition, offset, payload)]).unwrap();
            next.insert(partition, offset + 1);
            while feed.durable_offset() <= offset {
                prop_assert_eq!(house.pipeline.failure(), None);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        feeds.clear();
        house.close();
        prop_assert_eq!(totals(data), (entries, duplicates, rejected, gaps));
    }
}

#[test]
fn an_event_is_new_again_when_the_window_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = House::open(data, START_NS);
    let feed = house.pipeline.open_shard(&shard(0)).unwrap();
    let send = |offset: i64, days: i64| {
        house.now.store(START_NS + days * DAY_NS, Ordering::Relaxed);
        feed.send(vec![message(0, offset, event(1, 1, ""))])
            .unwrap();
        while feed.durable_offset() <= offset {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    send(0, 0);
    send(1, 1);
    send(2, 7);
    send(3, 8);
    send(4, 9);
    drop(feed);
    house.close();
    // The one of day 8 is stored anew; the one of day 9 repeats it.
    assert_eq!(totals(data), (2, 3, 0, 0));
}

#[test]
fn the_index_can_be_lost_and_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for round in 0..3_i64 {
        let house = House::open(data, START_NS + round * DAY_NS);
        let feed = house.pipeline.open_shard(&shard(0)).unwrap();
        let first = feed.next_offset;
        feed.send(
            (0..200)
                .map(|n| message(0, first + i64::from(n), event(n, n % 7, "")))
                .collect(),
        )
        .unwrap();
        drop(feed);
        house.close();
        std::fs::remove_dir_all(data.join("duplicates")).unwrap();
    }
    assert_eq!(totals(data), (200, 400, 0, 0));
}

#[test]
fn parties_are_registered_once_and_contradictions_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    for round in 0..2 {
        let house = House::open(data, START_NS);
        let feed = house.pipeline.open_shard(&shard(0)).unwrap();
        let first = feed.next_offset;
        let messages = (0..50).map(|n| {
            let said = event(round * 100 + n, 1, "");
            let said = if n % 10 == 9 {
                said.replace("\"DHL\"", "\"Somebody Else\"")
            } else {
                said
            };
            message(0, first + i64::from(n), said)
        });
        feed.send(messages.collect()).unwrap();
        drop(feed);
        house.close();
    }
    let house = House::open(data, START_NS);
    let blocks = house
        .ledger
        .read_blocks(ShardDescriptor::house().id(), 0, usize::MAX)
        .unwrap();
    let kinds: Vec<Kind> = blocks
        .iter()
        .flat_map(|block| {
            block
                .entries()
                .map(|entry| entry.unwrap().1.kind().unwrap())
        })
        .filter(|kind| !matches!(kind, Kind::ShardOpened | Kind::RulesetAdopted))
        .collect();
    assert_eq!(kinds, [Kind::PartyRegistered, Kind::PartyContradicted]);
    house.close();
    assert_eq!(totals(data).0, 100);
}

#[test]
fn lost_offsets_are_accounted_for_by_their_cause() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = House::open(data, START_NS);
    let feed = house.pipeline.open_shard(&shard(0)).unwrap();
    feed.lost(Lost { first: 0, last: 9 }).unwrap();
    feed.send(vec![
        message(0, 10, event(1, 1, "")),
        message(0, 13, event(2, 1, "")),
    ])
    .unwrap();
    drop(feed);
    house.close();
    let report = verify(&data.join("ledger"), &VerifyOptions::default()).unwrap();
    assert!(report.ok(), "{:?}", report.faults);
    let shard = report
        .shards
        .iter()
        .find(|shard| !shard.descriptor.is_house())
        .unwrap();
    assert_eq!(shard.gaps, [2, 10, 0]);
}

#[test]
fn a_source_may_use_only_its_topics() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let rules = SourceRules::new([("//other.example".to_owned(), ".*".to_owned())]).unwrap();
    let house = House::with(
        data,
        START_NS,
        PipelineOptions {
            sources: rules,
            ..PipelineOptions::default()
        },
    );
    let feed = house.pipeline.open_shard(&shard(0)).unwrap();
    feed.send(vec![message(0, 0, event(1, 1, ""))]).unwrap();
    drop(feed);
    let letters = Arc::clone(&house.letters);
    house.close();
    let letters = letters.0.lock();
    assert_eq!(*letters, [("events".to_owned(), 0, "source_not_allowed")]);
    assert_eq!(totals(data), (0, 0, 1, 0));
}

#[test]
fn long_messages_among_short_ones_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = House::open(data, START_NS);
    let feed = house.pipeline.open_shard(&shard(0)).unwrap();
    let messages = (0..40).map(|n: u32| {
        let mut message = message(0, i64::from(n), event(n, 1, ""));
        if n % 4 == 3 {
            // Bytes that do not compress; up to the limit of 1 MiB.
            let mut noise = vec![0; (n as usize % 3 + 1) * 340_000];
            blake3::Hasher::new()
                .update(&n.to_le_bytes())
                .finalize_xof()
                .fill(&mut noise);
            message.headers.push(("trace".to_owned(), Some(noise)));
        }
        message
    });
    feed.send(messages.collect()).unwrap();
    drop(feed);
    house.close();
    assert_eq!(totals(data), (40, 0, 0, 0));
}
