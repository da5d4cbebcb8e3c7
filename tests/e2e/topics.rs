//! Topics come, grow, go, lose their beginning and are made again.

use std::time::Duration;

use custody_proto::v1;
use custody_tests::Broker;

use crate::custody::{Service, custody_ok, data_dir, text, verify};
use crate::exactly_once::totals;
use crate::kafka::{Raw, produce, shared};

fn events(range: std::ops::Range<u32>) -> impl Iterator<Item = Raw> {
    range.map(|n| {
        Raw::json(
            &format!("account:{n}"),
            &format!(
                r#"{{"specversion":"1.0","id":"e-{n}","source":"//topics.example","type":"custody.collection.v1","time":"2025-03-01T09:00:00Z","data":{{"subject":{{"ids":["account:{n}"]}},"purposes":["orders"],"collection":{{"origin":"subject"}}}}}}"#
            ),
        )
    })
}

/// The shards of a topic: id, partition, entries.
fn shards(service: &Service, topic: &str) -> Vec<v1::ShardHead> {
    service
        .checkpoint()
        .and_then(|c| c.visible)
        .map(|head| {
            head.shards
                .into_iter()
                .filter(|s| s.topic == topic)
                .collect()
        })
        .unwrap_or_default()
}

#[test]
fn new_topics_and_partitions_become_shards_while_running() {
    let broker = shared();
    let data = data_dir();
    let data = data.path().join("data");
    let mut service = Service::start(&data, &broker.brokers(), "grow-.*");
    assert!(shards(&service, "grow-a").is_empty());

    broker.create_topic("grow-a", 1, &[]).expect("a topic");
    produce(&broker.brokers(), "grow-a", events(0..100));
    service.wait_for_offsets("grow-a", 100);

    if let Broker::Apache(_) = broker {
        broker.add_partitions("grow-a", 4).expect("partitions");
        produce(&broker.brokers(), "grow-a", events(100..400));
        service.wait_for_offsets("grow-a", 400);
        let found = shards(&service, "grow-a");
        assert_eq!(found.len(), 4, "{found:?}");
    }
    broker.create_topic("grow-b", 2, &[]).expect("a topic");
    produce(&broker.brokers(), "grow-b", events(400..500));
    service.wait_for_offsets("grow-b", 100);
    assert!(shards(&service, "unrelated").is_empty());
    service.stop();
    verify(&data);
}

#[test]
fn a_topic_made_again_is_a_new_shard() {
    let broker = shared();
    let Broker::Apache(_) = broker else {
        eprintln!("*** SKIPPED: the embedded broker cannot delete topics ***");
        return;
    };
    let data = data_dir();
    let data = data.path().join("data");
    let topic = "again";
    broker.create_topic(topic, 1, &[]).expect("a topic");
    let mut service = Service::start(&data, &broker.brokers(), topic);
    produce(&broker.brokers(), topic, events(0..50));
    service.wait_for_offsets(topic, 50);

    broker.delete_topic(topic).expect("deleted");
    std::thread::sleep(Duration::from_millis(500));
    broker.create_topic(topic, 1, &[]).expect("a topic");
    produce(&broker.brokers(), topic, events(50..130));
    service.wait_for_offsets(topic, 130);
    let mut sizes: Vec<u64> = shards(&service, topic).iter().map(|s| s.size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 80]);
    service.stop();
    assert_eq!(totals(&data)["entries"], 130);
    verify(&data);
}

#[test]
fn what_retention_removed_is_a_gap_and_said_loudly() {
    let broker = shared();
    let Broker::Apache(_) = broker else {
        eprintln!("*** SKIPPED: the embedded broker cannot delete records ***");
        return;
    };
    let data = data_dir();
    let data = data.path().join("data");
    let topic = "retention";
    broker.create_topic(topic, 1, &[]).expect("a topic");
    produce(&broker.brokers(), topic, events(0..40));
    // Gone before the first start.
    broker.delete_records(topic, 0, 15).expect("deleted");
    let mut service = Service::start(&data, &broker.brokers(), topic);
    service.wait_for_offsets(topic, 40);
    service.stop();

    // Gone while nobody was reading.
    produce(&broker.brokers(), topic, events(40..100));
    broker.delete_records(topic, 0, 70).expect("deleted");
    let mut service = Service::start(&data, &broker.brokers(), topic);
    service.wait_for_offsets(topic, 100);
    let log = service.log_text();
    assert!(log.contains("retention removed messages"), "{log}");
    service.stop();

    let totals = totals(&data);
    assert_eq!(totals["entries"], 25 + 30, "{totals:?}");
    assert_eq!(totals["gaps"], 15 + 30, "{totals:?}");
    let table = custody_ok(&["verify", "--data", text(&data), "--format", "table"]);
    assert!(table.contains("45"), "{table}");
}
