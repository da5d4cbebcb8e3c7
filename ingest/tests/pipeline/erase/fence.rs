//! Events on their way while somebody is erased.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use custody_ingest::erase::{EraseError, ErasureState, FaultPoints};
use custody_ingest::pipeline::{DeadLetter, DeadLetters, StopSignal, Undelivered};
use custody_ledger::{EntryRef, SubjectReference};
use custody_vault::EntryContext;

use super::world::{Reference, comes_to, is_in, options, order, person, settled};
use crate::house::{House, START_NS, USE, message, said, shard};

fn used(number: usize, partition: i32, ids: &[&str]) -> String {
    let id = format!("e-{partition}-{number}");
    said(&id, "use", "2024-05-01T12:00:00Z", ids, USE)
}

#[test]
fn whatever_was_admitted_is_durable_before_its_key_goes() {
    const SHARDS: i32 = 4;
    const EVENTS: usize = 1_500;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let house = super::world::open(data);
    let feeds: Vec<_> = (0..SHARDS).map(|partition| house.feed(partition)).collect();
    let mut erased: BTreeSet<Reference> = BTreeSet::new();
    std::thread::scope(|scope| {
        for (partition, feed) in (0..).zip(&feeds) {
            scope.spawn(move || {
                for number in 0..EVENTS {
                    // Every shard has events of everybody; some link two.
                    let one = format!("account:{}", number % 3);
                    let other = format!("member:{}", number % 3);
                    let ids = [one.as_str(), other.as_str()];
                    let ids = if number % 7 == 0 { &ids[..] } else { &ids[..1] };
                    let said = used(number, partition, ids);
                    let offset = i64::try_from(number).unwrap();
                    feed.send(vec![message(partition, offset, said)]).unwrap();
                    if number % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            });
        }
        let mut places = 0;
        for round in 0..12 {
            std::thread::sleep(Duration::from_millis(20));
            let id = format!("account:{}", round % 3);
            let Some(identity) = house.vault.lookup(&id).unwrap() else {
                continue;
            };
            let subjects: Vec<_> = identity.persons.iter().map(|p| p.reference()).collect();
            let status = match house.pipeline.registrar().erase(order(&subjects)) {
                Ok(status) => status,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(status.state, ErasureState::Done);
            let heads: Vec<_> = (0..SHARDS)
                .map(|partition| house.ledger.head(shard(partition).id()).unwrap().size)
                .collect();
            erased.extend(&status.subjects);
            places += heads.len();
        }
        assert!(places > 0);
    });
    let end = i64::try_from(EVENTS).unwrap();
    for feed in &feeds {
        while feed.durable_offset() < end {
            assert_eq!(house.pipeline.failure(), None);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    drop(feeds);
    house.reviewed();
    // Every event is there, and opens unless its person is gone; in each shard
    // nobody comes back under a reference that is gone.
    let mut count = 0;
    for partition in 0..SHARDS {
        for (at, entry) in house.entries(&shard(partition)) {
            let SubjectReference(subject) = entry.subject.unwrap();
            count += 1;
            match house.vault.person(&subject).unwrap() {
                None => assert!(erased.contains(&subject), "{at:?}"),
                Some(person) => {
                    assert!(!erased.contains(&subject));
                    let context = EntryContext {
                        ledger: house.ledger.id().0,
                        shard: at.shard.0,
                        sequence: at.sequence,
                    };
                    person.open(&context, &entry.sealed).unwrap();
                }
            }
        }
    }
    assert_eq!(count, EVENTS * usize::try_from(SHARDS).unwrap());
    assert!(erased.len() > 5);
    // What the house shard says was started came after the last entry of it.
    for status in house.pipeline.registrar().erasures() {
        let started_ns = status.started.unwrap().recorded_ns;
        assert!(started_ns <= status.done.unwrap().said.recorded_ns);
    }
    let rows = settled(house, data);
    for reference in &erased {
        assert!(!is_in(&rows, reference));
    }
}

/// Dead letters that nobody takes for now.
struct Closed(AtomicBool);

impl DeadLetters for Closed {
    fn deliver(&self, letters: &[DeadLetter], stop: &StopSignal) -> Result<(), Undelivered> {
        while self.0.load(Ordering::SeqCst) {
            if stop.is_stopped() {
                let undelivered = letters.len();
                return Err(Undelivered { undelivered });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[test]
fn a_shard_that_is_stuck_is_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let letters = Arc::new(Closed(AtomicBool::new(true)));
    let mut options = options(data, FaultPoints::default());
    options.erase.fence_timeout = Duration::from_millis(200);
    let given = Arc::clone(&letters) as Arc<dyn DeadLetters>;
    let house = House::start(data, START_NS, options, given, || ()).unwrap();
    house.send(0, &[used(0, 0, &["account:1"])]);
    let gone = person(&house, "account:1");
    let stuck = house.feed(1);
    let nonsense = message(1, 0, "nonsense".to_owned());
    stuck
        .send(vec![nonsense, message(1, 1, used(1, 1, &["account:1"]))])
        .unwrap();
    // It is on its way when the letter is.
    std::thread::sleep(Duration::from_millis(100));
    let failed = house.pipeline.registrar().erase(order(&[gone]));
    match failed {
        Err(EraseError::Stuck { shard: named, .. }) => assert_eq!(named, shard(1).id()),
        other => panic!("{other:?}"),
    }
    // Nothing is destroyed, the fence is lifted, and it is still to be done.
    let status = house.pipeline.registrar().erasures().remove(0);
    assert_eq!(status.state, ErasureState::Requested);
    assert!(status.trouble.unwrap().contains(&shard(1).id().to_string()));
    assert!(house.vault.person(&gone).unwrap().is_some());
    house.send(0, &[used(1, 0, &["account:1"])]);
    letters.0.store(false, Ordering::SeqCst);
    let status = comes_to(&house, ErasureState::Done);
    assert_eq!(status.trouble, None);
    assert!(house.vault.person(&gone).unwrap().is_none());
    drop(stuck);
    let last = house.entries(&shard(1)).pop();
    assert!(last.is_some_and(|(at, _): (EntryRef, _)| at.sequence == 0));
    settled(house, data);
}

#[test]
fn a_pipeline_that_stops_ends_the_wait_and_the_next_start_does_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let letters = Arc::new(Closed(AtomicBool::new(true)));
    let given = Arc::clone(&letters) as Arc<dyn DeadLetters>;
    let mut options = options(data, FaultPoints::default());
    options.erase.fence_timeout = Duration::from_secs(3_600);
    let house = House::start(data, START_NS, options, given, || ()).unwrap();
    house.send(0, &[used(0, 0, &["account:1"])]);
    let gone = person(&house, "account:1");
    // One shard is stuck, and another has an event of the person.
    let stuck = house.feed(1);
    let nonsense = message(1, 0, "nonsense".to_owned());
    stuck.send(vec![nonsense]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| house.pipeline.registrar().erase(order(&[gone])));
        std::thread::sleep(Duration::from_millis(100));
        let waits = house.feed(0);
        waits
            .send(vec![message(0, 1, used(1, 0, &["account:1"]))])
            .unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(waits.durable_offset(), 1);
        drop((stuck, waits));
        // What cannot be delivered fails, and everybody is let go.
        assert!(house.pipeline.stop(Duration::from_millis(50)).is_err());
        let ended = erasing.join().unwrap();
        assert!(matches!(ended, Err(EraseError::Stopping)), "{ended:?}");
    });
    assert!(house.vault.person(&gone).unwrap().is_some());
    house.ledger.close().unwrap();
    house.abandon();
    let house = super::world::open(data);
    comes_to(&house, ErasureState::Done);
    // The event that waited comes again, and is somebody new's.
    house.send(0, &[used(1, 0, &["account:1"])]);
    assert_ne!(person(&house, "account:1"), gone);
    settled(house, data);
}
