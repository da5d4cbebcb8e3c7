//! Killed at random moments, and still every event once and in order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use custody_generate::{Generator, Message, Profile};
use custody_proto::v1;

use crate::custody::{Service, custody_ok, data_dir, text, verify};
use crate::kafka::{Raw, produce, shared};

/// How often the process is killed; `CUSTODY_KILLS=20` for the full run.
fn kills() -> u64 {
    number("CUSTODY_KILLS", 5)
}

/// How many events there are; `CUSTODY_KILL_EVENTS=300000` for the full run.
fn events() -> u64 {
    number("CUSTODY_KILL_EVENTS", 60_000)
}

/// Another one in every run; never 0.
fn seed() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64 | 1
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// What `custody verify --format json` says of the Kafka shards.
pub(crate) fn totals(data: &Path) -> BTreeMap<String, u64> {
    let report: serde_json::Value = serde_json::from_str(&custody_ok(&[
        "verify",
        "--data",
        text(data),
        "--format",
        "json",
    ]))
    .expect("JSON");
    let mut totals = BTreeMap::new();
    for shard in report["shards"].as_array().expect("shards") {
        if shard["topic"] == "custody/house" {
            continue;
        }
        for name in ["entries", "duplicates", "rejected"] {
            *totals.entry(name.to_owned()).or_insert(0) += shard[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name} in {shard}"));
        }
        let gaps = shard["gaps"].as_object().expect("gaps by cause");
        *totals.entry("gaps".to_owned()).or_insert(0) += gaps
            .values()
            .map(|count| count.as_u64().expect("a number"))
            .sum::<u64>();
    }
    totals
}

#[test]
fn killed_at_random_moments_every_event_is_there_once_and_in_order() {
    let broker = shared();
    let topic = "kills";
    broker.create_topic(topic, 3, &[]).expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");

    let messages: Vec<Message> = Generator::new(Profile {
        seed: 20,
        events: events(),
        persons: 2_000,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    })
    .expect("a profile")
    .collect();
    let count = messages.len();

    // An ordinary producer, at its own pace, while the process lives and dies.
    let raw: Vec<Raw> = messages.iter().map(Raw::from).collect();
    let pace = Duration::from_millis(1_200 * kills() / 60);
    let brokers = broker.brokers();
    let producer = std::thread::spawn(move || {
        for part in raw.chunks(count.div_ceil(60)) {
            produce(&brokers, topic, part.iter().cloned());
            std::thread::sleep(pace);
        }
    });
    let mut random = number("CUSTODY_KILL_SEED", seed());
    eprintln!("CUSTODY_KILL_SEED={random}");
    for _ in 0..kills() {
        let service = Service::spawn(&data, &broker.brokers(), topic, &[]);
        // xorshift64; a moment between the start and well into the work.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_millis(150 + random % 1_800));
        service.kill();
    }
    producer.join().expect("produced");

    let mut service = Service::start(&data, &broker.brokers(), topic);
    service.wait_for_offsets(topic, i64::try_from(count).expect("fits"));
    in_order(&service, &messages);
    service.stop();

    let totals = totals(&data);
    assert_eq!(totals["entries"], count as u64, "{totals:?}");
    assert_eq!(totals["duplicates"], 0, "{totals:?}");
    assert_eq!(totals["rejected"], 0, "{totals:?}");
    assert_eq!(totals["gaps"], 0, "{totals:?}");
    verify(&data);
}

/// The events of some persons, in the order in which they were produced.
fn in_order(service: &Service, messages: &[Message]) {
    let mut by_person: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in messages {
        if let Some(person) = &message.primary_id {
            by_person.entry(person).or_default().push(&message.id);
        }
    }
    let step = (by_person.len() / 50).max(1);
    for (person, expected) in by_person
        .into_iter()
        .filter(|(person, _)| person.starts_with("account:") || person.starts_with("member:"))
        .step_by(step)
    {
        let mut found: Vec<(String, u64, String)> = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListEventsRequest {
                subject: person.to_owned(),
                page_size: 1_000,
                page_token,
                view: v1::EntryView::Full.into(),
                ..v1::ListEventsRequest::default()
            };
            let page = service
                .lineage(async |mut client| client.list_events(request).await)
                .expect("a page");
            for entry in page.entries {
                let position = entry.position.expect("a position");
                let id = entry.sealed.expect("a sealed part").id;
                found.push((position.shard, position.sequence, id));
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        found.sort();
        let ids: Vec<&str> = found.iter().map(|(_, _, id)| id.as_str()).collect();
        let mut wanted = expected.clone();
        if found.iter().any(|(shard, ..)| *shard != found[0].0) {
            // Linked persons may lie in two shards; order is a shard's affair.
            wanted.sort_unstable();
            let mut ids = ids.clone();
            ids.sort_unstable();
            assert_eq!(ids, wanted);
        } else {
            assert_eq!(ids, wanted);
        }
    }
}
