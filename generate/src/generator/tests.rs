use std::collections::{HashMap, HashSet};

use custody_policy::{
    Field, FindingCode, Outcome, Rehearsal, Ruleset, Said, StoredVerdict, Vocabulary, country,
};
use custody_proto::event::{Event, event::Act};
use proptest::prelude::*;
use prost::Message as _;

use super::{Generator, Stream};
use crate::{Encoding, EncodingMix, Message, Notable, Profile, RETENTION_DAYS, ServiceMix};

fn profile(events: u64, persons: u32) -> Profile {
    Profile {
        events,
        persons,
        ..Profile::default()
    }
}

fn messages(profile: Profile) -> Vec<Message> {
    Generator::new(profile).unwrap().collect()
}

/// What a good message says, whatever its encoding.
fn read(message: &Message) -> (String, String, i64, Event) {
    let line = message.to_json_line();
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| value[name].as_str().unwrap().to_owned();
    let time: custody_proto::Timestamp = text("time").parse().unwrap();
    let event = serde_json::from_value(value["data"].clone()).unwrap();
    (text("type"), text("id"), time.unix_nanos().unwrap(), event)
}

fn digest(messages: impl Iterator<Item = Message>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for message in messages {
        part(&message.key);
        for (name, value) in &message.headers {
            part(name.as_bytes());
            part(value);
        }
        part(message.payload.as_deref().unwrap_or(b"(none)"));
        part(&message.time_ms.to_le_bytes());
        part(message.malformed.unwrap_or_default().as_bytes());
        part(message.expected.unwrap_or_default().as_bytes());
    }
    hex::encode(&hasher.finalize().as_bytes()[..16])
}

#[test]
fn equal_profiles_give_equal_bytes() {
    let default = Generator::new(Profile::default()).unwrap();
    assert_eq!(
        digest(default.take(10_000)),
        "d850f1a95b221b71146c9f8e36585474"
    );
    let other = Profile {
        seed: 2,
        ..Profile::default()
    };
    let other = Generator::new(other).unwrap();
    assert_ne!(
        digest(other.take(10_000)),
        "d850f1a95b221b71146c9f8e36585474"
    );
}

#[test]
fn the_number_of_messages_is_as_asked() {
    for (events, persons) in [(1, 1), (1, 5), (7, 3), (1000, 1), (1000, 1000), (5000, 40)] {
        assert_eq!(messages(profile(events, persons)).len() as u64, events);
    }
}

#[test]
fn events_are_in_order_and_within_the_time() {
    let profile = profile(6_000, 300);
    let (start, end) = (profile.start_ms(), profile.end_ms());
    let mut before = start;
    for message in messages(profile) {
        if message.malformed.is_some() || message.duplicate {
            continue;
        }
        let (_, _, time_ns, _) = read(&message);
        let time_ms = time_ns / 1_000_000;
        assert!((before..=end).contains(&time_ms), "{time_ms}");
        assert!((3..=900).contains(&(message.time_ms - time_ms)));
        before = time_ms;
    }
}

#[test]
fn links_lead_to_earlier_events_of_the_same_person() {
    let mut seen: HashMap<String, HashSet<(String, String)>> = HashMap::new();
    let mut links = 0;
    let mut named = HashSet::new();
    for message in messages(profile(8_000, 300)) {
        if message.malformed.is_some() || message.duplicate {
            continue;
        }
        let (_, id, _, event) = read(&message);
        assert!(
            named.insert((message.source.clone(), id.clone())),
            "said twice: {id}"
        );
        let Some(person) = message.primary_id.clone() else {
            continue;
        };
        assert_eq!(event.subject.as_ref().unwrap().ids[0], person);
        let own = seen.entry(person).or_default();
        for parent in &event.derived_from {
            assert!(own.contains(&(parent.source.clone(), parent.id.clone())));
            links += 1;
        }
        if let Some(Act::Retraction(retraction)) = &event.act {
            let of = retraction.of.as_ref().unwrap();
            assert!(own.contains(&(of.source.clone(), of.id.clone())));
        }
        own.insert((message.source.clone(), id));
    }
    assert!(links > 4_000, "{links}");
}

