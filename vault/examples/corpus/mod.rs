//! Invented messages in the form in which they are sealed.
//!
//! Two kinds: what `custody-generate` sends, and short events of one fact each,
//! as the workload of the comparisons has them. Everything follows from a seed.

use std::error::Error;

use custody_generate::{Generator, Message, Profile};
use custody_proto::Timestamp;
use custody_proto::event::Event;
use custody_proto::sealed::{SealedHeader, SealedMessage};
use prost::Message as _;

/// The codes of the vocabulary, such as `purpose,account,…` a line.
const VOCABULARY: &str = include_str!("../../../policy/vocab/custody.csv");

/// Messages of all services, dates and encodings.
pub(crate) fn generated(
    seed: u64,
    events: u64,
    persons: u32,
) -> Result<impl Iterator<Item = Vec<u8>>, Box<dyn Error>> {
    let profile = Profile {
        seed,
        events,
        persons,
        malformed: 0.0,
        duplicates: 0.0,
        ..Profile::default()
    };
    Ok(Generator::new(profile)?.map(|message| record(&message)))
}

fn record(message: &Message) -> Vec<u8> {
    sealed(
        &message.key,
        message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice())),
        message.payload.clone().unwrap_or_default(),
    )
}

/// As `custody_ingest` makes it of a Kafka message.
fn sealed<'a>(
    key: &[u8],
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    payload: Vec<u8>,
) -> Vec<u8> {
    SealedMessage {
        key: Some(key.to_vec()),
        headers: headers
            .map(|(name, value)| SealedHeader {
                name: name.to_owned(),
                value: Some(value.to_vec()),
            })
            .collect(),
        payload,
    }
    .to_bytes()
}

/// How a short event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object, `id` first or `specversion` first.
    Structured,
    /// Attributes in headers, data in JSON.
    BinaryJson,
    /// Attributes in headers, data in protobuf.
    BinaryProtobuf,
}

/// Short events: 100,000 persons by Zipf's law, 25 purposes, 1 to 3 of 40
/// categories, 200 recipients, 30 countries; a quarter collections, 45 % uses,
/// 20 % disclosures, 10 % transfers; a year in the order of time.
///
/// Names that a service chooses for itself (source, recipients, ids) follow
/// from the seed, so that another seed has others.
pub(crate) struct Short {
    dice: Dice,
    names: Names,
    form: Option<Form>,
    events: u64,
    number: u64,
}

/// What differs from one operator to the next.
struct Names {
    source: String,
    service: &'static str,
    recipients: Vec<String>,
    purposes: Vec<String>,
    categories: Vec<String>,
    /// Of the shapes that event ids, identifiers, times and envelopes have.
    shape: u64,
    salt: u64,
}

const COUNTRIES: [&str; 30] = [
    "AT", "AU", "BE", "BR", "CA", "CH", "CN", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "HK", "IE",
    "IN", "IT", "JP", "KR", "MX", "NL", "NO", "PL", "PT", "SE", "SG", "TR", "US", "ZA",
];
const OPERATIONS: [&str; 8] = [
    "dpv:Use",
    "dpv:Store",
    "dpv:Analyse",
    "dpv:Consult",
    "dpv:Retrieve",
    "dpv:Profiling",
    "dpv:Assess",
    "dpv:Transmit",
];
const SYSTEMS: [&str; 8] = [
    "crm",
    "warehouse",
    "billing",
    "web",
    "app",
    "support-desk",
    "recommender",
    "order-db",
];
const SAFEGUARDS: [&str; 3] = ["eu-gdpr:A46-2-c", "eu-gdpr:A45-3", "eu-gdpr:A46-2-b"];
const BASES: [&str; 4] = [
    "eu-gdpr:A6-1-a",
    "eu-gdpr:A6-1-b",
    "eu-gdpr:A6-1-c",
    "eu-gdpr:A6-1-f",
];
const PEOPLE: u64 = 100_000;
/// 2025-01-01, in milliseconds.
const YEAR_START_MS: u64 = 1_735_689_600_000;
const YEAR_MS: u64 = 365 * 86_400_000;

/// Short events of one operator; all forms in turn where none is given.
pub(crate) fn short(seed: u64, events: u64, form: Option<Form>) -> Short {
    let mut dice = Dice(seed);
    let names = Names::new(&mut dice);
    Short {
        dice,
        names,
        form,
        events,
        number: 0,
    }
}

