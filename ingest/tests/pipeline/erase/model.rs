//! Whatever is erased in whichever order, and wherever the process ends: the
//! states are those that the ledger gives from nothing, and every person is either
//! whole or gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use custody_ingest::erase::{EraseOrder, ErasureState, Step};
use custody_vault::EntryContext;
use proptest::prelude::*;

use super::world::{Reference, fails_after, is_in, open, options, order, settled};
use crate::house::{COLLECTION, ERASURE, House, START_NS, USE, message, said, shard};

#[derive(Clone, Debug)]
enum Act {
    /// Kind, person, minute, and whether it is waited for.
    Event(u8, u8, u8, bool),
    /// A person, and whether identifiers are marked.
    Erase(u8, bool),
    /// The same, cut short after a step: the process ends.
    Cut(u8, u8),
    /// The process ends without a word.
    Crash,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        16 => (0u8..6, 0u8..4, 0u8..60, prop::bool::weighted(0.3))
            .prop_map(|(kind, person, minute, wait)| Act::Event(kind, person, minute, wait)),
        3 => (0u8..4, any::<bool>()).prop_map(|(person, mark)| Act::Erase(person, mark)),
        1 => (0u8..4, 0u8..8).prop_map(|(person, step)| Act::Cut(person, step)),
        1 => Just(Act::Crash),
    ];
    prop::collection::vec(act, 1..50)
}

/// Of the day of the erasures, so that marks count.
fn event(number: usize, kind: u8, person: u8, minute: u8) -> String {
    let time = format!("2024-10-04T10:{minute:02}:{:02}Z", number % 60);
    let (id, person) = (format!("e-{number}"), format!("account:{person}"));
    let request = format!(r#","rights_request":{{"right":"eu-gdpr:A15","request_id":"{id}"}}"#);
    let consent = r#","consent":{"scope":["custody:marketing"]}"#;
    let (kind, more) = match kind {
        0 | 1 => ("use", USE),
        2 => ("collection", COLLECTION),
        3 => ("erasure", ERASURE),
        4 => ("consent_given", consent),
        _ => ("rights_request", request.as_str()),
    };
    said(&id, kind, &time, &[&person], more)
}

/// What was sent to each shard: of a person all in one, because which of two
/// shards was first is not known from the ledger to the moment.
#[derive(Default)]
struct Sent {
    said: BTreeMap<i32, Vec<String>>,
    feeds: HashMap<i32, custody_ingest::pipeline::ShardFeed>,
}

impl Sent {
    /// Sends what is not durable, and waits for it if so asked.
    fn send(&mut self, house: &House, partition: i32, wait: bool) {
        let said = self.said.entry(partition).or_default();
        let feed = self
            .feeds
            .entry(partition)
            .or_insert_with(|| house.feed(partition));
        let next = feed.next_offset.max(feed.durable_offset());
        let messages = said[usize::try_from(next).unwrap()..].iter().zip(next..);
        let messages = messages.map(|(said, at)| message(partition, at, said.clone()));
        feed.send(messages.collect()).unwrap();
        while wait && feed.durable_offset() < i64::try_from(said.len()).unwrap() {
            assert_eq!(house.pipeline.failure(), None);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The order for a person, where the vault has somebody.
fn wanted(house: &House, person: u8, mark: bool) -> Option<EraseOrder> {
    let identity = house.vault.lookup(&format!("account:{person}")).unwrap()?;
    let subjects = [identity.persons[0].reference()];
    Some(EraseOrder {
        mark,
        ..order(&subjects)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everybody_is_whole_or_gone(acts in acts()) {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        let mut house = open(data);
        let mut sent = Sent::default();
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Event(kind, person, minute, wait) => {
                    let partition = i32::from(person % 2);
                    let said = event(number, kind, person, minute);
                    sent.said.entry(partition).or_default().push(said);
                    sent.send(&house, partition, wait);
                }
                Act::Erase(person, mark) => {
                    if let Some(order) = wanted(&house, person, mark) {
                        let status = house.pipeline.registrar().erase(order).unwrap();
                        prop_assert_eq!(status.state, ErasureState::Done);
                    }
                }
                Act::Cut(person, step) => {
                    // With faults from here on, and then without.
                    sent.feeds.clear();
                    house.abandon();
                    let step = Step::ALL[usize::from(step)];
                    house = House::with(data, START_NS, options(data, fails_after(step)));
                    if let Some(order) = wanted(&house, person, true) {
                        prop_assert!(house.pipeline.registrar().erase(order).is_err());
                    }
                    house.abandon();
                    house = open(data);
                }
                Act::Crash => {
                    sent.feeds.clear();
                    house.abandon();
                    house = open(data);
                }
            }
        }
        let partitions: Vec<i32> = sent.said.keys().copied().collect();
        for partition in &partitions {
            sent.send(&house, *partition, true);
        }
        sent.feeds.clear();
        let erased: BTreeSet<Reference> = house
            .pipeline
            .registrar()
            .erasures()
            .into_iter()
            .flat_map(|status| {
                assert_eq!(status.state, ErasureState::Done);
                status.subjects
            })
            .collect();
        for partition in partitions {
            let entries = house.entries(&shard(partition));
            prop_assert_eq!(entries.len(), sent.said[&partition].len());
            for (at, entry) in entries {
                let subject = entry.subject.unwrap().0;
                let person = house.vault.person(&subject).unwrap();
                prop_assert_eq!(person.is_none(), erased.contains(&subject));
                if let Some(person) = person {
                    let context = EntryContext {
                        ledger: house.ledger.id().0,
                        shard: at.shard.0,
                        sequence: at.sequence,
                    };
                    prop_assert!(person.open(&context, &entry.sealed).is_ok());
                }
            }
        }
        let rows = settled(house, data);
        for reference in &erased {
            prop_assert!(!is_in(&rows, reference));
        }
    }
}
