//! The corpus of malformed and valid messages, and mutations of it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use custody_ingest::{
    DecodeLimits, NormalisedEvent, RawMessage, Rejection, RejectionCode, decode, normalise,
    project, seal_record,
};
use custody_ledger::{Act, Entry, EventTag, PartyPart, SubjectReference};
use custody_policy::{Field, Vocabulary, country::is_country};
use custody_proto::sealed::SealedMessage;
use proptest::prelude::*;
use serde_json::Value;

/// 2025-06-01T00:00:00Z
const NOW_NS: i64 = 1_748_736_000_000_000_000;

struct Case {
    name: String,
    expected_code: Option<String>,
    message: RawMessage,
}

fn repeated(value: &Value) -> Vec<u8> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().as_bytes().to_vec();
    let times = usize::try_from(value["times"].as_u64().unwrap()).unwrap();
    [text("before"), text("repeat").repeat(times), text("after")].concat()
}

fn header(pair: &Value) -> (String, Option<Vec<u8>>) {
    let value = match &pair[1] {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(match other["base64"].as_str() {
            Some(text) => BASE64.decode(text).unwrap(),
            None => repeated(other),
        }),
    };
    (pair[0].as_str().unwrap().to_owned(), value)
}

fn case(entry: &Value) -> Case {
    let payload = if let Some(text) = entry["payload_text"].as_str() {
        Some(text.as_bytes().to_vec())
    } else if let Some(text) = entry["payload_base64"].as_str() {
        Some(BASE64.decode(text).unwrap())
    } else {
        entry.get("payload_repeat").map(repeated)
    };
    Case {
        name: entry["name"].as_str().unwrap().to_owned(),
        expected_code: entry["expected_code"].as_str().map(str::to_owned),
        message: RawMessage {
            topic: Arc::from("events"),
            partition: 0,
            offset: 7,
            timestamp_ms: Some(NOW_NS / 1_000_000),
            key: entry["key"].as_str().map(|key| key.as_bytes().to_vec()),
            headers: entry["headers"]
                .as_array()
                .unwrap()
                .iter()
                .map(header)
                .collect(),
            payload,
        },
    }
}

fn cases(json: &str) -> Vec<Case> {
    let entries: Vec<Value> = serde_json::from_str(json).unwrap();
    entries.iter().map(case).collect()
}

fn malformed() -> Vec<Case> {
    cases(include_str!("corpus/corpus.json"))
}

fn accepted() -> Vec<Case> {
    cases(include_str!("corpus/accepted.json"))
}

fn read(message: &RawMessage) -> Result<NormalisedEvent, Rejection> {
    normalise(decode(message, &DecodeLimits::default(), NOW_NS)?)
}

fn tag(source: &str, id: &str) -> EventTag {
    let digest = blake3::hash(format!("{source}\0{id}").as_bytes());
    EventTag(*digest.as_bytes().first_chunk().unwrap())
}

fn entry(event: &NormalisedEvent, message: &RawMessage) -> Entry {
    let subject = (!event.ids().is_empty()).then_some(SubjectReference([7; 16]));
    project(event, message, subject, &tag)
}

/// Every text in a JSON value, and every name that is none of an event's.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(members) => members.iter().for_each(|member| texts(member, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a message says that no error may repeat.
fn said(message: &RawMessage) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in &message.headers {
        // Media types and versions are ours to say.
        if name != "content-type" && name != "ce_specversion" {
            let value = value.clone().unwrap_or_default();
            found.extend(String::from_utf8(value));
        }
    }
    let payload = message.payload.as_deref().unwrap_or_default();
    match serde_json::from_slice(payload) {
        Ok(value) => texts(&value, &mut found),
        // Of what is no JSON, every run of letters and digits.
        Err(_) => found.extend(
            String::from_utf8_lossy(payload)
                .split(|c: char| !c.is_alphanumeric() && !"@.:_-".contains(c))
                .filter(|run| run.contains([':', '@', '.']))
                .map(str::to_owned),
        ),
    }
    // Short ones stand in any text; these are words of ours as well.
    found.retain(|text| text.len() > 2 && !["subject", "objection"].contains(&text.as_str()));
    found
}