/// Short events that say no more than they must: numbered ids, times in whole
/// seconds, terms without a prefix, one structured envelope. About 300 bytes of
/// JSON on average.
pub(crate) fn lean(seed: u64, events: u64) -> Short {
    let mut short = short(seed, events, Some(Form::Structured));
    let names = &mut short.names;
    // Envelope 3 (without a media type), nothing but the act, `jurisdiction`
    // absent, `account:`, seconds, `e-1`; recipients as they were drawn.
    names.shape = (names.shape & 0xff) | (3 << 56) | (1 << 32) | (2 << 24);
    for term in names.purposes.iter_mut().chain(&mut names.categories) {
        *term = term.replace("custody:", "");
    }
    short
}

fn codes(kind: &str) -> Vec<&'static str> {
    VOCABULARY
        .lines()
        .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(','))
        .filter_map(|rest| rest.split(',').next())
        .collect()
}

impl Names {
    fn new(dice: &mut Dice) -> Self {
        let choose = |kind: &str, count: usize, dice: &mut Dice| -> Vec<String> {
            let mut all = codes(kind);
            let mut chosen = Vec::new();
            while chosen.len() < count && !all.is_empty() {
                let code = all.swap_remove(dice.below(all.len() as u64) as usize);
                chosen.push(format!("custody:{code}"));
            }
            chosen
        };
        let host = dice.word();
        let app = dice.pick(&[
            "orders", "shop", "crm", "events", "privacy", "signup", "app",
        ]);
        let source = match dice.below(3) {
            0 => format!("//{app}.example"),
            1 => format!("//{app}.{host}.example"),
            _ => format!("/{host}/{app}"),
        };
        let shape = dice.next();
        Self {
            source,
            service: dice.pick(&["alibaba.com", "alibaba-cloud", "aliexpress"]),
            recipients: (0..200)
                .map(|number| match shape % 3 {
                    0 => format!("recipient-{number}"),
                    1 => format!("{}-{}", dice.word(), dice.word()),
                    _ => dice.word(),
                })
                .collect(),
            purposes: choose("purpose", 25, dice),
            categories: choose("data_category", 40, dice),
            shape,
            salt: dice.next(),
        }
    }

    fn event_id(&self, number: u64, dice: &mut Dice) -> String {
        match (self.shape >> 8) % 4 {
            0 => format!("e-{number}"),
            1 => format!("{number:08}"),
            2 => format!("{:016x}", dice.next()),
            _ => {
                let (high, low) = (dice.next(), dice.next());
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    high >> 32,
                    high >> 16 & 0xffff,
                    high & 0xfff,
                    low >> 48 & 0xfff,
                    low & 0xffff_ffff_ffff
                )
            }
        }
    }

    fn time(&self, time_ms: u64) -> String {
        let nanos = time_ms as i64 * 1_000_000;
        let text = match (self.shape >> 16) % 2 {
            0 => Timestamp::from_unix_nanos(nanos / 1_000_000_000 * 1_000_000_000),
            _ => Timestamp::from_unix_nanos(nanos),
        };
        text.to_string()
    }
}

impl Iterator for Short {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.number == self.events {
            return None;
        }
        let (names, dice) = (&self.names, &mut self.dice);
        let number = self.number;
        self.number += 1;
        let step_ms = YEAR_MS / self.events;
        let time_ms = YEAR_START_MS + step_ms * number + dice.below(step_ms);

        // Uniform in the logarithm: Zipf's law with exponent 1, near enough.
        let octave = dice.below(17);
        let rank = ((1 << octave) + dice.below(1 << octave)) % PEOPLE;
        // Who is busiest has nothing to do with the number.
        let account = (rank * 61_027 + names.salt % PEOPLE) % PEOPLE + 1001;
        let scheme = match (names.shape >> 24) % 3 {
            0 => "member",
            1 => "customer",
            _ => "account",
        };
        let subject = format!("{scheme}:{account}");

