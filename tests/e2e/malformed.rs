//! Whatever cannot be read is dead-lettered with its own code, unchanged, and
//! the good events around it all land.

use std::collections::BTreeMap;

use rdkafka::message::{Headers as _, Message as _, OwnedMessage};

use crate::corpus::{self, Malformed};
use crate::custody::{Service, data_dir, verify};
use crate::exactly_once::totals;
use crate::kafka::{Raw, produce, read_all, shared};

fn good(n: usize) -> Raw {
    Raw::json(
        "account:1",
        &format!(
            r#"{{"specversion":"1.0","id":"good-{n}","source":"//good.example","type":"custody.collection.v1","time":"2025-03-01T09:00:00Z","data":{{"subject":{{"ids":["account:1"]}},"purposes":["orders"],"collection":{{"origin":"subject"}}}}}}"#
        ),
    )
}

fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let headers = message.headers()?;
    headers
        .iter()
        .find(|header| header.key == name)
        .and_then(|header| header.value)
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

#[test]
fn malformed_messages_are_dead_lettered_and_good_ones_land() {
    let corpus = corpus::load();
    assert!(corpus.len() >= 40, "{} messages", corpus.len());
    let broker = shared();
    let topic = "malformed";
    broker
        .create_topic(topic, 1, &[("max.message.bytes", "20971520")])
        .expect("a topic");
    broker
        .create_topic("malformed.dlq", 1, &[("max.message.bytes", "20971520")])
        .expect("a topic");
    let data = data_dir();
    let data = data.path().join("data");
    let mut service = Service::start(&data, &broker.brokers(), "malformed.*");

    let mut messages = vec![good(0)];
    for (n, malformed) in corpus.iter().enumerate() {
        messages.push(malformed.raw.clone());
        messages.push(good(n + 1));
    }
    produce(&broker.brokers(), topic, messages.iter().cloned());
    service.wait_for_offsets(topic, i64::try_from(messages.len()).expect("fits"));
    service.stop();

    let letters = read_all(&broker.brokers(), "malformed.dlq");
    let by_offset: BTreeMap<i64, &OwnedMessage> = letters
        .iter()
        .map(|letter| {
            let offset = header(letter, "custody-origin-offset").expect("an offset");
            (offset.parse().expect("a number"), letter)
        })
        .collect();
    for (n, malformed) in corpus.iter().enumerate() {
        let offset = i64::try_from(2 * n + 1).expect("fits");
        let letter = by_offset
            .get(&offset)
            .unwrap_or_else(|| panic!("{} has no dead letter", malformed.name));
        check(malformed, letter);
    }
    assert_eq!(by_offset.len(), corpus.len());

    let totals = totals(&data);
    assert_eq!(totals["entries"], corpus.len() as u64 + 1, "{totals:?}");
    assert_eq!(totals["rejected"], corpus.len() as u64, "{totals:?}");
    verify(&data);
}

fn check(malformed: &Malformed, letter: &OwnedMessage) {
    let Malformed { name, raw, code } = malformed;
    assert_eq!(
        header(letter, "custody-error-code").as_deref(),
        Some(code.as_str()),
        "{name}"
    );
    assert_eq!(
        header(letter, "custody-origin-topic").as_deref(),
        Some("malformed"),
        "{name}"
    );
    assert_eq!(
        header(letter, "custody-origin-partition").as_deref(),
        Some("0"),
        "{name}"
    );
    assert!(
        header(letter, "custody-error").is_some_and(|e| !e.is_empty()),
        "{name}"
    );
    assert_eq!(letter.key(), raw.key.as_deref(), "{name}: key");
    assert_eq!(letter.payload(), raw.payload.as_deref(), "{name}: payload");
    let kept: Vec<(String, Option<Vec<u8>>)> = letter
        .headers()
        .map(|headers| {
            headers
                .iter()
                .filter(|header| !header.key.starts_with("custody-"))
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        })
        .unwrap_or_default();
    assert_eq!(kept, raw.headers, "{name}: headers");
}