#[test]
fn every_malformed_message_is_rejected_for_its_reason() {
    let mut codes = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in malformed() {
        let expected = case.expected_code.unwrap();
        match read(&case.message) {
            Ok(_) => wrong.push(format!("{}: taken instead of {expected}", case.name)),
            Err(rejection) if rejection.code() != expected => wrong.push(format!(
                "{}: {} instead of {expected} ({rejection})",
                case.name,
                rejection.code()
            )),
            Err(_) => {}
        }
        codes.insert(expected);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Decided by what was stored before, by configuration, and by a name that
    // JSON cannot hold.
    let elsewhere = [
        "conflicting_duplicate",
        "source_not_allowed",
        "bad_header_name",
    ];
    for code in RejectionCode::ALL {
        let covered = codes.contains(code.name()) || elsewhere.contains(&code.name());
        assert!(covered, "no message for {code}");
    }
}

#[test]
fn rejections_repeat_nothing() {
    for case in malformed() {
        let rejection = read(&case.message).unwrap_err();
        let text = format!("{rejection} {rejection:?}");
        for said in said(&case.message) {
            assert!(!text.contains(&said), "{}: {text}", case.name);
        }
        assert!(!text.contains("li_wei") && !text.contains("Wei"), "{text}");
        assert!(text.len() < 512, "{}: {text}", case.name);
    }
}

#[test]
fn a_header_whose_name_is_not_utf_8_is_rejected() {
    let mut message = accepted().swap_remove(0).message;
    message.headers.push(("x-\u{fffd}".to_owned(), None));
    assert_eq!(read(&message).unwrap_err().code(), "bad_header_name");
}

#[test]
fn every_neighbour_is_taken() {
    let mut wrong = Vec::new();
    for case in accepted() {
        match read(&case.message) {
            Ok(event) => check_entry(&event, &case.message),
            Err(rejection) => {
                wrong.push(format!("{}: {} {rejection}", case.name, rejection.code()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_event_has_one_digest_in_every_encoding() {
    let same = [
        "disclosure as JSON",
        "structured",
        "structured without headers",
        "structured with extensions",
        "protobuf",
        "protobuf by its other name",
        "Confluent frame before protobuf",
        "Confluent frame before JSON",
        "protobuf in data_base64",
        "JSON without content type",
        "no key",
    ];
    let digests: Vec<(String, [u8; 32])> = accepted()
        .iter()
        .map(|case| {
            (
                case.name.clone(),
                read(&case.message).unwrap().content_digest(),
            )
        })
        .collect();
    let digest = |name: &str| digests.iter().find(|(n, _)| n == name).unwrap().1;
    for name in same {
        assert_eq!(digest(name), digest(same[0]), "{name}");
    }
    // Terms count as written, and so does everything else.
    for name in [
        "terms without prefix",
        "offset",
        "64 KiB note",
        "use as JSON",
    ] {
        assert_ne!(digest(name), digest(same[0]), "{name}");
    }
}

#[test]
fn what_is_public_is_what_was_said() {
    let find = |name: &str| {
        accepted()
            .into_iter()
            .find(|case| case.name == name)
            .unwrap()
    };
    let case = find("disclosure as JSON");
    let event = read(&case.message).unwrap();
    let entry = entry(&event, &case.message);
    assert_eq!(entry.purposes, ["custody:orders"]);
    assert_eq!(entry.categories, ["custody:contact"]);
    assert_eq!(entry.legal_basis, "custody:contract");
    assert_eq!(
        (entry.jurisdiction.as_str(), entry.location.as_str()),
        ("DE", "DE")
    );
    assert_eq!(entry.event_tag, Some(tag("//shop.example", "e-1")));
    assert_eq!((entry.offset, entry.key_mismatch), (Some(7), false));
    let recipient = entry.recipient().unwrap();
    assert_eq!(
        (recipient.id.as_str(), recipient.category.as_str()),
        ("dhl", "custody:logistics")
    );

    let person = find("recipient that is a person");
    let event = read(&person.message).unwrap();
    let entry_of_person = self::entry(&event, &person.message);
    assert_eq!(entry_of_person.recipient().unwrap().id, "");
    assert!(entry_of_person.recipient().unwrap().person);
    let bytes = entry_of_person.encode().unwrap();
    assert!(!bytes.windows(3).any(|w| w == b"Wei" || w == b"100"));

    for (name, mismatch) in [
        ("other key", true),
        ("no key", true),
        ("breach as JSON", false),
    ] {
        let case = find(name);
        let event = read(&case.message).unwrap();
        assert_eq!(
            self::entry(&event, &case.message).key_mismatch,
            mismatch,
            "{name}"
        );
    }
    let breach = find("breach as JSON");
    let event = read(&breach.message).unwrap();
    let entry = self::entry(&event, &breach.message);
    assert_eq!(entry.subject, None);
    assert!(matches!(entry.act, Act::Breach { ref breach_id, .. } if breach_id == "b-1"));
    let erasure = find("erasure as JSON");
    let event = read(&erasure.message).unwrap();
    assert_eq!(
        self::entry(&event, &erasure.message).categories,
        ["custody:contact"]
    );
}

/// What holds of every event that is taken, whatever it was made of.
fn check_entry(event: &NormalisedEvent, message: &RawMessage) {
    let entry = entry(event, message);
    assert_eq!(Entry::decode(&entry.encode().unwrap()).as_ref(), Ok(&entry));

    // The public part: terms, plain ids, codes; no free text.
    let term = |field, text: &str| {
        let found = Vocabulary::builtin().resolve(field, text);
        assert_eq!(found.map(|term| term.curie()), Ok(text));
    };
    let optional = |field, text: &str| {
        if !text.is_empty() {
            term(field, text);
        }
    };
    let plain = |id: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        assert!(id.len() <= 64 && id.bytes().all(plain), "{id}");
    };
    let place = |code: &str| assert!(code.is_empty() || is_country(code), "{code}");
    let party = |party: &PartyPart| {
        plain(&party.id);
        optional(Field::Recipient, &party.category);
        place(&party.country);
        assert_eq!(party.id.is_empty(), party.person);
    };
    entry
        .purposes
        .iter()
        .for_each(|text| term(Field::Purpose, text));
    entry
        .categories
        .iter()
        .for_each(|text| term(Field::Category, text));
    optional(Field::LegalBasis, &entry.legal_basis);
    [&entry.service, &entry.controller, &entry.policy]
        .into_iter()
        .for_each(|id| plain(id));
    [&entry.jurisdiction, &entry.location]
        .into_iter()
        .for_each(|code| place(code));
    match &entry.act {
        Act::Collection { from, .. } => from.iter().for_each(party),
        Act::Use { operation, system } => {
            term(Field::Operation, operation);
            plain(system);
        }
        Act::Disclosure {
            recipient,
            safeguard,
            ..
        } => {
            party(recipient);
            optional(Field::Safeguard, safeguard);
        }
        Act::Transfer {
            recipient,
            from_country,
            to_country,
            safeguard,
        } => {
            recipient.iter().for_each(party);
            place(from_country);
            place(to_country);
            optional(Field::Safeguard, safeguard);
        }
        Act::RightsRequest { right } => term(Field::Right, right),
        Act::Breach {
            breach_id,
            recipients,
            ..
        } => {
            plain(breach_id);
            recipients.iter().for_each(|id| plain(id));
        }
        Act::Notice { clause } => plain(clause),
        Act::PolicyPublished {
            policy,
            version,
            addendum,
            ..
        } => {
            [policy, version, addendum]
                .into_iter()
                .for_each(|id| plain(id));
        }
        Act::None | Act::Retraction { .. } | Act::RightsResponse { .. } => {}
        Act::House(_) => panic!("an event of the house"),
    }

    // The sealed part: all of the message, and the same event in it.
    let sealed = SealedMessage::from_bytes(&seal_record(message)).unwrap();
    assert_eq!(
        (&sealed.key, Some(&sealed.payload)),
        (&message.key, message.payload.as_ref())
    );
    assert_eq!(sealed.headers.len(), message.headers.len());
    let reopened = sealed.reopen().unwrap();
    assert_eq!(
        (reopened.id.as_str(), reopened.source.as_str()),
        (event.id(), event.source())
    );
    assert_eq!(reopened.time.unix_nanos(), Some(event.time_ns()));
}

/// One change to a payload.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..2000_usize;
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        at.clone().prop_map(Change::Cut),
        (at.clone(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at, 1..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let range = |at: usize, count: usize| {
        let start = at % length;
        start..(start + count).min(length)
    };
    match *change {
        Change::Set(at, byte) => bytes[at % length] = byte,
        Change::Cut(at) => bytes.truncate(at % length),
        Change::Remove(at, count) => {
            bytes.drain(range(at, count));
        }
        Change::Repeat(at, count) => {
            let part = bytes[range(at, count)].to_vec();
            let at = at % length;
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_mutation_panics(index in any::<prop::sample::Index>(),
                          changes in prop::collection::vec(change(), 1..4)) {
        thread_local! {
            static SMALL: Vec<RawMessage> = accepted()
                .into_iter()
                .chain(malformed())
                .map(|case| case.message)
                .filter(|message| message.size() < 4096)
                .collect();
        }
        let mut message = SMALL.with(|small| small[index.index(small.len())].clone());
        if let Some(payload) = &mut message.payload {
            for change in &changes {
                apply(change, payload);
            }
        }
        if let Ok(event) = read(&message) {
            check_entry(&event, &message);
        }
    }

    #[test]
    fn no_bytes_panic(payload in any::<Option<Vec<u8>>>(), structured in any::<bool>()) {
        let mut message = accepted().swap_remove(0).message;
        message.payload = payload;
        if structured {
            message.headers.clear();
        }
        if let Ok(event) = read(&message) {
            check_entry(&event, &message);
        }
    }
}

/// Nanoseconds that this thread has had of a processor: what others do on a
/// shared machine does not count.
fn thread_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// What the way from message to entry costs. Run with
/// `cargo test --release -p custody-ingest --test corpus -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cost_per_event() {
    const ROUNDS: u32 = 50_000;
    let measure = |name: &str, step: &mut dyn FnMut()| {
        let start = thread_nanos();
        for _ in 0..ROUNDS {
            step();
        }
        let nanos = (thread_nanos() - start) / u64::from(ROUNDS);
        println!("{name:<46} {nanos:>6} ns");
    };
    let limits = DecodeLimits::default();
    for name in ["structured", "disclosure as JSON", "protobuf"] {
        let case = accepted()
            .into_iter()
            .find(|case| case.name == name)
            .unwrap();
        let message = case.message;
        println!("{name}: {} bytes", message.size());
        measure("  decode", &mut || {
            std::hint::black_box(decode(&message, &limits, NOW_NS).unwrap());
        });
        let decoded = decode(&message, &limits, NOW_NS).unwrap();
        measure("  content digest", &mut || {
            std::hint::black_box(decoded.content_digest());
        });
        measure("  decode, normalise (with the digest)", &mut || {
            std::hint::black_box(read(&message).unwrap());
        });
        let event = read(&message).unwrap();
        let free = |_: &str, _: &str| EventTag([0; 16]);
        measure("  project", &mut || {
            std::hint::black_box(project(&event, &message, None, &free));
        });
        measure("  seal record", &mut || {
            std::hint::black_box(seal_record(&message));
        });
        let sealed = SealedMessage::from_bytes(&seal_record(&message)).unwrap();
        measure("  reopen", &mut || {
            std::hint::black_box(sealed.reopen().unwrap());
        });
        let len = seal_record(&message).len();
        println!("  sealed record: {len} bytes");
    }
    let cut = malformed()
        .into_iter()
        .find(|case| case.name == "unknown field")
        .unwrap();
    measure("rejected: unknown field in JSON", &mut || {
        std::hint::black_box(read(&cut.message).unwrap_err());
    });
}