        let recipient = &names.recipients[dice.below(200) as usize];
        let (country, other) = (dice.pick(&COUNTRIES), dice.pick(&COUNTRIES));
        let purpose = &names.purposes[dice.below(25) as usize];
        // Some say how it went.
        let means = match (names.shape >> 44) % 2 {
            0 => "",
            _ => r#","means":"api""#,
        };
        let mut categories = Vec::new();
        for _ in 0..=dice.below(3) {
            categories.push(format!(
                r#"{{"term":"{}"}}"#,
                names.categories[dice.below(40) as usize]
            ));
        }
        let (kind, act) = match dice.below(100) {
            0..25 => (
                "collection",
                match dice.below(3) {
                    0 => format!(
                        r#""collection":{{"origin":"third_party","from":{{"id":"{recipient}","country":"{country}"}}}}"#
                    ),
                    1 => r#""collection":{"origin":"device"}"#.to_owned(),
                    _ => r#""collection":{"origin":"subject"}"#.to_owned(),
                },
            ),
            25..70 => (
                "use",
                format!(
                    r#""use":{{"operation":"{}","system":"{}"}}"#,
                    dice.pick(&OPERATIONS),
                    if dice.below(2) == 0 {
                        recipient.as_str()
                    } else {
                        dice.pick(&SYSTEMS)
                    }
                ),
            ),
            70..90 => (
                "disclosure",
                format!(
                    r#""disclosure":{{"recipient":{{"id":"{recipient}","country":"{country}"}}{means}}}"#
                ),
            ),
            _ => (
                "transfer",
                format!(
                    r#""transfer":{{"recipient":{{"id":"{recipient}","country":"{country}"}},"from_country":"{other}","to_country":"{country}","safeguard":"{}"}}"#,
                    dice.pick(&SAFEGUARDS)
                ),
            ),
        };
        let mut subject_text = format!(r#"{{"ids":["{subject}"]"#);
        if (names.shape >> 32) % 2 == 0 {
            subject_text += &format!(r#","jurisdiction":"{other}""#);
        }
        subject_text += "}";
        let mut data = format!(
            r#"{{"subject":{subject_text},"service":"{}","purposes":["{purpose}"],"categories":[{}],"#,
            names.service,
            categories.join(",")
        );
        match (names.shape >> 40) % 3 {
            0 => {}
            1 => data += &format!(r#""location":"{country}","#),
            _ => data += &format!(r#""legal_basis":"{}","#, dice.pick(&BASES)),
        }
        data += &act;
        data += "}";

        let id = names.event_id(number, dice);
        let time = names.time(time_ms);
        let source = &names.source;
        let form = self.form.unwrap_or(match (names.shape >> 48) % 4 {
            0 => Form::BinaryJson,
            1 => Form::BinaryProtobuf,
            _ => Form::Structured,
        });
        if form == Form::Structured {
            let payload = match (names.shape >> 56) % 4 {
                0 => format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"custody.{kind}.v1","time":"{time}","datacontenttype":"application/json","data":{data}}}"#
                ),
                1 => format!(
                    r#"{{"specversion":"1.0","type":"custody.{kind}.v1","source":"{source}","id":"{id}","time":"{time}","data":{data}}}"#
                ),
                2 => format!(
                    r#"{{"id":"{id}","source":"{source}","type":"custody.{kind}.v1","specversion":"1.0","time":"{time}","data":{data}}}"#
                ),
                _ => format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"custody.{kind}.v1","time":"{time}","data":{data}}}"#
                ),
            };
            let headers = [("content-type", &b"application/cloudevents+json"[..])];
            return Some(sealed(
                subject.as_bytes(),
                headers.into_iter(),
                payload.into_bytes(),
            ));
        }
        let (content_type, payload) = match form {
            Form::BinaryProtobuf => {
                let event: Event = serde_json::from_str(&data).ok()?;
                ("application/protobuf", event.encode_to_vec())
            }
            _ => ("application/json", data.into_bytes()),
        };
        let kind = format!("custody.{kind}.v1");
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", &id),
            ("ce_source", source),
            ("ce_type", &kind),
            ("ce_time", &time),
            ("content-type", content_type),
        ];
        Some(sealed(
            subject.as_bytes(),
            headers
                .into_iter()
                .map(|(name, value)| (name, value.as_bytes())),
            payload,
        ))
    }
}

/// SplitMix64: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len() as u64) as usize]
    }

    /// Something that can be said, of two to four syllables.
    fn word(&mut self) -> String {
        (0..2 + self.below(3))
            .map(|_| {
                let vowel = self.pick(&["a", "e", "i", "o", "u"]);
                let consonant = self.pick(&["b", "d", "g", "k", "l", "m", "n", "r", "s", "t"]);
                format!("{consonant}{vowel}")
            })
            .collect()
    }
}
