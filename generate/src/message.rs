//! A Kafka message, and the same as one line of JSON.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody_proto::Timestamp;
use custody_proto::event::Event;
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dice::Dice;
use crate::draft::Draft;
use crate::profile::EncodingMix;

/// How a message is written (CloudEvents 1.0, Kafka protocol binding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/cloudevents+json`: everything in the payload.
    Structured,
    /// Attributes in `ce_*` headers, payload `application/json`.
    BinaryJson,
    /// Attributes in `ce_*` headers, payload `application/protobuf`.
    BinaryProtobuf,
}

/// A Kafka message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The primary identifier; empty where there is no person.
    pub key: Vec<u8>,
    /// In the order in which they are sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// When the producer sent it, milliseconds since 1970 UTC: at or after the
    /// event's own time.
    pub time_ms: i64,
    /// How it is written.
    pub encoding: Encoding,
    /// The code under which it is expected among the dead letters; `None` of a
    /// good message.
    pub malformed: Option<&'static str>,
    /// The code of the finding that the judge is expected to make, where
    /// something is wrong on purpose; `None` of what should conform or is not
    /// judged. `response_overdue` stands at the request that nobody answers,
    /// `notice_overdue` at the breach that nobody was told of, and
    /// `retention_exceeded` is found where the operator has set a period of at
    /// most [`RETENTION_DAYS`](crate::RETENTION_DAYS).
    pub expected: Option<&'static str>,
    /// Whether the same message was sent before.
    pub duplicate: bool,
    /// Whose data it is about, where it is about a person.
    pub primary_id: Option<String>,
    /// The CloudEvents `source`, where it has one.
    pub source: String,
    /// The CloudEvents `id`, where it has one.
    pub id: String,
}

/// CloudEvents attributes of a message.
pub(crate) struct Attributes<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    /// The whole type, such as `custody.use.v1`.
    pub(crate) kind: &'a str,
    pub(crate) time: &'a str,
    pub(crate) traceparent: Option<&'a str>,
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";
const STRUCTURED: &str = "application/cloudevents+json";

/// What stands before a protobuf payload in Confluent framing: magic byte,
/// schema id, and the index of the file's first message.
const CONFLUENT_FRAME: [u8; 6] = [0, 0, 0, 0, 1, 0];

impl Message {
    /// Writes a draft down. The dice decide encoding, framing, trace and delay.
    pub(crate) fn write(draft: &Draft, mix: &EncodingMix, dice: &mut Dice) -> Self {
        let id = draft.link.id.to_string();
        let kind = format!("custody.{}.v1", draft.kind);
        let time = Timestamp::from_unix_nanos(draft.time_ms.saturating_mul(1_000_000)).to_string();
        let trace = dice.permille(200).then(|| trace_parent(dice));
        let attributes = Attributes {
            id: &id,
            source: draft.link.source,
            kind: &kind,
            time: &time,
            traceparent: trace.as_deref(),
        };
        // Everything is drawn before anything is written, so that messages of
        // other encodings say the same.
        let encoding = pick(mix, dice);
        let framed = dice.permille(200);
        let delay_ms = dice.between(3, 900);
        let mut message = Self::encode(&attributes, &draft.event, encoding, framed);
        message.time_ms = draft.time_ms + delay_ms;
        message.expected = draft.expected;
        message
    }

    /// An event with these attributes; `time_ms` is left 0. `framed` puts a
    /// Confluent frame before a protobuf payload.
    pub(crate) fn encode(
        attributes: &Attributes<'_>,
        event: &Event,
        encoding: Encoding,
        framed: bool,
    ) -> Self {
        let primary_id = event.subject.as_ref().and_then(|s| s.ids.first().cloned());
        let (headers, payload) = match encoding {
            Encoding::Structured => {
                let header = ("content-type".to_owned(), STRUCTURED.as_bytes().to_vec());
                let mut payload = envelope(attributes, JSON);
                payload.extend(b"\"data\":");
                write_json(&mut payload, event);
                payload.push(b'}');
                (vec![header], payload)
            }
            Encoding::BinaryJson => (headers(attributes, JSON), json(event)),
            Encoding::BinaryProtobuf => {
                let mut payload = Vec::with_capacity(256);
                if framed {
                    payload.extend(CONFLUENT_FRAME);
                }
                payload.extend(event.encode_to_vec());
                (headers(attributes, PROTOBUF), payload)
            }
        };
        Self {
            key: primary_id
                .as_ref()
                .map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
            headers,
            payload: Some(payload),
            time_ms: 0,
            encoding,
            malformed: None,
            expected: None,
            duplicate: false,
            primary_id,
            source: attributes.source.to_owned(),
            id: attributes.id.to_owned(),
        }
    }

