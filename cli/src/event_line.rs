//! One line of JSON Lines: a CloudEvent in structured JSON form, and what it
//! becomes as a Kafka message (CloudEvents Kafka protocol binding 1.0.2).

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_proto::event::Event;
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest line that is read: 16 MiB.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// How a CloudEvent is laid into a Kafka message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// The whole event as `application/cloudevents+json`.
    Structured,
    /// Attributes as `ce_*` headers, data as JSON.
    BinaryJson,
    /// Attributes as `ce_*` headers, data as protobuf (`custody.event.v1.Event`).
    BinaryProtobuf,
}

/// A Kafka message, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The primary identifier; `None` where the event is about nobody.
    pub key: Option<Vec<u8>>,
    /// Header names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value.
    pub payload: Vec<u8>,
}

/// A CloudEvent as read from a line.
pub struct EventLine<'a> {
    text: &'a str,
    attributes: BTreeMap<String, String>,
    data: Data,
    key: Option<String>,
}

enum Data {
    None,
    Json(Box<RawValue>),
    Bytes(Vec<u8>),
}

/// As much of `data` as the key is made of.
#[derive(Deserialize)]
struct Keyed {
    subject: Option<KeyedSubject>,
}

#[derive(Deserialize)]
struct KeyedSubject {
    #[serde(default)]
    ids: Vec<String>,
}

impl<'a> EventLine<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong and at which column. Nothing of the line is shown: it
    /// holds personal data.
    pub fn parse(line: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
        let text = text.trim();
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(text).map_err(|error| place("not a JSON object", &error))?;
        let mut attributes = BTreeMap::new();
        let mut data = Data::None;
        for (name, value) in members {
            match name.as_str() {
                "data" if value.get() == "null" => {}
                "data" => data = Data::Json(value),
                "data_base64" => data = Data::Bytes(from_base64(&value)?),
                _ => {
                    if let Some(text) = attribute(&value)? {
                        attributes.insert(name, text);
                    }
                }
            }
        }
        let key = match &data {
            Data::None => None,
            Data::Json(json) => serde_json::from_str::<Keyed>(json.get())
                .ok()
                .and_then(|data| data.subject)
                .and_then(|subject| subject.ids.into_iter().next()),
            Data::Bytes(bytes) => Event::decode(bytes.as_slice())
                .ok()
                .and_then(|event| event.subject)
                .and_then(|subject| subject.ids.into_iter().next()),
        };
        Ok(Self {
            text,
            attributes,
            data,
            key,
        })
    }

    /// The primary identifier.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The Kafka message.
    ///
    /// # Errors
    /// Where the data cannot be laid into the encoding asked for.
    pub fn message(&self, encoding: Encoding) -> Result<Outgoing, String> {
        let (headers, payload) = match encoding {
            Encoding::Structured => (
                vec![content_type("application/cloudevents+json; charset=UTF-8")],
                self.text.as_bytes().to_vec(),
            ),
            Encoding::BinaryJson => match &self.data {
                Data::Json(json) => (
                    self.headers("application/json"),
                    json.get().as_bytes().to_vec(),
                ),
                Data::Bytes(_) => return Err("data is base64; it is no JSON".to_owned()),
                Data::None => return Err("has no data".to_owned()),
            },
            Encoding::BinaryProtobuf => match &self.data {
                Data::Json(json) => {
                    let event: Event = serde_json::from_str(json.get())
                        .map_err(|error| place("data is no custody.event.v1.Event", &error))?;
                    (self.headers("application/protobuf"), event.encode_to_vec())
                }
                Data::Bytes(bytes) => (self.headers("application/protobuf"), bytes.clone()),
                Data::None => return Err("has no data".to_owned()),
            },
        };
        Ok(Outgoing {
            key: self.key.as_ref().map(|key| key.as_bytes().to_vec()),
            headers,
            payload,
        })
    }

    fn headers(&self, media_type: &str) -> Vec<(String, Vec<u8>)> {
        let attributes = self
            .attributes
            .iter()
            .filter(|(name, _)| name.as_str() != "datacontenttype")
            .map(|(name, text)| (format!("ce_{name}"), text.as_bytes().to_vec()));
        std::iter::once(content_type(media_type))
            .chain(attributes)
            .collect()
    }
}

fn content_type(media_type: &str) -> (String, Vec<u8>) {
    ("content-type".to_owned(), media_type.as_bytes().to_vec())
}

/// An attribute's text: strings, numbers and truth values have one.
fn attribute(value: &RawValue) -> Result<Option<String>, String> {
    match serde_json::from_str(value.get()) {
        Ok(serde_json::Value::Null) => Ok(None),
        Ok(serde_json::Value::String(text)) => Ok(Some(text)),
        Ok(serde_json::Value::Bool(value)) => Ok(Some(value.to_string())),
        Ok(serde_json::Value::Number(value)) => Ok(Some(value.to_string())),
        _ => Err("an attribute beside `data` is a list or an object".to_owned()),
    }
}

