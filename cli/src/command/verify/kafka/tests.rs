use custody_ingest::kafka::BrokerTopic;

use super::*;

const LOOK: Look = Look {
    width: None,
    colour: false,
};

fn descriptor(topic_id: &str, epoch: u32) -> ShardDescriptor {
    ShardDescriptor {
        cluster_id: "cluster".to_owned(),
        topic: "events".to_owned(),
        topic_id: topic_id.to_owned(),
        partition: 0,
        epoch,
    }
}

fn brokers(id: Option<&str>, low: i64, high: i64) -> BrokerTopics {
    let topic = BrokerTopic {
        id: id.map(str::to_owned),
        followed: true,
        partitions: [(0, Watermarks { low, high })].into(),
    };
    BrokerTopics {
        cluster_id: "cluster".to_owned(),
        topics: [("events".to_owned(), topic)].into(),
    }
}

fn one(shards: &[(ShardDescriptor, i64)], brokers: &BrokerTopics) -> (bool, Partition) {
    let comparison = Comparison::of(shards, brokers);
    (comparison.ok(), comparison.partitions[0].clone())
}

#[test]
fn behind_is_told_plainly_and_is_no_fault() {
    let (ok, found) = one(&[(descriptor("A", 0), 40)], &brokers(Some("A"), 50, 100));
    assert!(ok);
    assert_eq!(found.state, State::Behind);
    assert_eq!((found.never_ingested, found.removed_by_retention), (60, 10));
    assert_eq!(found.only_in_ledger, 40);

    let (ok, found) = one(&[(descriptor("A", 0), 100)], &brokers(Some("A"), 50, 100));
    assert!(ok);
    assert_eq!((found.state, found.never_ingested), (State::Level, 0));
    assert_eq!(found.only_in_ledger, 50);
}

#[test]
fn what_kafka_contradicts_is_a_fault() {
    let (ok, found) = one(&[(descriptor("A", 0), 101)], &brokers(Some("A"), 0, 100));
    assert!(!ok);
    assert_eq!(found.state, State::Beyond);

    let (ok, found) = one(&[(descriptor("A", 0), 5)], &brokers(Some("B"), 0, 100));
    assert!(!ok);
    assert_eq!((found.state, found.broker_high), (State::OtherTopic, None));

    // Neither side knows ids.
    let (ok, _) = one(&[(descriptor("", 0), 5)], &brokers(Some("B"), 0, 100));
    assert!(ok);
    let (ok, _) = one(&[(descriptor("A", 0), 5)], &brokers(None, 0, 100));
    assert!(ok);
}

#[test]
fn an_old_shard_with_a_successor_is_no_fault() {
    let made_again = [(descriptor("A", 0), 500), (descriptor("B", 0), 7)];
    let comparison = Comparison::of(&made_again, &brokers(Some("B"), 0, 7));
    assert!(comparison.ok());
    let states: Vec<State> = comparison.partitions.iter().map(|p| p.state).collect();
    assert_eq!(states, [State::Superseded, State::Level]);

    let new_epoch = [(descriptor("A", 0), 500), (descriptor("A", 1), 7)];
    let comparison = Comparison::of(&new_epoch, &brokers(Some("A"), 0, 9));
    assert!(comparison.ok());
    let states: Vec<State> = comparison.partitions.iter().map(|p| p.state).collect();
    assert_eq!(states, [State::Superseded, State::Behind]);
}

#[test]
fn unknown_gone_and_elsewhere() {
    let comparison = Comparison::of(&[], &brokers(Some("A"), 2, 9));
    assert!(comparison.ok());
    let found = &comparison.partitions[0];
    assert_eq!((found.state, found.never_ingested), (State::Unknown, 9));
    assert_eq!(comparison.partitions.len(), 1);

    let mut none = brokers(Some("A"), 0, 9);
    none.topics.clear();
    let (ok, found) = one(&[(descriptor("A", 0), 9)], &none);
    assert!(ok);
    assert_eq!(found.state, State::Gone);

    let mut elsewhere = brokers(Some("A"), 0, 9);
    elsewhere.cluster_id = "other".to_owned();
    let comparison = Comparison::of(&[(descriptor("A", 0), 9)], &elsewhere);
    let states: Vec<State> = comparison.partitions.iter().map(|p| p.state).collect();
    assert_eq!(states, [State::Unknown, State::OtherCluster]);
}

#[test]
fn people_read_by_how_much() {
    let written = |shards: &[(ShardDescriptor, i64)], brokers: &BrokerTopics| {
        let mut out = Vec::new();
        let comparison = Comparison::of(shards, brokers);
        comparison.write(&mut out, LOOK).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = written(&[(descriptor("A", 0), 40)], &brokers(Some("A"), 50, 100));
    assert!(text.contains("behind by 60, of which 10 cannot"), "{text}");
    let text = written(&[(descriptor("A", 0), 101)], &brokers(Some("A"), 0, 100));
    assert!(text.contains("FAULT events/0: the ledger"), "{text}");
}