#[test]
fn terms_and_countries_exist_and_every_kind_occurs() {
    let vocabulary = Vocabulary::builtin();
    let known = |field, text: &str| {
        assert!(vocabulary.resolve(field, text).is_ok(), "{field:?} {text}");
    };
    let place = |code: &str| assert!(country::is_country(code), "{code:?}");
    let optional = |field, text: &str| {
        if !text.is_empty() {
            known(field, text);
        }
    };
    let mut kinds = HashSet::new();
    let mut stream = Stream::for_profile(&profile(30_000, 600));
    while let Some((draft, _)) = stream.next() {
        kinds.insert(draft.kind);
        let event = draft.event;
        event.purposes.iter().for_each(|t| known(Field::Purpose, t));
        event
            .categories
            .iter()
            .for_each(|c| known(Field::Category, &c.term));
        optional(Field::LegalBasis, &event.legal_basis);
        if !event.location.is_empty() {
            place(&event.location);
        }
        if let Some(subject) = &event.subject {
            place(&subject.jurisdiction);
        }
        let party = |party: &custody_proto::event::Party| {
            known(Field::Recipient, &party.category);
            place(&party.country);
        };
        match event.act.unwrap() {
            Act::Collection(c) => c.from.iter().for_each(party),
            Act::Use(u) => known(Field::Operation, &u.operation),
            Act::Disclosure(d) => {
                party(&d.recipient.unwrap());
                optional(Field::Safeguard, &d.safeguard);
            }
            Act::Transfer(t) => {
                t.recipient.iter().for_each(party);
                place(&t.from_country);
                place(&t.to_country);
                optional(Field::Safeguard, &t.safeguard);
            }
            Act::Consent(c) => c.scope.iter().for_each(|t| known(Field::Any, t)),
            Act::Objection(o) => o.scope.iter().for_each(|t| known(Field::Any, t)),
            Act::Erasure(e) => e.scope.iter().for_each(|t| known(Field::Category, t)),
            Act::RightsRequest(r) => known(Field::Right, &r.right),
            Act::Breach(b) => b.categories.iter().for_each(|t| known(Field::Category, t)),
            _ => {}
        }
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "account_closed",
            "anonymisation",
            "breach",
            "collection",
            "consent_given",
            "consent_withdrawn",
            "consultation",
            "disclosure",
            "erasure",
            "notice",
            "objection",
            "policy_published",
            "rectification",
            "restriction",
            "restriction_lifted",
            "retraction",
            "rights_request",
            "rights_response",
            "transfer",
            "use",
        ]
    );
}

/// Every message of a person with what the judge says of it, in order.
fn judged(profile: Profile) -> Vec<(Message, Said, StoredVerdict)> {
    let rules = Ruleset::builtin();
    let mut persons: HashMap<String, Rehearsal<'_>> = HashMap::new();
    let mut all = Vec::new();
    for message in Generator::new(profile).unwrap() {
        let Some(id) = message.primary_id.clone() else {
            continue;
        };
        if message.malformed.is_some() || message.duplicate {
            continue;
        }
        let said = Said::parse(message.to_json_line().as_bytes()).unwrap();
        let person = persons
            .entry(id)
            .or_insert_with(|| Rehearsal::new(rules).with_retention_days(Some(RETENTION_DAYS)));
        let verdict = person.judge(&said).unwrap().to_stored(rules);
        person.take(&said).unwrap();
        if verdict.outcome != Outcome::NotJudged {
            all.push((message, said, verdict));
        }
    }
    all
}

/// Only for what is judged; two more codes are found by time.
const BY_TIME: [&str; 2] = ["response_overdue", "notice_overdue"];

#[test]
fn what_is_wrong_on_purpose_is_found_and_the_rest_conforms() {
    let mut reached = HashSet::new();
    // Conforming, of all.
    let mut policies: HashMap<String, (u32, u32)> = HashMap::new();
    for (message, said, verdict) in judged(profile(60_000, 3_000)) {
        let codes: Vec<_> = verdict.findings.iter().map(|f| f.code.name()).collect();
        match message.expected {
            Some(code) => assert!(codes.contains(&code), "{code}: {codes:?} {}", said.kind),
            None => assert!(codes.is_empty(), "{:?} {}", verdict.findings, said.kind),
        }
        reached.extend(message.expected);
        if !verdict.policy.is_empty() {
            let (conforming, of) = policies.entry(verdict.policy).or_default();
            *conforming += u32::from(verdict.outcome == Outcome::Conforms);
            *of += 1;
        }
    }
    let by_time = |code: &&str| BY_TIME.contains(code);
    let names = FindingCode::ALL.map(FindingCode::name);
    let missed: Vec<_> = names
        .iter()
        .filter(|code| !by_time(code) && !reached.contains(*code))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert_eq!(policies.len(), 5);
    for (policy, (conforming, of)) in policies {
        let percent = 100 * conforming / of;
        assert!(
            (92..=97).contains(&percent) && of > 1_000,
            "{policy} {percent} {of}"
        );
    }
}

