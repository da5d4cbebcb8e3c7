//! The broker goes away in mid-run and comes back.

use custody_generate::{Generator, Profile};
use custody_tests::{ApacheKafka, Broker};

use crate::custody::{Service, data_dir, verify};
use crate::exactly_once::totals;
use crate::kafka::{Raw, produce};

#[test]
fn a_broker_that_stops_and_starts_again_costs_nothing() {
    // Its own broker: the shared one has to stay up.
    if !ApacheKafka::is_available() {
        assert!(
            !custody_tests::is_kafka_required(),
            "java or mvn is not there"
        );
        eprintln!("*** SKIPPED: needs Apache Kafka ***");
        return;
    }
    let mut broker = Broker::Apache(ApacheKafka::start(&[]).expect("a broker"));
    let topic = "outage";
    broker.create_topic(topic, 2, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let messages: Vec<Raw> = Generator::new(Profile {
        seed: 7,
        events: 10_000,
        persons: 500,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })
    .expect("a profile")
    .map(|message| Raw::from(&message))
    .collect();
    let (first, second) = messages.split_at(messages.len() / 2);

    let mut service = Service::start(&data, &broker.brokers(), topic);
    produce(&broker.brokers(), topic, first.iter().cloned());
    service.wait_for_offsets(topic, 1);
    if let Some(kafka) = broker.apache() {
        kafka.stop().expect("stopped");
    }
    // Answers go on while the broker is away.
    assert!(service.checkpoint().is_some());
    if let Some(kafka) = broker.apache() {
        kafka.restart().expect("started");
    }
    produce(&broker.brokers(), topic, second.iter().cloned());
    service.wait_for_offsets(topic, i64::try_from(messages.len()).expect("fits"));
    service.stop();

    let totals = totals(&data);
    assert_eq!(totals["entries"], messages.len() as u64, "{totals:?}");
    verify(&data);
}