    /// A header's value, if it is there.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut of_name = self.headers.iter().filter(|(n, _)| n == name);
        of_name.next().map(|(_, value)| value.as_slice())
    }

    /// The message as one structured CloudEvent on one line, without the line
    /// break, whatever its encoding.
    ///
    /// Of a malformed message the line keeps what is wrong as far as a line of
    /// JSON can: a payload that is no JSON stands in `data_base64`, and a
    /// structured payload that is none stands as it is, line breaks as blanks.
    pub fn to_json_line(&self) -> String {
        let payload = self.payload.as_deref().unwrap_or_default();
        if self.encoding == Encoding::Structured {
            return String::from_utf8_lossy(payload).replace(['\n', '\r'], " ");
        }
        let header = |name: &str| {
            self.header(name)
                .map(String::from_utf8_lossy)
                .unwrap_or_default()
                .into_owned()
        };
        let (id, source, kind, time) = (
            header("ce_id"),
            header("ce_source"),
            header("ce_type"),
            header("ce_time"),
        );
        let trace = header("ce_traceparent");
        let attributes = Attributes {
            id: &id,
            source: &source,
            kind: &kind,
            time: &time,
            traceparent: (!trace.is_empty()).then_some(trace.as_str()),
        };
        let data = match self.encoding {
            Encoding::BinaryProtobuf => {
                let body = payload.strip_prefix(&CONFLUENT_FRAME).unwrap_or(payload);
                Event::decode(body)
                    .ok()
                    .and_then(|event| serde_json::to_vec(&event).ok())
            }
            _ => std::str::from_utf8(payload)
                .ok()
                .and_then(|text| serde_json::from_str::<Box<RawValue>>(text).ok())
                .map(|value| value.get().replace(['\n', '\r'], " ").into_bytes()),
        };
        match data {
            Some(data) => text(structured(&attributes, JSON, &data)),
            None => {
                let mut line = envelope(&attributes, &header("content-type"));
                line.extend(b"\"data_base64\":\"");
                line.extend(STANDARD.encode(payload).as_bytes());
                line.extend(b"\"}");
                text(line)
            }
        }
    }

    /// Reads one line as [`to_json_line`](Self::to_json_line) writes it, or as
    /// any producer of structured CloudEvents would. The key is the first of
    /// `data.subject.ids`; `time_ms` is the event's time, 0 where it has none.
    ///
    /// # Errors
    /// Where the line is no JSON object, or an attribute that is read has
    /// another type.
    pub fn from_json_line(line: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(default)]
            id: String,
            #[serde(default)]
            source: String,
            #[serde(default)]
            time: Option<String>,
            #[serde(default)]
            data: Option<Data>,
        }
        #[derive(Default, Deserialize)]
        struct Data {
            #[serde(default)]
            subject: Option<Subject>,
        }
        #[derive(Default, Deserialize)]
        struct Subject {
            #[serde(default)]
            ids: Vec<String>,
        }

        let envelope: Envelope = serde_json::from_str(line)?;
        let primary_id = envelope
            .data
            .and_then(|data| data.subject)
            .and_then(|subject| subject.ids.into_iter().next());
        let time = envelope
            .time
            .and_then(|text| text.parse::<Timestamp>().ok());
        Ok(Self {
            key: primary_id
                .as_ref()
                .map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
            headers: vec![("content-type".to_owned(), STRUCTURED.as_bytes().to_vec())],
            payload: Some(line.as_bytes().to_vec()),
            time_ms: time
                .and_then(|t| t.unix_nanos())
                .unwrap_or(0)
                .div_euclid(1_000_000),
            encoding: Encoding::Structured,
            malformed: None,
            expected: None,
            duplicate: false,
            primary_id,
            source: envelope.source,
            id: envelope.id,
        })
    }
}

impl fmt::Debug for Message {
    /// Shows nothing of the person, though all of them are invented: the type
    /// is used for real lines too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("time_ms", &self.time_ms)
            .field("encoding", &self.encoding)
            .field("malformed", &self.malformed)
            .field("duplicate", &self.duplicate)
            .finish_non_exhaustive()
    }
}

pub(crate) fn pick(mix: &EncodingMix, dice: &mut Dice) -> Encoding {
    dice.weighted(&[
        (Encoding::Structured, mix.structured),
        (Encoding::BinaryJson, mix.binary_json),
        (Encoding::BinaryProtobuf, mix.binary_protobuf),
    ])
    .unwrap_or(Encoding::Structured)
}

/// W3C Trace Context, version 00, sampled.
fn trace_parent(dice: &mut Dice) -> String {
    format!("00-{:032x}-{:016x}-01", dice.u128() | 1, dice.u64() | 1)
}

fn headers(attributes: &Attributes<'_>, content_type: &str) -> Vec<(String, Vec<u8>)> {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let mut headers = vec![
        header("ce_specversion", "1.0"),
        header("ce_id", attributes.id),
        header("ce_source", attributes.source),
        header("ce_type", attributes.kind),
        header("ce_time", attributes.time),
        header("content-type", content_type),
    ];
    if let Some(trace) = attributes.traceparent {
        headers.push(header("ce_traceparent", trace));
    }
    headers
}

fn structured(attributes: &Attributes<'_>, content_type: &str, data: &[u8]) -> Vec<u8> {
    let mut text = envelope(attributes, content_type);
    text.extend(b"\"data\":");
    text.extend(data);
    text.push(b'}');
    text
}

/// Everything before the data. Absent attributes are left out.
fn envelope(attributes: &Attributes<'_>, content_type: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend(b"{\"specversion\":\"1.0\",");
    let rows = [
        ("id", attributes.id),
        ("source", attributes.source),
        ("type", attributes.kind),
        ("time", attributes.time),
        ("datacontenttype", content_type),
        ("traceparent", attributes.traceparent.unwrap_or_default()),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push(b'"');
        text.extend(name.as_bytes());
        text.extend(b"\":");
        write_json(&mut text, value);
        text.push(b',');
    }
    text
}

/// A vector takes every byte, a string always has a JSON form, and an event
/// has one unless an enumeration holds a number of no variant, which no draft
/// does: there is no error to hand on.
fn write_json<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok());
}

/// The data as protobuf-JSON.
fn json(event: &Event) -> Vec<u8> {
    let mut text = Vec::with_capacity(768);
    write_json(&mut text, event);
    text
}

/// What was written as JSON, as text.
fn text(json: Vec<u8>) -> String {
    String::from_utf8_lossy(&json).into_owned()
}
