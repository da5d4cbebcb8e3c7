//! Generated traffic is what it says it is: good messages are taken in, and
//! malformed ones are rejected with the code that the generator names.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use custody_generate::{Generator, Profile};
use custody_ingest::{DecodeLimits, RawMessage, decode, normalise};

#[test]
fn good_messages_are_accepted_and_malformed_ones_get_their_code() {
    let generator = Generator::new(Profile {
        seed: 11,
        events: 20_000,
        persons: 400,
        malformed: 0.05,
        ..Profile::default()
    })
    .unwrap();
    let (mut good, mut bad) = (0, 0);
    for (offset, message) in generator.enumerate() {
        let raw = RawMessage {
            topic: Arc::from("events"),
            partition: 0,
            offset: i64::try_from(offset).unwrap(),
            timestamp_ms: Some(message.time_ms),
            key: Some(message.key.clone()),
            headers: message
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Some(value.clone())))
                .collect(),
            payload: message.payload.clone(),
        };
        let now_ns = message.time_ms * 1_000_000;
        let read = decode(&raw, &DecodeLimits::default(), now_ns).and_then(normalise);
        let code = read.err().map(|rejection| rejection.code());
        assert_eq!(code, message.malformed, "message {offset}");
        if code.is_some() {
            bad += 1;
        } else {
            good += 1;
        }
    }
    assert!(good > 18_000 && bad > 700, "{good} good, {bad} malformed");
}