fn from_base64(value: &RawValue) -> Result<Vec<u8>, String> {
    serde_json::from_str::<String>(value.get())
        .ok()
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| "data_base64 is not base64".to_owned())
}

fn place(what: &str, error: &serde_json::Error) -> String {
    format!("{what} (at column {})", error.column())
}

/// Lines of a file or stream, numbered from 1, without empty ones.
pub struct Lines<R> {
    reader: R,
    number: u64,
    buffer: Vec<u8>,
    /// Bytes read so far.
    pub bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// Reads from here.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            buffer: Vec::new(),
            bytes: 0,
        }
    }

    /// The next line that is not blank, and its number.
    ///
    /// # Errors
    /// Where the input cannot be read, or a line is longer than 16 MiB.
    pub fn read(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            self.buffer.clear();
            let read = (&mut self.reader)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.buffer)? as u64;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read;
            if read == MAX_LINE_BYTES && self.buffer.last() != Some(&b'\n') {
                let problem = format!("line {} is longer than 16 MiB", self.number);
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some((self.number, &self.buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"specversion":"1.0","id":"c-1","source":"//a.example","type":"custody.collection.v1","time":"2025-03-01T09:30:00Z","datacontenttype":"application/json","partition":7,"data":{"subject":{"ids":["account:1001","email:a@example.com"]},"collection":{"origin":"subject"}}}"#;

    fn header<'m>(message: &'m Outgoing, name: &str) -> Option<&'m str> {
        let (_, value) = message.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    #[test]
    fn the_key_is_the_primary_identifier() {
        let line = EventLine::parse(LINE.as_bytes()).unwrap();
        assert_eq!(line.key(), Some("account:1001"));
    }

    #[test]
    fn structured_keeps_the_line() {
        let text = format!("  {LINE}\r\n");
        let line = EventLine::parse(text.as_bytes()).unwrap();
        let message = line.message(Encoding::Structured).unwrap();
        assert_eq!(message.payload, LINE.as_bytes());
        assert_eq!(message.key.as_deref(), Some(b"account:1001".as_slice()));
        let media_type = header(&message, "content-type").unwrap();
        assert!(media_type.starts_with("application/cloudevents+json"));
    }

    #[test]
    fn binary_moves_attributes_to_headers() {
        let line = EventLine::parse(LINE.as_bytes()).unwrap();
        let json = line.message(Encoding::BinaryJson).unwrap();
        assert_eq!(header(&json, "content-type"), Some("application/json"));
        assert_eq!(header(&json, "ce_id"), Some("c-1"));
        assert_eq!(header(&json, "ce_partition"), Some("7"));
        assert_eq!(header(&json, "ce_datacontenttype"), None);
        assert!(json.payload.starts_with(br#"{"subject""#));

        let protobuf = line.message(Encoding::BinaryProtobuf).unwrap();
        assert_eq!(
            header(&protobuf, "content-type"),
            Some("application/protobuf")
        );
        let event = Event::decode(protobuf.payload.as_slice()).unwrap();
        let same: Event = serde_json::from_slice(&json.payload).unwrap();
        assert!(event == same);
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_is_shown() {
        let cases: [(&[u8], &str); 5] = [
            (b"account:1001", "not a JSON object (at column 1)"),
            (
                br#"{"id":"account:1001","#,
                "not a JSON object (at column 21)",
            ),
            (b"[\"account:1001\"]", "not a JSON object (at column 0)"),
            (b"\xff{}", "not UTF-8"),
            (
                br#"{"extra":["account:1001"]}"#,
                "an attribute beside `data` is a list or an object",
            ),
        ];
        for (line, expected) in cases {
            let error = EventLine::parse(line).err().unwrap();
            assert_eq!(error, expected);
        }
        let line = br#"{"id":"1","data":{"subject":{"ids":"account:1001"}}}"#;
        let error = EventLine::parse(line)
            .unwrap()
            .message(Encoding::BinaryProtobuf);
        let error = error.err().unwrap();
        assert!(
            error.starts_with("data is no custody.event.v1.Event"),
            "{error}"
        );
        assert!(!error.contains("1001"), "{error}");
    }

    #[test]
    fn an_event_about_nobody_has_no_key() {
        let line = br#"{"id":"1","data":{"breach":{"breach_id":"b-1"}}}"#;
        let message = EventLine::parse(line)
            .unwrap()
            .message(Encoding::BinaryJson);
        assert_eq!(message.unwrap().key, None);
    }

    #[test]
    fn lines_are_numbered_as_in_an_editor() {
        let mut lines = Lines::new(b"\n{}\n\n  \n[]".as_slice());
        assert_eq!(lines.read().unwrap(), Some((2, b"{}\n".as_slice())));
        assert_eq!(lines.read().unwrap(), Some((5, b"[]".as_slice())));
        assert_eq!(lines.read().unwrap(), None);
    }
}