#[test]
fn other_seeds_keep_their_word_too() {
    for seed in 2..6 {
        let profile = Profile {
            seed,
            failing: 0.2,
            ..profile(8_000, 400)
        };
        for (message, said, verdict) in judged(profile) {
            let codes: Vec<_> = verdict.findings.iter().map(|f| f.code.name()).collect();
            match message.expected {
                Some(code) => assert!(codes.contains(&code), "{seed} {code}: {codes:?}"),
                None => assert!(
                    codes.is_empty(),
                    "{seed} {:?} {}",
                    verdict.findings,
                    said.kind
                ),
            }
        }
    }
}

#[test]
fn nothing_fails_where_nothing_shall() {
    let profile = Profile {
        failing: 0.0,
        ..profile(12_000, 600)
    };
    assert!(
        messages(profile.clone())
            .iter()
            .all(|m| m.expected.is_none())
    );
    for (_, said, verdict) in judged(profile) {
        let found = verdict.findings;
        assert!(found.is_empty(), "{found:?} {}", said.kind);
    }
}

#[test]
fn what_is_overdue_was_never_done() {
    let mut labelled = HashSet::new();
    let mut answered = HashSet::new();
    let mut breaches = 0;
    for message in messages(profile(60_000, 3_000)) {
        if message.malformed.is_some() || message.duplicate {
            continue;
        }
        let (_, _, _, event) = read(&message);
        match (event.act.unwrap(), message.expected) {
            (Act::RightsRequest(request), Some(code)) => {
                assert_eq!(code, "response_overdue");
                labelled.insert(request.request_id);
            }
            (Act::RightsResponse(response), _) => {
                answered.insert(response.request_id);
            }
            (Act::Breach(breach), Some(code)) => {
                assert_eq!(code, "notice_overdue");
                assert!(breach.notified.is_empty());
                breaches += 1;
            }
            (Act::Breach(breach), None) => assert!(!breach.notified.is_empty()),
            (_, code) => assert!(code.is_none_or(|code| !BY_TIME.contains(&code))),
        }
    }
    assert!(
        breaches >= 1 && labelled.len() > 10,
        "{breaches} {}",
        labelled.len()
    );
    assert!(labelled.iter().all(|id| !answered.contains(id)));
}

#[test]
fn shares_are_as_asked() {
    let mut profile = profile(30_000, 600);
    profile.malformed = 0.05;
    profile.duplicates = 0.1;
    profile.encodings = EncodingMix {
        structured: 1,
        binary_json: 0,
        binary_protobuf: 1,
    };
    let all = messages(profile);
    let malformed = all.iter().filter(|m| m.malformed.is_some()).count();
    let duplicates = all.iter().filter(|m| m.duplicate).count();
    let structured = all
        .iter()
        .filter(|m| m.encoding == Encoding::Structured)
        .count();
    assert!((1_350..1_650).contains(&malformed), "{malformed}");
    assert!((2_800..3_200).contains(&duplicates), "{duplicates}");
    assert!((13_500..16_500).contains(&structured), "{structured}");
    let codes: HashSet<_> = all.iter().filter_map(|m| m.malformed).collect();
    assert_eq!(codes.len(), 13);
}

#[test]
fn a_duplicate_says_what_was_said_before() {
    let mut first: HashMap<(String, String), Message> = HashMap::new();
    let mut duplicates = 0;
    for message in messages(profile(6_000, 200)) {
        if message.malformed.is_some() {
            continue;
        }
        let name = (message.source.clone(), message.id.clone());
        if message.duplicate {
            let original = &first[&name];
            assert!(original.key == message.key && original.headers == message.headers);
            assert!(original.payload == message.payload);
            duplicates += 1;
        } else {
            assert!(first.insert(name, message).is_none());
        }
    }
    assert!((30..100).contains(&duplicates), "{duplicates}");
}

#[test]
fn the_busiest_have_zipfs_share() {
    let mut profile = profile(30_000, 300);
    profile.skew = 1.0;
    let mut counts: HashMap<String, u32> = HashMap::new();
    for message in messages(profile) {
        if let (None, false, Some(id)) = (message.malformed, message.duplicate, message.primary_id)
        {
            *counts.entry(id).or_default() += 1;
        }
    }
    let mut counts: Vec<u32> = counts.into_values().collect();
    counts.sort_unstable_by_key(|c| std::cmp::Reverse(*c));
    assert_eq!(counts.len(), 300);
    let ratio = f64::from(counts[0]) / f64::from(counts[9]);
    assert!((8.5..11.0).contains(&ratio), "{ratio}");
}

#[test]
fn encodings_say_the_same() {
    let with = |encodings| {
        let mut profile = profile(2_000, 60);
        profile.encodings = encodings;
        messages(profile)
    };
    let structured = with(EncodingMix {
        structured: 1,
        binary_json: 0,
        binary_protobuf: 0,
    });
    let json = with(EncodingMix {
        structured: 0,
        binary_json: 1,
        binary_protobuf: 0,
    });
    let protobuf = with(EncodingMix {
        structured: 0,
        binary_json: 0,
        binary_protobuf: 1,
    });
    let mut framed = 0;
    for ((s, j), p) in structured.iter().zip(&json).zip(&protobuf) {
        if s.malformed.is_some() {
            continue;
        }
        assert!(read(s) == read(j) && read(j) == read(p));
        assert_eq!(p.header("content-type"), Some(&b"application/protobuf"[..]));
        let payload = p.payload.as_deref().unwrap();
        let body = payload.strip_prefix(&[0, 0, 0, 0, 1, 0]).unwrap_or(payload);
        framed += usize::from(body.len() < payload.len());
        assert!(Event::decode(body).unwrap() == read(s).3);
    }
    assert!((300..500).contains(&framed), "{framed}");
}

#[test]
fn a_line_can_be_read_again() {
    for message in messages(profile(2_000, 60)) {
        let line = message.to_json_line();
        assert!(!line.contains('\n'));
        if message.malformed.is_some() {
            continue;
        }
        let again = Message::from_json_line(&line).unwrap();
        assert_eq!(again.to_json_line(), line);
        assert!(again.key == message.key && again.id == message.id);
        assert_eq!(again.source, message.source);
    }
    assert!(Message::from_json_line("no json").is_err());
}

#[test]
fn notable_persons_are_there() {
    let profile = profile(20_000, 600);
    let notable = Notable::find(&profile).unwrap();
    assert_eq!(notable, Notable::find(&profile).unwrap());
    let mut kinds: HashMap<String, HashSet<String>> = HashMap::new();
    for message in messages(profile)
        .into_iter()
        .filter(|m| m.malformed.is_none())
    {
        let (kind, ..) = read(&message);
        if let Some(id) = message.primary_id {
            kinds.entry(id).or_default().insert(kind);
        }
    }
    assert!(kinds[&notable.buyer.unwrap()].contains("custody.disclosure.v1"));
    let left = &kinds[&notable.leaver.unwrap()];
    for kind in ["consent_withdrawn", "rights_request", "account_closed"] {
        assert!(left.contains(&format!("custody.{kind}.v1")), "{kind}");
    }
    assert!(kinds.contains_key(&notable.unusual.unwrap()));
}

#[test]
fn one_service_alone_will_do() {
    let mut profile = profile(3_000, 80);
    profile.services = ServiceMix {
        alibaba_cloud: 1,
        alibaba_com: 0,
        aliexpress: 0,
    };
    for message in messages(profile).iter().filter(|m| m.malformed.is_none()) {
        let (_, _, _, event) = read(message);
        // Breaches and policies are nobody's.
        let nobodys = event.subject.is_none_or(|subject| subject.ids.is_empty());
        assert!(nobodys || event.service == "alibaba-cloud");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_valid_profile_gives_what_it_asks_for(
        seed: u64, events in 1u64..800, persons in 1u32..200, skew in 0.0f64..3.0,
        malformed in 0.0f64..0.4, duplicates in 0.0f64..0.4, seconds in 1i64..100_000_000,
    ) {
        let start = Profile::default().start;
        let mut end = start;
        end.seconds += seconds;
        let profile =
            Profile { seed, events, persons, skew, malformed, duplicates, end, ..Profile::default() };
        prop_assert_eq!(messages(profile).len() as u64, events);
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in ".{0,200}") {
        let _ = Message::from_json_line(&line);
    }
}
